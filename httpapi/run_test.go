package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// families are the metrics of one scrape.
type families map[string]*dto.MetricFamily

func (s *service) scrape(t testing.TB) families {
	t.Helper()
	r := s.send(t, "GET", "/metrics", nil)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	m, err := parser.TextToMetricFamilies(strings.NewReader(string(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// value sums a metric over the rows that have these labels.
func (f families) value(name string, labels ...string) float64 {
	var sum float64
	if f[name] == nil {
		return -1
	}
	for _, m := range f[name].Metric {
		have := map[string]string{}
		for _, l := range m.Label {
			have[l.GetName()] = l.GetValue()
		}
		fits := true
		for i := 0; i < len(labels); i += 2 {
			fits = fits && have[labels[i]] == labels[i+1]
		}
		if fits {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

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

// TestLabelsAreClosed: no word of a client becomes a label.
func TestLabelsAreClosed(t *testing.T) {
	s := start(t, nil)
	const word = "zzword"
	s.run(t, `{"policy":"`+word+`","command":["true"]}`)
	s.run(t, `{"`+word+`":1}`)
	s.run(t, `{"language":"`+word+`"}`)
	s.run(t, `{"command":["`+word+`"],"env":{"`+word+`":"1"}}`)
	s.send(t, "GET", "/"+word, nil)
	s.send(t, "GET", "/v1/policies?"+word, nil, "User-Agent", word, "X-"+word, word)
	s.send(t, strings.ToUpper(word), "/healthz", nil)
	r := s.send(t, "GET", "/metrics", nil)
	if strings.Contains(strings.ToLower(string(r.body)), word) {
		t.Errorf("a word of the client's is in the metrics:\n%s", r.body)
	}
	m := s.scrape(t)
	closed := map[string]map[string]bool{"code": {}, "status": {"2xx": true, "3xx": true, "4xx": true, "5xx": true}, "policy": {}, "verdict": {},
		"stage": {"queued": true, "setup": true, "run": true, "teardown": true}, "route": {"other": true, "GET /healthz": true, "GET /readyz": true, "GET /metrics": true, "GET /openapi.yaml": true}}
	for code := range statusOf {
		closed["code"][string(code)] = true
	}
	for _, p := range shippedPolicies().Names() {
		closed["policy"][p] = true
	}
	for _, v := range sandbox.Verdicts() {
		closed["verdict"][string(v)] = true
	}
	for name := range agreed(t).known {
		closed["route"][name] = true
	}
	for name, family := range m {
		if !strings.HasPrefix(name, "cordon_") {
			continue
		}
		for _, row := range family.Metric {
			for _, l := range row.Label {
				if !closed[l.GetName()][l.GetValue()] {
					t.Errorf("%s: label %s=%q is of no closed set", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	if m.value("cordon_http_requests_total", "route", "other") != 2 || m.value("cordon_refused_total", "code", "unknown_policy") != 1 {
		t.Errorf("%v %v", m["cordon_http_requests_total"], m["cordon_refused_total"])
	}
}

// TestMetrics: the numbers of the runner, names and texts as Prometheus wants them.
func TestMetrics(t *testing.T) {
	s := start(t, nil)
	s.run(t, `{"command":["true"]}`)
	m := s.scrape(t)
	for name, want := range map[string]float64{"cordon_jobs_running": 1, "cordon_warm_cells": 2, "cordon_free_id_ranges": 3, "cordon_leaks_total": 4, "cordon_jobs_inside": 0} {
		if got := m.value(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		if m.value(name) <= 0 {
			t.Errorf("%s is %v", name, m.value(name))
		}
	}
	gathered, err := s.config.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(gathered).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestDoctor: the report is served as it is, and a failure is ours.
func TestDoctor(t *testing.T) {
	var fail error
	s := start(t, func(c *Config) {
		c.Doctor = func(context.Context) (any, error) { return map[string]any{"rows": []string{"cgroup"}}, fail }
	})
	if r := s.send(t, "GET", "/v1/doctor", nil); r.status != 200 || strings.TrimSpace(string(r.body)) != `{"rows":["cgroup"]}` {
		t.Errorf("%d %s", r.status, r.body)
	}
	fail = errors.New("no host")
	s.send(t, "GET", "/v1/doctor", nil).wants(t, CodeInternal, "")
}

// brokenPolicies has a policy in its list that it cannot give.
type brokenPolicies struct{ Policies }

func (brokenPolicies) Get(string) (*policy.Policy, error) { return nil, errors.New("gone") }

// halfPolicies has one that is not whole.
type halfPolicies struct{ Policies }

func (halfPolicies) Get(string) (*policy.Policy, error) { return &policy.Policy{Name: "half"}, nil }

func TestPolicyList(t *testing.T) {
	s := start(t, nil)
	r := s.send(t, "GET", "/v1/policies", nil)
	for _, word := range []string{`"judge"`, `"shipped"`, `"limits.memory_bytes"`, `"build.limits.pids"`, `"reason"`} {
		if !strings.Contains(string(r.body), word) {
			t.Errorf("%s is not in the list", word)
		}
	}
	start(t, func(c *Config) { c.Policies = brokenPolicies{c.Policies} }).send(t, "GET", "/v1/policies", nil).wants(t, CodeInternal, "")
	start(t, func(c *Config) { c.Policies = halfPolicies{c.Policies} }).send(t, "GET", "/v1/policies", nil).wants(t, CodeInternal, "")
}

// TestStatusClass covers what a handler that answers nothing gets, too.
func TestStatusClass(t *testing.T) {
	for status, want := range map[int]string{0: "2xx", 200: "2xx", 301: "3xx", 404: "4xx", 499: "4xx", 503: "5xx"} {
		if got := statusClass(status); got != want {
			t.Errorf("%d: %s", status, got)
		}
	}
	w := httptest.NewRecorder()
	rec := &recorder{ResponseWriter: w}
	if _, err := rec.Write([]byte("abc")); err != nil || rec.status != 200 || rec.bytes != 3 || rec.Unwrap() != w {
		t.Errorf("%+v, %v", rec, err)
	}
}
