package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
	"cordon/tenants"
)

// tenanted is a service with a queue, files and tenants.
type tenanted struct {
	*queued
	document *tenants.Document
	keys     map[string]string // by tenant; more by the name of the test
	files    *store.Store
}

// startTenants makes one with tenants of these names, each with a key of the usual scopes.
func startTenants(t testing.TB, change func(*Config), names ...string) *tenanted {
	t.Helper()
	s := &tenanted{document: &tenants.Document{Version: 1}, keys: map[string]string{}}
	registry := tenants.NewRegistry()
	for _, name := range names {
		if _, err := s.document.Set(name, time.Now(), func(*tenants.Limits) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	withStore := withFiles(t, nil)
	s.queued = startWithQueue(t, queue.NewMemory(), func(_ *queue.Config, c *Config) {
		withStore(c)
		s.files = c.Files.(*store.Store)
		holdings, err := tenants.OpenHoldings(filepath.Join(t.TempDir(), "holdings"), func(string) (int64, bool) { return 0, false })
		if err != nil {
			t.Fatal(err)
		}
		s.files.OnGone(holdings.Gone)
		c.Tenancy = &Tenancy{Keys: registry, Meter: tenants.NewMeter(), Holdings: holdings}
		if change != nil {
			change(c)
		}
	})
	for _, name := range names {
		s.keys[name] = s.key(t, name, tenants.DefaultScopes...)
	}
	return s
}

// key makes a further one.
func (s *tenanted) key(t testing.TB, tenant string, scopes ...tenants.Scope) string {
	t.Helper()
	text, _, err := s.document.AddKey(tenant, "", scopes, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	s.config.Tenancy.Keys.Use(s.document)
	return text
}

// limit changes a tenant's limits.
func (s *tenanted) limit(t testing.TB, tenant string, l tenants.Limits) {
	t.Helper()
	if _, err := s.document.Set(tenant, time.Now(), func(to *tenants.Limits) error { *to = l; return nil }); err != nil {
		t.Fatal(err)
	}
	s.config.Tenancy.Keys.Use(s.document)
}

// as sends with a key.
func (s *tenanted) as(t testing.TB, key, method, path, body string, headers ...string) *reply {
	t.Helper()
	return s.send(t, method, path, strings.NewReader(body), append([]string{"Authorization", "Bearer " + key}, headers...)...)
}

// TestScopes holds every route against every scope. The routes are those of openapi.yaml.
func TestScopes(t *testing.T) {
	s := startTenants(t, nil, "a")
	keys := map[tenants.Scope]string{}
	for _, scope := range tenants.Scopes {
		keys[scope] = s.key(t, "a", scope)
	}
	sum := strings.TrimPrefix(pathOf(""), "/v1/files/")
	routes := map[string]bool{}
	for route := range agreed(t).known {
		method, path, _ := strings.Cut(route, " ")
		if open[path] {
			continue
		}
		routes[route] = true
		wants, given := scopeOf[route]
		if !given {
			t.Errorf("%s has no scope: put it into scopeOf, with that which it wants", route)
		}
		target := strings.NewReplacer("{id}", "01a1ffc0-8141-724a-b3f1-8cc3569ca4ca", "{sha256}", sum).Replace(path)
		body := ""
		if method == http.MethodPost {
			body = trueJob
		}
		for scope, key := range keys {
			r := s.as(t, key, method, target, body)
			switch {
			case scope == wants || wants == anyKey:
				if r.status == 401 || r.status == 403 || r.status >= 500 {
					t.Errorf("%s with %q: %d %s", route, scope, r.status, r.body)
				}
			case method == http.MethodHead:
				if r.status != 403 {
					t.Errorf("%s with %q: %d", route, scope, r.status)
				}
			default:
				r.wants(t, CodeMissingScope, "")
			}
		}
		if r := s.send(t, method, target, strings.NewReader(body)); r.status == 401 || r.status == 403 {
			t.Errorf("%s: the operator is refused: %d %s", route, r.status, r.body)
		}
	}
	for route := range scopeOf {
		if !routes[route] {
			t.Errorf("%s has a scope, and is no route", route)
		}
	}
	// A route that nobody has thought of is the operator's.
	ctx, who := withCaller(t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/v1/new", nil)
	who.Tenant, who.Scopes = "a", tenants.Scopes
	if p := s.mayUse(r, "GET /v1/new"); p == nil || p.Code != CodeMissingScope {
		t.Errorf("a route without a scope: %v", p)
	}
	if who.operator = true; s.mayUse(r, "GET /v1/new") != nil {
		t.Error("control: nor may the operator")
	}
}

// TestScopesDocumented: docs/api.md has the table.
func TestScopesDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]tenants.Scope{}
	row := regexp.MustCompile("(?m)^\\| (`(?:[a-z:]+)`|any key) \\| (`[A-Z].*`) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		scope := tenants.Scope(strings.Trim(m[1], "`"))
		if scope == "any key" {
			scope = anyKey
		}
		for route := range strings.SplitSeq(m[2], ", ") {
			told[strings.Trim(route, "`")] = scope
		}
	}
	if !maps.Equal(told, scopeOf) {
		t.Errorf("docs/api.md says %v, the service does %v", told, scopeOf)
	}
}

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
		r.Usage.CPUNanos = 1e9
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

// TestFilesOfWaitingJobs: what a tenant's jobs name that an earlier start has left is in use
// in the tenant's name, and what is not its own is not there for them.
func TestFilesOfWaitingJobs(t *testing.T) {
	s := startTenants(t, nil, "a")
	path := pathOf("x")
	s.as(t, s.keys["a"], "PUT", path, "x")
	job := s.as(t, s.keys["a"], "POST", jobsPath, `{"command":["cat"],"stdin_sha256":"`+strings.TrimPrefix(path, "/v1/files/")+`"}`).job(t)
	s.pins.release(job.ID) // as at the end of a start
	if err := s.pinAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.as(t, s.keys["a"], "DELETE", path, "").wants(t, CodeFileInUse, "")
	if r := s.as(t, s.keys["a"], "DELETE", jobsPath+"/"+job.ID, ""); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "DELETE", path, ""); r.status != 204 {
		t.Errorf("when the job has ended: %d %s", r.status, r.body)
	}
}

// TestFilesOfOthers: who knows the hash of another's file can neither read it nor learn
// that it is there, on no route and in no field.
func TestFilesOfOthers(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	const content, other = "the secret of a", "what nobody has"
	path, none := pathOf(content), pathOf(other)
	if r := s.as(t, s.keys["a"], "PUT", path, content); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	operators := s.put(t, "the operator's")
	for _, target := range []string{path, operators} {
		sum := strings.TrimPrefix(target, "/v1/files/")
		absent := strings.TrimPrefix(none, "/v1/files/")
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			like(t, method, s.as(t, s.keys["b"], method, target, ""), s.as(t, s.keys["b"], method, none, ""), sum, absent)
		}
		for _, wrong := range []string{"", "x", strings.Repeat("x", len(content)), strings.Repeat("x", 100)} {
			like(t, "PUT of something else", s.as(t, s.keys["b"], "PUT", target, wrong), s.as(t, s.keys["b"], "PUT", none, wrong), sum, absent)
		}
		for _, field := range []string{`"files":[{"path":"x","sha256":"%s"}]`, `"stdin_sha256":"%s"`, `"expect_sha256":"%s"`, `"tests":[{"stdin_sha256":"%s"}]`} {
			for _, route := range []string{runPath, jobsPath} {
				job := func(sum string) string { return `{"command":["cat"],` + fmt.Sprintf(field, sum) + `}` }
				like(t, route+" "+field, s.as(t, s.keys["b"], "POST", route, job(sum)), s.as(t, s.keys["b"], "POST", route, job(absent)), sum, absent)
				if r := s.as(t, s.keys["a"], "POST", route, job(sum)); (target == path) != (r.status < 300) {
					t.Errorf("control: %d %s", r.status, r.body)
				}
			}
		}
	}
	// Both have what both have put; it is new for each, there once, and counted for each.
	if r := s.as(t, s.keys["b"], "PUT", path, content); r.status != 201 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["b"], "PUT", path, content); r.status != 200 {
		t.Errorf("what it has itself: %d %s", r.status, r.body)
	}
	if n := s.files.Stats().Files; n != 2 {
		t.Errorf("%d files in the store, want a's and the operator's", n)
	}
	for _, who := range []string{"a", "b"} {
		if n := s.config.Tenancy.Holdings.Bytes(who); n != int64(len(content)) {
			t.Errorf("%s has %d bytes", who, n)
		}
		if r := s.as(t, s.keys[who], "GET", path, ""); string(r.body) != content {
			t.Errorf("%s reads %d %s", who, r.status, r.body)
		}
	}
	// Jobs of a that wait use it: a is told so, b is not, and has it no longer.
	s.as(t, s.keys["a"], "DELETE", path, "").wants(t, CodeFileInUse, "")
	if r := s.as(t, s.keys["b"], "DELETE", path, ""); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.as(t, s.keys["b"], "GET", path, "").wants(t, CodeUnknownFile, "")
	if r := s.as(t, s.keys["a"], "GET", path, ""); string(r.body) != content {
		t.Errorf("with b's it is gone for a: %d %s", r.status, r.body)
	}
	for _, j := range strings.Split(string(s.as(t, s.keys["a"], "GET", jobsPath, "").body), `"id":"`)[1:] {
		s.as(t, s.keys["a"], "DELETE", jobsPath+"/"+j[:36], "")
	}
	if r := s.as(t, s.keys["a"], "DELETE", path, ""); r.status != 204 || s.files.Stats().Files != 1 {
		t.Errorf("%d %s, %d files are left", r.status, r.body, s.files.Stats().Files)
	}
}

// TestFilesWantOwners: a service that could not tell whose files are does not start.
func TestFilesWantOwners(t *testing.T) {
	c := Config{Tenancy: &Tenancy{Keys: tenants.NewRegistry(), Meter: tenants.NewMeter()}, Files: refusing{}}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "Holdings") {
		t.Errorf("%v", err)
	}
}

// TestOperatorsFiles: what tenants put stays the operator's where it was, and what the
// operator deletes is gone for all.
func TestOperatorsFiles(t *testing.T) {
	s := startTenants(t, nil, "a")
	path := s.put(t, "x")
	later := pathOf("y")
	for _, one := range []struct{ path, content string }{{path, "x"}, {later, "y"}} {
		if r := s.as(t, s.keys["a"], "PUT", one.path, one.content); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	s.put(t, "y")
	for _, p := range []string{path, later} {
		if r := s.as(t, s.keys["a"], "DELETE", p, ""); r.status != 204 {
			t.Errorf("%d %s", r.status, r.body)
		}
		if r := s.send(t, "GET", p, nil); r.status != 200 {
			t.Errorf("the operator's went with the tenant's: %d %s", r.status, r.body)
		}
	}
	if r := s.as(t, s.keys["a"], "PUT", path, "x"); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := s.send(t, "DELETE", path, nil); r.status != 204 || s.config.Tenancy.Holdings.Bytes("a") != 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.as(t, s.keys["a"], "GET", path, "").wants(t, CodeUnknownFile, "")
}

// keptOutputs has a job keep what it is given as standard input.
func keptOutputs(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	r := ended(j, sandbox.OK)
	if j.Keep != nil {
		sum, err := j.Keep.Keep(ctx, int64(len(j.Stdin.Data)), bytes.NewReader(j.Stdin.Data))
		one := sandbox.OutputFile{Path: "o", Size: int64(len(j.Stdin.Data)), SHA256: sum}
		if errors.Is(err, sandbox.ErrNoRoom) {
			one.Error = "store_full"
		} else if err != nil {
			return nil, err
		}
		r.Files = append(r.Files, one)
	}
	return r, nil
}

// TestStoredBytes: a limit that is just met, one that is passed, before the body is read
// where its length is told, and outputs that jobs keep.
func TestStoredBytes(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	s.limit(t, "a", tenants.Limits{StoredBytes: 10})
	put := func(who string, body io.Reader, content string) *reply {
		return s.send(t, "PUT", pathOf(content), body, "Authorization", "Bearer "+s.keys[who])
	}
	if r := put("a", strings.NewReader("123456"), "123456"); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	full := put("a", strings.NewReader("12345"), "12345")
	full.wants(t, CodeTenantStoreFull, "")
	full.retryAfter(t)
	put("a", withoutLength("12345"), "12345").wants(t, CodeTenantStoreFull, "")
	if r := put("b", strings.NewReader("12345"), "12345"); r.status != 201 {
		t.Errorf("another tenant: %d %s", r.status, r.body)
	}
	put("a", strings.NewReader("12345"), "12345").wants(t, CodeTenantStoreFull, "") // though it is there
	if r := put("a", strings.NewReader("123456"), "123456"); r.status != 200 {
		t.Errorf("what it has again: %d %s", r.status, r.body)
	}
	request := httptest.NewRequestWithContext(t.Context(), "PUT", pathOf("large"), unreadable{t})
	request.Header.Set("Authorization", "Bearer "+s.keys["a"])
	request.ContentLength = 5
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, request)
	(&reply{w.Code, w.Result().Header, w.Body.Bytes()}).wants(t, CodeTenantStoreFull, "")
	s.runner.does(keptOutputs)
	job := `{"command":["a"],"outputs":["o"],"keep_outputs":true,"stdin":"`
	if r := s.as(t, s.keys["a"], "POST", runPath, job+`12345"}`); r.status != 200 || !strings.Contains(string(r.body), "store_full") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "POST", runPath, job+`1234"}`); r.status != 200 || !strings.Contains(string(r.body), strings.TrimPrefix(pathOf("1234"), "/v1/files/")) {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := s.as(t, s.keys["a"], "GET", pathOf("1234"), ""); string(r.body) != "1234" || s.config.Tenancy.Holdings.Bytes("a") != 10 {
		t.Errorf("a kept output: %d %s, %d bytes are counted", r.status, r.body, s.config.Tenancy.Holdings.Bytes("a"))
	}
	s.as(t, s.keys["b"], "GET", pathOf("1234"), "").wants(t, CodeUnknownFile, "")
	put("a", strings.NewReader("1"), "1").wants(t, CodeTenantStoreFull, "")
}

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
		r.Usage.CPUNanos = 2e9
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

// TestRevoked: a key that is revoked is unknown at once, and a stream that was opened with
// it ends; so does one that is replaced, when the overlap is over.
func TestRevoked(t *testing.T) {
	s := startTenants(t, nil, "a")
	unknown := s.as(t, "cordon_aaaaaaaaaa_"+strings.Repeat("a", 39), "GET", jobsPath, "")
	for name, end := range map[string]func(id string) error{
		"revoked":  func(id string) error { _, err := s.document.Revoke(id, time.Now()); return err },
		"replaced": func(id string) error { _, _, err := s.document.Rotate(id, time.Now(), 0); return err },
		"overlap": func(id string) error {
			_, _, err := s.document.Rotate(id, time.Now().Add(-time.Hour), time.Hour+50*time.Millisecond)
			return err
		},
		"removed": func(string) error { return s.document.Remove("a") },
	} {
		if _, err := s.document.Find("a"); err != nil {
			s.limit(t, "a", tenants.Limits{})
		}
		key := s.key(t, "a", tenants.DefaultScopes...)
		stays := s.key(t, "a", tenants.JobsRead)
		job := s.as(t, key, "POST", jobsPath, trueJob).job(t)
		stream := s.open(t, key, job.ID)
		control := s.open(t, stays, job.ID)
		if err := end(strings.Split(key, "_")[1]); err != nil {
			t.Fatal(err)
		}
		s.config.Tenancy.Keys.Use(s.document)
		rest, err := io.ReadAll(stream)
		if err != nil || !strings.Contains(string(rest), `"reason":"unauthorized"`) {
			t.Errorf("%s: %v %s", name, err, rest)
		}
		got := s.as(t, key, "GET", jobsPath, "")
		if got.status != 401 || !bytes.Equal(got.body, unknown.body) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if name != "removed" {
			if r := s.as(t, stays, "GET", jobsPath, ""); r.status != 200 {
				t.Errorf("%s: control: another key: %d %s", name, r.status, r.body)
			}
			s.send(t, "DELETE", jobsPath+"/"+job.ID, nil)
		}
		if rest, err := io.ReadAll(control); err != nil || strings.Contains(string(rest), "unauthorized") == (name != "removed") {
			t.Errorf("%s: control: another key's stream: %v %s", name, err, rest)
		}
	}
}

// open follows a job until the first event has come.
func (s *tenanted) open(t *testing.T, key, id string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", s.web.URL+jobsPath+"/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	answer, err := s.web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	in := bufio.NewReader(answer.Body)
	if line, err := in.ReadString('\n'); err != nil || answer.StatusCode != 200 {
		t.Fatalf("%d %q %v", answer.StatusCode, line, err)
	}
	return in
}

// TestKeysStayHidden: a key is in no answer, metric or line of the log, wherever it was put.
func TestKeysStayHidden(t *testing.T) {
	s := startTenants(t, nil, "a")
	key := s.keys["a"]
	old := key
	text, _, err := s.document.Rotate(strings.Split(key, "_")[1], time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.config.Tenancy.Keys.Use(s.document)
	var answers strings.Builder
	for _, k := range []string{old, text} {
		for route := range scopeOf {
			method, path, _ := strings.Cut(route, " ")
			for _, target := range []string{strings.NewReplacer("{id}", k, "{sha256}", k).Replace(path), "/" + k, path + "?key=" + k} {
				for _, authorization := range []string{"Bearer " + k, "Bearer " + k + "x", "Basic " + k} {
					r := s.send(t, method, target, strings.NewReader(trueJob), "Authorization", authorization, "User-Agent", k)
					// What a client has asked for by name is told to itself.
					if !strings.Contains(target, k) {
						fmt.Fprintln(&answers, r.header, string(r.body))
					}
				}
			}
		}
	}
	fmt.Fprintln(&answers, string(s.send(t, "GET", "/metrics", nil).body), s.log)
	if !strings.Contains(answers.String(), "cordon_tenant_") || !strings.Contains(s.log.String(), `"tenant":"a"`) || !strings.Contains(s.log.String(), "[key]") {
		t.Error("control: nothing of the tenant is seen at all")
	}
	for what, secret := range map[string]string{"the key": text, "its earlier secret": old, "a part of it": text[18:50], "its hash": s.document.Tenants[0].Keys[0].SHA256} {
		if strings.Contains(answers.String(), secret) {
			t.Errorf("%s is told", what)
		}
	}
}

// TestTenantMetrics: there are rows for tenants that are configured, and for no others.
func TestTenantMetrics(t *testing.T) {
	s := startTenants(t, nil, "a", "b")
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.Usage.CPUNanos, r.Build = 2e9, &sandbox.Step{Verdict: sandbox.OK, Usage: sandbox.Usage{CPUNanos: 1e9}}
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

// TestCPUOfAJob: all that was run for a job is charged, and nothing twice.
func TestCPUOfAJob(t *testing.T) {
	step := func(cpu int64) sandbox.Step { return sandbox.Step{Usage: sandbox.Usage{CPUNanos: cpu}} }
	one, ten := step(1), step(10)
	failed := sandbox.Result{Step: ten, Build: &ten}
	failed.Verdict = sandbox.BuildFailed
	for name, c := range map[string]struct {
		r    sandbox.Result
		want int64
	}{"a run": {sandbox.Result{Step: one}, 1}, "with a build": {sandbox.Result{Step: one, Build: &ten}, 11}, "that was made before": {sandbox.Result{Step: one, Build: &ten, BuildCached: true}, 1},
		"a build that failed": {failed, 10}, "measured": {sandbox.Result{Step: one, Measured: &sandbox.Measured{Runs: 5, CPU: sandbox.Spread{Median: 2}}}, 10},
		"an interactor": {sandbox.Result{Step: one, Checker: &ten}, 11}, "a checker's build": {sandbox.Result{Step: ten, CheckerBuild: &ten}, 10},
		"tests": {sandbox.Result{Step: step(1000), Tests: []sandbox.TestResult{{Step: one, Checker: &ten}, {Step: one}}}, 12}} {
		if got := cpuOf(&c.r); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
