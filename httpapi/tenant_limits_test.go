package httpapi

import (
	"context"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/sandbox"
	"cordon/tenants"
)

// retryAfter is when to come again.
func (r *reply) retryAfter(t testing.TB) int {
	t.Helper()
	n, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || n < 1 {
		t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
	}
	return n
}

// unread sends a job whose body may not be read.
func (s *tenanted) unread(t testing.TB, key, path string) *reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", path, unreadable{t})
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	got := &reply{w.Code, w.Result().Header, w.Body.Bytes()}
	hold(t, "POST", path, got)
	return got
}

func TestTenantLimits(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	others := func(what string) {
		t.Helper()
		for _, key := range []string{s.keys["b"], canary} {
			if r := s.as(t, key, "POST", runPath, trueJob); r.status != 200 {
				t.Errorf("%s: others are refused, too: %d %s", what, r.status, r.body)
			}
		}
	}
	s.limit(t, "a", tenants.Limits{Rate: 0.001, Burst: 2})
	for range 2 {
		if r := s.as(t, s.keys["a"], "POST", runPath, trueJob); r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	for _, path := range []string{runPath, jobsPath} { // one rate for both
		r := s.unread(t, s.keys["a"], path)
		r.wants(t, CodeRateLimited, "")
		if n := r.retryAfter(t); n < 900 || n > 1000 {
			t.Errorf("Retry-After %d for one in 1000 s", n)
		}
	}
	others("rate")

	s.limit(t, "a", tenants.Limits{Queue: 2})
	for range 2 {
		if r := s.as(t, s.keys["a"], "POST", jobsPath, trueJob); r.status != 202 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	s.unread(t, s.keys["a"], jobsPath).wants(t, CodeTenantQueueFull, "")
	s.as(t, s.keys["a"], "POST", jobsPath, trueJob, "Idempotency-Key", "new").wants(t, CodeTenantQueueFull, "")
	if r := s.as(t, s.keys["b"], "POST", jobsPath, trueJob); r.status != 202 {
		t.Errorf("%d %s", r.status, r.body)
	}
	others("queue")

	s.limit(t, "a", tenants.Limits{CPUPerHour: 2})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.CPUNanos = 2e9
		return r, nil
	})
	if r := s.as(t, s.keys["a"], "POST", runPath, trueJob); r.status != 200 { // none was used before
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, path := range []string{runPath, jobsPath} {
		r := s.unread(t, s.keys["a"], path)
		r.wants(t, CodeCPUQuota, "")
		if n := r.retryAfter(t); n < 3000 || n > 3660 {
			t.Errorf("Retry-After %d", n)
		}
	}
	others("CPU time")

	s.limit(t, "a", tenants.Limits{Policies: []string{"judge"}})
	if r := s.as(t, s.keys["a"], "POST", runPath, `{"policy":"judge","command":["true"]}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, job := range []string{trueJob, `{"policy":"dev","command":["true"]}`, `{"policy":"none","command":["true"]}`} {
		s.as(t, s.keys["a"], "POST", runPath, job).wants(t, CodePolicyNotAllowed, "policy")
		s.as(t, s.keys["a"], "POST", jobsPath, job).wants(t, CodePolicyNotAllowed, "policy")
	}
	others("policies")
}

// TestTenantsPart: one tenant cannot fill the service, and one with a limit of concurrency
// not more than its part; nobody is answered with 500.
func TestTenantsPart(t *testing.T) {
	s := startTenants(t, func(c *Config) { c.MaxJobs = 8 }, "a", "b")
	release := make(chan struct{})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		<-release
		return ended(j, sandbox.OK), nil
	})
	var inside sync.WaitGroup
	fill := func(key string, jobs int) {
		before := s.runner.count()
		for range jobs {
			inside.Go(func() { s.as(t, key, "POST", runPath, trueJob) })
		}
		for began := time.Now(); s.runner.count() < before+jobs; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Error("they do not come in")
				return
			}
		}
	}
	s.limit(t, "a", tenants.Limits{Concurrency: 1})
	fill(s.keys["a"], waitingPerPlace)
	s.unread(t, s.keys["a"], runPath).wants(t, CodeTenantBusy, "")
	s.limit(t, "a", tenants.Limits{})
	fill(s.keys["a"], 6-waitingPerPlace) // three quarters of eight
	r := s.unread(t, s.keys["a"], runPath)
	r.wants(t, CodeTenantBusy, "")
	r.retryAfter(t)
	fill(s.keys["b"], 1)
	fill(canary, 1)
	s.unread(t, s.keys["b"], runPath).wants(t, CodeQueueFull, "")
	close(release)
	inside.Wait()
	if r := s.as(t, s.keys["a"], "POST", runPath, trueJob); r.status != 200 {
		t.Errorf("when all have left: %d %s", r.status, r.body)
	}
}

// TestTenantMetrics: there are rows for tenants that are configured, and for no others.
func TestTenantMetrics(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.CPUNanos = 3e9
		return r, nil
	})
	s.as(t, s.keys["a"], "POST", runPath, trueJob)
	s.as(t, s.keys["a"], "GET", "/metrics", "").wants(t, CodeMissingScope, "")
	s.as(t, s.keys["a"], "PUT", pathOf("12345"), "12345")
	s.as(t, s.keys["a"], "POST", jobsPath, trueJob)
	s.as(t, s.keys["a"], "POST", runPath, "{")
	s.run(t, trueJob)
	m := s.scrape(t)
	for _, c := range []struct {
		name   string
		want   float64
		labels []string
	}{{"cordon_tenants", 2, nil}, {"cordon_tenant_keys", 2, nil}, {"cordon_tenants_broken", 0, nil},
		{"cordon_tenant_jobs_total", 1, []string{"tenant", "a", "verdict", "ok"}}, {"cordon_tenant_jobs_total", 0, []string{"tenant", "b"}}, {"cordon_tenant_jobs_total", 1, nil},
		{"cordon_tenant_cpu_seconds_total", 3, []string{"tenant", "a"}}, {"cordon_tenant_cpu_seconds_hour", 3, []string{"tenant", "a"}},
		{"cordon_tenant_refused_total", 1, []string{"tenant", "a", "code", "missing_scope"}}, {"cordon_tenant_refused_total", 1, []string{"tenant", "a", "code", "malformed_json"}},
		{"cordon_tenant_stored_bytes", 5, []string{"tenant", "a"}}, {"cordon_tenant_queue_jobs", 1, []string{"tenant", "a"}}} {
		if got := m.value(c.name, c.labels...); got != c.want {
			t.Errorf("%s%v: %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	if err := s.document.Remove("a"); err != nil {
		t.Fatal(err)
	}
	s.config.Tenancy.Keys.Use(s.document)
	if text := string(s.send(t, "GET", "/metrics", nil).body); strings.Contains(text, `tenant="a"`) || !strings.Contains(text, `tenant="b"`) {
		t.Error("a tenant that was removed has rows, or one that was not has none")
	}
}
