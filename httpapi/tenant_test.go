package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cordon/queue"
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
	row := regexp.MustCompile("(?m)^\\| (`(?:[a-z:]+)`|any key|no key) \\| (`[A-Z].*`) \\|$")
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		scope := tenants.Scope(strings.Trim(m[1], "`"))
		if scope == "any key" {
			scope = anyKey
		}
		if scope == "no key" {
			scope = noKey
		}
		for route := range strings.SplitSeq(m[2], ", ") {
			told[strings.Trim(route, "`")] = scope
		}
	}
	if !maps.Equal(told, scopeOf) {
		t.Errorf("docs/api.md says %v, the service does %v", told, scopeOf)
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
