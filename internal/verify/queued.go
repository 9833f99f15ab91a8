package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cordon/test/victims"
)

// queued is what the API tells of a job that waits, runs or has ended.
type queued struct {
	status int // of the answer
	ID     string
	State  string
	Result *result
	Code   string
}

// ask sends a request of the owner to a route of queued jobs.
func (v *service) ask(ctx context.Context, method, path string, job map[string]any, set func(*http.Request)) (*queued, error) {
	body := []byte(nil)
	if job != nil {
		var err error
		if body, err = json.Marshal(job); err != nil {
			return nil, err
		}
	}
	status, answer, err := v.exchange(ctx, method, path, body, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+v.token)
		set(r)
	})
	if err != nil {
		return nil, err
	}
	q := &queued{status: status}
	return q, json.Unmarshal(answer, q)
}

func asItIs(*http.Request) {}

// submit queues a job that has to be taken.
func (v *service) submit(ctx context.Context, job map[string]any, set func(*http.Request)) (*queued, error) {
	q, err := v.ask(ctx, http.MethodPost, "/v1/jobs", job, set)
	if err == nil && q.status != http.StatusAccepted {
		err = fmt.Errorf("POST /v1/jobs: answered %d %s, want 202", q.status, q.Code)
	}
	return q, err
}

// until waits for a state.
func (v *service) until(ctx context.Context, id string, states ...string) (*queued, error) {
	for deadline := time.Now().Add(startWithin); ; time.Sleep(5 * time.Millisecond) {
		q, err := v.ask(ctx, http.MethodGet, "/v1/jobs/"+id, nil, asItIs)
		if err != nil {
			return nil, err
		}
		for _, s := range states {
			if q.State == s {
				return q, nil
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the job is %s after %v, want %v", q.State, startWithin, states)
		}
	}
}

// clientLeaves: a queued job does not need the one who sent it.
func (s *session) clientLeaves(ctx context.Context, o *Outcome) {
	job := s.request(&victims.Row{Command: []string{"sh", "-c", "sleep 1; echo whole"}})
	q, err := s.service.submit(ctx, job, func(r *http.Request) { r.Close = true })
	if err == nil {
		if q, err = s.service.until(ctx, q.ID, "done", "failed"); err == nil && (q.Result == nil || q.Result.Verdict != "ok" || q.Result.stdout() != "whole\n") {
			err = fmt.Errorf("the job is %s: %+v", q.State, q.Result)
		}
	}
	if err != nil {
		o.problem("%v", err)
		return
	}
	o.Verdict = q.Result.Verdict
	// One that does need it is the control.
	leaving, leave := context.WithCancel(ctx)
	var direct sync.WaitGroup
	direct.Go(func() {
		_, err := s.service.post(leaving, s.request(&victims.Row{Command: []string{"sleep", "1000"}}))
		if err == nil {
			o.problem("a request was answered whose client has left")
		}
	})
	time.Sleep(200 * time.Millisecond)
	leave()
	direct.Wait() // that nothing of it is left is looked at after every row
}

// cancelled: a job that builds, one that runs, and one that has ended.
func (s *session) cancelled(ctx context.Context, o *Outcome) {
	building := s.request(&victims.Row{Command: []string{"true"}})
	building["build"] = map[string]any{"command": []string{"sleep", "1000"}}
	running := s.request(&victims.Row{Command: []string{"sh", "-c", "trap '' TERM INT HUP; while :; do :; done"}})
	for name, job := range map[string]map[string]any{"a build": building, "a run": running} {
		q, err := s.service.submit(ctx, job, asItIs)
		if err == nil {
			_, err = s.service.until(ctx, q.ID, "running")
		}
		if err != nil {
			o.problem("%s: %v", name, err)
			continue
		}
		for range 2 { // the second time changes nothing
			c, err := s.service.ask(ctx, http.MethodDelete, "/v1/jobs/"+q.ID, nil, asItIs)
			if err != nil || c.status != http.StatusOK || c.State != "cancelled" {
				o.problem("%s: DELETE answered %+v, %v; want cancelled", name, c, err)
			}
		}
	}
	q, err := s.service.submit(ctx, s.request(&victims.Row{Command: []string{"true"}}), asItIs)
	if err == nil {
		_, err = s.service.until(ctx, q.ID, "done")
	}
	if err != nil {
		o.problem("%v", err)
		return
	}
	if c, err := s.service.ask(ctx, http.MethodDelete, "/v1/jobs/"+q.ID, nil, asItIs); err != nil || c.State != "done" || c.Result == nil || c.Result.Verdict != "ok" {
		o.problem("DELETE of a job that has ended: %+v, %v", c, err)
	}
	o.Verdict = "cancelled"
}

// sameKey: a submission that is repeated at once is one job; another key is another.
func (s *session) sameKey(ctx context.Context, o *Outcome) {
	job := s.request(&victims.Row{Command: []string{"true"}})
	const times = 8
	ids := make(chan string, times)
	key := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", name, s.service.pid)) }
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	for range times {
		all.Go(func() {
			q, err := s.service.submit(ctx, job, key("same"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				o.problem("%v", err)
				return
			}
			ids <- q.ID
		})
	}
	all.Wait()
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != 1 {
		o.problem("%d submissions with one key are %d jobs, want 1", times, len(seen))
	}
	other, err := s.service.submit(ctx, job, key("other"))
	if err != nil || seen[other.ID] {
		o.problem("another key: %+v, %v", other, err)
		return
	}
	seen[other.ID] = true
	for id := range seen {
		if _, err := s.service.until(ctx, id, "done"); err != nil {
			o.problem("%v", err)
		}
	}
	o.Verdict = "ok"
}
