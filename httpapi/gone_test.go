package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/queue"
)

// hangingUp is a journal whose client goes away while a message of that kind is written. Like a
// server's, a write that nobody waits for is done all the same.
type hangingUp struct {
	*queue.Memory
	kind string
	gone context.CancelFunc
}

func (l *hangingUp) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	if l.kind != "" && strings.HasPrefix(subject, l.kind) {
		l.gone()
		select {
		case <-ctx.Done():
		case <-time.After(300 * time.Millisecond): // nobody tells this write
		}
	}
	n, err := l.Memory.Put(context.WithoutCancel(ctx), subject, meta, data, last)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%w: %w", queue.ErrUnavailable, ctx.Err())
	}
	return n, err
}

// Who goes away without waiting for the answer is in the audit log all the same.
func TestAuditNamesThoseWhoLeave(t *testing.T) {
	journal := &hangingUp{}
	s := startAuditedOn(t, nil, func(q *queue.Config, _ *Config) { journal.Memory = q.Journal.(*queue.Memory); q.Journal = journal })
	send := func(kind, method, path, body string) {
		ctx, gone := context.WithCancel(t.Context())
		defer gone()
		r, err := http.NewRequestWithContext(ctx, method, s.web.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+canary)
		r.Header.Set("Content-Type", "application/json")
		journal.kind, journal.gone = kind, gone
		if answer, err := s.web.Client().Do(r); err == nil {
			answer.Body.Close()
		}
		journal.kind = ""
	}
	has := func(event, job string) func() bool {
		return func() bool {
			for _, e := range lines(t, s.name) {
				if e["event"] == event && (job == "" || e["job"] == job) && e["key"] == operatorKey {
					return true
				}
			}
			return false
		}
	}
	send("cordon.q.", http.MethodPost, jobsPath, trueJob)
	eventuallyIn(t, "the job is there", func() bool { return s.queue.Waiting() == 1 })
	eventuallySoon(t, "its submission is written down", has("job.submitted", ""))
	page, _ := s.queue.List("", "", 10)
	send("cordon.j.", http.MethodDelete, jobsPath+"/"+page[0].ID, "")
	eventuallyIn(t, "it is cancelled", func() bool { return s.queue.Waiting() == 0 })
	eventuallySoon(t, "that it was cancelled is written down", has("job.cancelled", page[0].ID))
}

func eventuallySoon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("not reached:", what)
			return
		}
	}
}
