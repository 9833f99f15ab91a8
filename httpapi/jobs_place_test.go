package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
)

// What a job is promised stands in its record, from there its place is asked for, and what
// it has used is written down. One that could never have a place is not taken; one that
// cannot any more fails, with the reason.
func TestPromisedJobs(t *testing.T) {
	tooMuch := &sandbox.InvalidError{Field: "limits.memory_bytes", Detail: "2 asked for, allowed are 1"}
	asked := make(chan queue.Record, 10)
	less := false
	s := startWithQueue(t, queue.NewMemory(), func(_ *queue.Config, c *Config) {
		reserve := c.Jobs.Reserve
		c.Jobs.Reserve = func(ctx context.Context, r *queue.Record) (Place, error) {
			asked <- *r
			if r.Memory > 100 {
				return nil, tooMuch
			}
			return reserve(ctx, r)
		}
		c.Jobs.Promise = func(j *sandbox.Job) (sandbox.Promise, error) {
			if len(j.Env) > 0 && !less {
				return sandbox.Promise{}, tooMuch
			}
			return sandbox.Promise{Memory: int64(100 + len(j.Env)), CPUs: 1.5}, nil
		}
	})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.CPUNanos = int64(3 * time.Second)
		return r, nil
	})
	const large = `{"command":["true"],"env":{"A":"1"}}`
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(large)).wants(t, CodeInvalidField, "limits.memory_bytes")
	fits := s.submit(t, trueJob)
	less = true
	stays := s.submit(t, large)
	s.begin()
	s.until(t, fits.ID, queue.Done)
	failed := s.until(t, stays.ID, queue.Failed)
	var p Problem
	if err := json.Unmarshal(*failed.Problem, &p); err != nil || p.Code != CodeInvalidField || p.Path != "limits.memory_bytes" || p.Job != stays.ID {
		t.Errorf("%v: %+v", err, p)
	}
	if r := <-asked; r.ID != fits.ID || r.Memory != 100 || r.CPUs != 1.5 {
		t.Errorf("a place was asked for %+v", r)
	}
	r, err := s.queue.Get(t.Context(), fits.ID)
	if err != nil || r.CPU != 3*time.Second {
		t.Errorf("%+v, %v", r, err)
	}
}

// A queued job runs as its tenant's.
func TestTenantOfAQueuedJob(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	began := make(chan *sandbox.Job, 1)
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		began <- j
		return ended(j, sandbox.OK), nil
	})
	if _, _, err := s.queue.Submit(t.Context(), queue.Submission{ID: "of-one", Tenant: "one", Request: []byte(trueJob), Priority: queue.Normal, TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	s.begin()
	if j := <-began; j.Tenant != "one" || j.ID != "of-one" {
		t.Errorf("%+v", j)
	}
	s.until(t, "of-one", queue.Done)
}
