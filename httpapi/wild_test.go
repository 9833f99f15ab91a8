package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"cordon/queue"
	"cordon/sandbox"
)

// outside is a journal at a server that others run.
func outside(t testing.TB) queue.Journal {
	t.Helper()
	n, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	if !n.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	j, err := queue.Connect(t.Context(), queue.Remote{URL: "nats://" + n.Addr().String(), Replicas: 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// An id that the servers of a queue read as many subjects is no job's: nobody follows by it
// what comes of others.
func TestNoJobHasAWildID(t *testing.T) {
	journal := outside(t)
	s := startTenants(t, nil, "a", "b")
	_ = s.queued.queue.Close()
	// The same service on servers that others run.
	q, err := queue.Open(t.Context(), queue.Config{Journal: journal, Worker: "w", Boot: "b", MaxJobs: 100, MaxBytes: 1 << 20, ResultsTTL: time.Hour, ResultsBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.queued.queue, s.config.Jobs.Queue = q, q
	hold := make(chan struct{})
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		if j.Tenant == "b" {
			r.Stdout = []byte("secret of b")
			return r, nil
		}
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return r, nil
	})
	defer close(hold)
	s.begin()
	mine := s.as(t, s.keys["a"], "POST", jobsPath, trueJob).job(t)
	s.until(t, mine.ID, queue.Running) // the newest state in the journal is that of a's job
	s.patience.ping = 50 * time.Millisecond
	c, answer, err := s.dial(t, "*", "?watch=true", http.Header{"Authorization": {"Bearer " + s.keys["a"]}}, AttachProtocol)
	if err != nil {
		if answer == nil || answer.StatusCode != http.StatusNotFound {
			t.Error(err)
		}
		return
	}
	defer c.CloseNow()
	theirs := s.as(t, s.keys["b"], "POST", jobsPath, trueJob).job(t)
	for {
		_, message, err := c.Read(t.Context())
		if err != nil {
			break
		}
		t.Logf("%s", message)
		if text := string(message); strings.Contains(text, theirs.ID) || strings.Contains(text, "secret of b") {
			t.Error("a was told of a job of b's")
		}
	}
}
