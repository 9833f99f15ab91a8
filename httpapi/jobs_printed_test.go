package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cordon/queue"
	"cordon/sandbox"
)

// printing is a job that prints, at the times and on the streams that it is told.
func printing(say <-chan sandbox.Printed, text func(sandbox.Printed) string) func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
	return func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r, now := ended(j, sandbox.OK), int64(0)
		r.Stdout, r.Stderr = nil, nil
		j.Timeline.Begin(func() int64 { return now })
		for one := range say {
			now = one.At
			what := text(one)
			j.Timeline.Heard(one.Stream, len(what))
			if one.Stream == 0 {
				r.Stdout = append(r.Stdout, what...)
				_, _ = j.Stdout.Write([]byte(what))
			} else {
				r.Stderr = append(r.Stderr, what...)
				_, _ = j.Stderr.Write([]byte(what))
			}
		}
		if j.KeepTimeline {
			r.Timeline = j.Timeline.Marks(0)
		}
		return r, nil
	}
}

// TestEventsInOrder: output of both streams is told in the order in which it came, with its
// times, to who follows from the beginning, to who comes later or again, and behind the end
// where the timeline is kept.
func TestEventsInOrder(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	say := make(chan sandbox.Printed)
	s.runner.does(printing(say, func(p sandbox.Printed) string { return fmt.Sprintf("%d.", p.At/1e6) }))
	j := s.submit(t, `{"command":["true"],"timeline":true}`)
	s.begin()
	next, stop := s.follow(t, j.ID, "")
	defer stop()
	for e := next(); !strings.Contains(e.data, "running"); e = next() {
		e.want(t, "state", "queued")
	}
	var ids []string
	for i, stream := range []int{1, 0, 0, 1, 0} {
		at := int64(i+1) * 10e6
		say <- sandbox.Printed{Stream: stream, At: at}
		ids = append(ids, next().want(t, streamNames[stream], fmt.Sprintf(`{"at_ns":%d,"offset":`, at)).id)
	}
	all := []string{`stderr {"at_ns":10000000,"offset":0,"text":"10."}`, `stdout {"at_ns":20000000,"offset":0,"text":"20."}`, `stdout {"at_ns":30000000,"offset":3,"text":"30."}`,
		`stderr {"at_ns":40000000,"offset":3,"text":"40."}`, `stdout {"at_ns":50000000,"offset":6,"text":"50."}`}
	// Each number of events that somebody has seen, while it runs and behind the end.
	for _, over := range []bool{false, true} {
		if over {
			close(say)
			s.until(t, j.ID, queue.Done)
		}
		for seen := range len(all) {
			again, stop := s.follow(t, j.ID, ids[seen])
			for i, want := range all[seen+1:] {
				if e := again(); e.name+" "+e.data != want {
					t.Errorf("over %v, seen %d: event %d is %+v, want %s", over, seen, i, e, want)
				}
			}
			stop()
		}
	}
	if r := s.get(t, j.ID); !strings.Contains(string(*r.Result), `"timeline":[{"stream":"stderr","end":3,"at_ns":10000000},{"stream":"stdout","end":3,"at_ns":20000000}`) {
		t.Errorf("%s", *r.Result)
	}
}

// TestEventsOutOfOrder: of a job that does not keep its timeline, what was not followed has
// neither times nor order, and all of it.
func TestEventsOutOfOrder(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	say := make(chan sandbox.Printed, 3)
	s.runner.does(printing(say, func(p sandbox.Printed) string { return fmt.Sprintf("%d.", p.At/1e6) }))
	for i := range cap(say) {
		say <- sandbox.Printed{Stream: 1 - i%2, At: int64(i) * 10e6}
	}
	close(say)
	j := s.submit(t, trueJob)
	s.begin()
	if r := s.until(t, j.ID, queue.Done); strings.Contains(string(*r.Result), "timeline") {
		t.Errorf("%s", *r.Result)
	}
	next, stop := s.follow(t, j.ID, "")
	defer stop()
	next().want(t, "stdout", `{"offset":0,"text":"10."}`)
	next().want(t, "stderr", `{"offset":0,"text":"0.20."}`)
}

// TestUsageEvery: how often is a number within bounds, and the counters are looked at for all
// readers together, and only when there is one.
func TestUsageEvery(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, trueJob)
	for _, bad := range []string{"", "99", "1001", "x", "100&usage_ms=200", "-1", "1e2"} {
		s.send(t, http.MethodGet, jobsPath+"/"+j.ID+"/events?usage_ms="+bad, nil).wants(t, CodeInvalidField, "usage_ms")
	}
	looks, looked := make(chan struct{}, 1000), make(chan struct{})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		j.Gauge.Show(func() (sandbox.Sample, bool) {
			looks <- struct{}{}
			return sandbox.Sample{Pids: 7}, true
		})
		<-looked
		j.Gauge.Show(nil)
		return ended(j, sandbox.OK), nil
	})
	s.begin()
	s.until(t, j.ID, queue.Running)
	if len(looks) != 0 {
		t.Error("it is looked at, and nobody follows")
	}
	next, stop := s.follow(t, j.ID, "", "usage_ms=100")
	defer stop()
	for range 4 {
		for e := next(); e.name != "usage"; e = next() {
			e.want(t, "state", "")
		}
	}
	close(looked)
	for e := next(); e != nil && e.name != "result"; e = next() {
		continue
	}
	if n := len(looks); n < 4 || n > 100 {
		t.Errorf("looked at %d times", n)
	}
}

// TestViewsRefused: where it would be about nothing in particular.
func TestViewsRefused(t *testing.T) {
	s := start(t, nil)
	s.run(t, `{"command":["true"],"timeline":true,"tests":[{"stdin":"1"}]}`).wants(t, CodeInvalidField, "timeline")
	s.run(t, `{"command":["true"],"timeline":true,"measure":{"repeat":2}}`).wants(t, CodeInvalidField, "timeline")
	s.run(t, `{"command":["true"],"inspect":true,"programs":[{"name":"a","same_as":"main"}]}`).wants(t, CodeInvalidField, "inspect")
}
