package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// TestRunErrors: each failure that is no verdict has its status and code, and
// names the job.
func TestRunErrors(t *testing.T) {
	s := start(t, nil)
	denied := &policy.DeniedError{Policy: "judge", Denials: []policy.Denial{{Field: "limits.pids", Asked: "9", Allowed: "1 to 8", Hint: "ask for less"}}}
	wrap := func(err error) error { return fmt.Errorf("while running: %w", err) }
	for name, c := range map[string]struct {
		err  error
		code Code
		path string
		ours bool // logged as an error of ours
	}{
		"invalid job":      {wrap(sandbox.ErrInvalidJob), CodeInvalidField, "", false},
		"denied":           {wrap(denied), CodePolicyDenied, "limits.pids", false},
		"unknown policy":   {wrap(policies.ErrUnknown), CodeUnknownPolicy, "policy", false},
		"unsupported host": {wrap(sandbox.ErrUnsupportedHost), CodeUnsupportedHost, "", false},
		"shutting down":    {wrap(sandbox.ErrShuttingDown), CodeShuttingDown, "", false},
		"cancelled":        {wrap(context.Canceled), CodeCancelled, "", false},
		"deadline":         {wrap(context.DeadlineExceeded), CodeCancelled, "", false},
		"internal":         {wrap(sandbox.ErrInternal), CodeInternal, "", true},
		"stage":            {&sandbox.StageError{Stage: "cgroup", Op: "write memory.max", Errno: syscall.EACCES}, CodeInternal, "", true},
		"anything else":    {errors.New("something-nobody-knows"), CodeInternal, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s.runner.does(func(context.Context, *sandbox.Job) (*sandbox.Result, error) { return nil, c.err })
			before := len(s.log.String())
			r := s.run(t, `{"command":["true"]}`)
			p := r.wants(t, c.code, c.path)
			if p.Job != s.runner.last(t).ID {
				t.Errorf("job %q, want %q", p.Job, s.runner.last(t).ID)
			}
			if log := s.log.String()[before:]; strings.Contains(log, `"level":"ERROR"`) != c.ours || c.ours && !strings.Contains(log, p.Job) {
				t.Errorf("the log has an error: %v:\n%s", !c.ours, log)
			}
			if retry := r.header.Get("Retry-After") != ""; retry != (r.status == http.StatusServiceUnavailable) {
				t.Errorf("%d with Retry-After %v", r.status, retry)
			}
			if c.code == CodePolicyDenied && (len(p.Denials) != 1 || p.Denials[0] != denied.Denials[0]) {
				t.Errorf("%+v", p.Denials)
			}
		})
	}
}

// TestRunInternal: a job that could not be run is never answered as its verdict.
func TestRunInternal(t *testing.T) {
	s := start(t, nil)
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.InternalError)
		r.Message = "stage cgroup: write memory.max"
		return r, nil
	})
	p := s.run(t, `{"policy":"judge","command":["true"]}`).wants(t, CodeInternal, "")
	if p.Job != s.runner.last(t).ID || !strings.Contains(p.Detail, "stage cgroup: write memory.max") {
		t.Errorf("%+v", p)
	}
	if m := s.scrape(t); m.value("cordon_jobs_total", "verdict", "internal_error", "policy", "judge") != 1 || m.value("cordon_refused_total", "code", "internal_error") != 1 {
		t.Errorf("%v", m["cordon_jobs_total"])
	}
}

// TestRunVerdicts: every other verdict is an answer with 200, whatever the program
// did, and is counted with its policy.
func TestRunVerdicts(t *testing.T) {
	s := start(t, nil)
	for _, v := range sandbox.Verdicts() {
		if v == sandbox.InternalError {
			continue
		}
		s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) { return ended(j, v), nil })
		for _, name := range []string{"judge", "default", "judge"} {
			r := s.run(t, `{"policy":"`+name+`","command":["true"]}`)
			if r.status != 200 || !strings.Contains(string(r.body), `"verdict":"`+string(v)+`"`) {
				t.Errorf("%s: %d %s", v, r.status, r.body)
			}
		}
	}
	m := s.scrape(t)
	for _, v := range sandbox.Verdicts()[1:] {
		if m.value("cordon_jobs_total", "verdict", string(v), "policy", "judge") != 2 || m.value("cordon_jobs_total", "verdict", string(v), "policy", "default") != 1 {
			t.Errorf("%s: %v", v, m["cordon_jobs_total"])
		}
	}
	jobs := float64(3 * (len(sandbox.Verdicts()) - 1))
	for _, stage := range []string{"queued", "setup", "run", "teardown"} {
		if got := m.value("cordon_stage_seconds", "stage", stage); got != jobs {
			t.Errorf("%s: %v observations, want %v", stage, got, jobs)
		}
	}
	if got := m.value("cordon_http_requests_total", "route", "POST "+runPath, "status", "2xx"); got != jobs {
		t.Errorf("%v requests, want %v", got, jobs)
	}
}

// TestRunCancelled: the runner learns that the client has gone.
func TestRunCancelled(t *testing.T) {
	s := start(t, nil)
	arrived, left := make(chan struct{}), make(chan error)
	s.runner.does(func(ctx context.Context, _ *sandbox.Job) (*sandbox.Result, error) {
		close(arrived)
		<-ctx.Done()
		left <- ctx.Err()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, "POST", s.web.URL+runPath, strings.NewReader(`{"command":["true"]}`))
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+canary)
			r.Header.Set("Content-Type", "application/json")
			_, err = s.web.Client().Do(r)
		}
		answered <- err
	}()
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the runner got %v", err)
	}
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	// Who reads the log finds a status of its own, not one of ours.
	s.web.Close()
	if log := s.log.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("%s", log)
	}
}
