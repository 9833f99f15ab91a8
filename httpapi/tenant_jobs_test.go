package httpapi

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/tenants"
)

// like holds an answer against that to the same request for something that is not there:
// nothing but the name may differ.
func like(t *testing.T, what string, got, absent *reply, name, none string) {
	t.Helper()
	want := bytes.ReplaceAll(absent.body, []byte(none), []byte(name))
	if got.status != absent.status || !bytes.Equal(got.body, want) || got.status == 200 {
		t.Errorf("%s: %d %s; for what is not there: %d %s", what, got.status, got.body, absent.status, want)
	}
}

// TestJobsOfOthers: on no route is a job there for a tenant whose it is not.
func TestJobsOfOthers(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	job := s.as(t, s.keys["a"], "POST", jobsPath, trueJob).job(t)
	own := s.submit(t, trueJob) // the operator's
	const none = "01a1ffc0-8141-724a-b3f1-8cc3569ca4ca"
	for _, id := range []string{job.ID, own.ID} {
		for route := range scopeOf {
			method, path, _ := strings.Cut(route, " ")
			if !strings.Contains(path, "{id}") {
				continue
			}
			at := func(id string) string { return strings.ReplaceAll(path, "{id}", id) }
			like(t, route, s.as(t, s.keys["b"], method, at(id), ""), s.as(t, s.keys["b"], method, at(none), ""), id, none)
		}
	}
	list := func(key, query string) (ids []string) {
		r := s.as(t, key, "GET", jobsPath+query, "")
		if r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		for _, m := range regexp.MustCompile(`"id":"([^"]+)"`).FindAllSubmatch(r.body, -1) {
			ids = append(ids, string(m[1]))
		}
		return ids
	}
	for name, c := range map[string]struct {
		key, query string
		want       []string
	}{"another's": {s.keys["b"], "", nil}, "behind another's": {s.keys["b"], "?after=" + job.ID, nil}, "its own": {s.keys["a"], "", []string{job.ID}}, "its own by name": {s.keys["a"], "?tenant=a&state=queued", []string{job.ID}},
		"all": {canary, "", []string{job.ID, own.ID}}, "one tenant's": {canary, "?tenant=a", []string{job.ID}}, "another tenant's": {canary, "?tenant=b", nil}} {
		if got := list(c.key, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	s.as(t, s.keys["b"], "GET", jobsPath+"?tenant=a", "").wants(t, CodeInvalidField, "tenant")
	// Controls: it waits still, its tenant and the operator see it, and its tenant ends it.
	if r := s.get(t, job.ID); r.State != "queued" || r.Tenant != "a" {
		t.Errorf("%+v", r)
	}
	if r := s.as(t, s.keys["a"], "DELETE", jobsPath+"/"+job.ID, ""); r.status != 200 || r.job(t).State != "cancelled" {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestKeysOfIdempotence(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	send := func(key, body string) *reply { return s.as(t, key, "POST", jobsPath, body, "Idempotency-Key", "k") }
	one, two, three := send(s.keys["a"], trueJob).job(t), send(s.keys["b"], trueJob).job(t), send(canary, trueJob).job(t)
	if one.ID == two.ID || two.ID == three.ID || one.ID == three.ID {
		t.Errorf("%s, %s, %s", one.ID, two.ID, three.ID)
	}
	if again := send(s.keys["a"], trueJob).job(t); again.ID != one.ID {
		t.Errorf("control: the same again is %s", again.ID)
	}
	send(s.keys["b"], `{"command":["false"]}`).wants(t, CodeKeyMismatch, "Idempotency-Key")
}

// TestTenantOfAJob: a job runs as its tenant's, whichever way it came.
func TestTenantOfAJob(t *testing.T) {
	s := startTenants(t, nil, "a")
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.CPUNanos = 1e9
		return r, nil
	})
	s.begin()
	used := s.config.Tenancy.Meter.Used
	if r := s.as(t, s.keys["a"], "POST", runPath, trueJob); r.status != 200 || s.runner.last(t).Tenant != "a" || used("a") != time.Second {
		t.Errorf("%d %+v, used %v", r.status, s.runner.last(t), used("a"))
	}
	job := s.as(t, s.keys["a"], "POST", jobsPath, trueJob).job(t)
	s.until(t, job.ID, queue.Done)
	if s.runner.last(t).Tenant != "a" || used("a") != 2*time.Second {
		t.Errorf("%+v, used %v", s.runner.last(t), used("a"))
	}
	if s.run(t, trueJob); s.runner.last(t).Tenant != "" || used("a") != 2*time.Second || used("") != 0 {
		t.Errorf("the operator's: %+v, used %v", s.runner.last(t), used("a"))
	}
}

// TestRested: what is queued waits until its tenant may use CPU time again, or the limit is
// another.
func TestRested(t *testing.T) {
	s := startTenants(t, nil, "a")
	s.limit(t, "a", tenants.Limits{CPUPerHour: 1})
	if err := s.rested(t.Context(), "a"); err != nil {
		t.Errorf("nothing was used: %v", err)
	}
	s.config.Tenancy.Meter.Charge("a", 2*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.rested(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("too much was used: %v", err)
	}
	for _, who := range []string{"", "b"} {
		if err := s.rested(ctx, who); err != nil {
			t.Errorf("%q: %v", who, err)
		}
	}
	began := make(chan error)
	go func() { began <- s.rested(t.Context(), "a") }()
	select {
	case err := <-began:
		t.Errorf("it does not wait: %v", err)
	default:
	}
	s.limit(t, "a", tenants.Limits{CPUPerHour: 3})
	if err := <-began; err != nil {
		t.Errorf("with another limit: %v", err)
	}
}

// TestResultsAreRead: who may only write jobs does not read results by cancelling.
func TestResultsAreRead(t *testing.T) {
	s := startTenants(t, nil, "a")
	s.begin()
	id := s.as(t, s.keys["a"], "POST", jobsPath, trueJob).job(t).ID
	s.until(t, id, queue.Done)
	for _, c := range []struct {
		key  string
		want bool
	}{{s.key(t, "a", tenants.JobsWrite), false}, {s.keys["a"], true}, {canary, true}} {
		if r := s.as(t, c.key, "DELETE", jobsPath+"/"+id, ""); r.status != 200 || (r.job(t).Result != nil) != c.want {
			t.Errorf("%d %s, want a result: %v", r.status, r.body, c.want)
		}
	}
}
