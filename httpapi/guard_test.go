package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cordon/sandbox"
)

// TestPaths: what no route takes is a problem, with Allow where another method is
// taken.
func TestPaths(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/", "/v1", "/v1/", "/v1/none", "/v1/run/x", "/v1/policies/judge", "/docs", "/openapi.json", "/openapi", "/schemas/Problem.json", "/favicon.ico", "/%2e%2e/x",
		"//v1/policies", "/v1//policies", "/v1/./policies", "/v1/x/../policies", "/v1/%70olicies", "/v1%2fpolicies", "/v1/policies/", "//v1/run", "/v1//run", "/v1/%72un", "/v1/run/", "/%68ealthz"} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			r := s.send(t, method, path, nil)
			if method == "HEAD" {
				if r.status != 404 {
					t.Errorf("HEAD %s: %d", path, r.status)
				}
				continue
			}
			r.wants(t, CodeNotFound, "")
		}
	}
	for _, c := range []struct{ method, path, allow string }{{"GET", runPath, "POST"}, {"PUT", runPath, "POST"}, {"DELETE", runPath, "POST"}, {"OPTIONS", runPath, "POST"},
		{"POST", "/v1/policies", "GET, HEAD"}, {"DELETE", "/v1/languages", "GET, HEAD"}, {"PATCH", "/v1/doctor", "GET, HEAD"}, {"POST", "/metrics", "GET, HEAD"},
		{"POST", "/healthz", "GET, HEAD"}, {"PUT", "/openapi.yaml", "GET, HEAD"}} {
		r := s.send(t, c.method, c.path, nil)
		p := r.wants(t, CodeMethodNotAllowed, "")
		if r.header.Get("Allow") != c.allow || !strings.Contains(p.Detail, c.allow) {
			t.Errorf("%s %s: Allow %q, want %q: %s", c.method, c.path, r.header.Get("Allow"), c.allow, p.Detail)
		}
	}
	if r := s.send(t, "HEAD", runPath, nil); r.status != 405 || r.header.Get("Allow") != "POST" {
		t.Errorf("HEAD %s: %d %v", runPath, r.status, r.header)
	}
	for _, path := range []string{"/v1/policies", "/v1/languages", "/v1/doctor", "/metrics"} {
		if r := s.send(t, "HEAD", path, nil); r.status != 200 || len(r.body) != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, r.status, len(r.body))
		}
	}
	if s.runner.count() != 0 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

// TestPanic: a mistake in one request is an answer and a line of the log, and the
// service goes on.
func TestPanic(t *testing.T) {
	s := start(t, func(c *Config) { c.MaxJobs = 1 })
	s.runner.does(func(context.Context, *sandbox.Job) (*sandbox.Result, error) { panic("the-reason-of-the-panic") })
	for range 3 {
		r := s.run(t, `{"command":["true"]}`)
		r.wants(t, CodeInternal, "")
		if text := string(r.body); strings.Contains(text, "the-reason") || strings.Contains(text, ".go") {
			t.Errorf("the answer tells of the inside: %s", text)
		}
	}
	s.runner.does(succeed)
	if r := s.run(t, `{"command":["true"]}`); r.status != 200 {
		t.Errorf("after the panic: %d %s", r.status, r.body)
	}
	if log := s.log.String(); strings.Count(log, "the-reason-of-the-panic") < 3 || !strings.Contains(log, "guard_test.go") {
		t.Errorf("the log lacks the panic or its stack:\n%.2000s", log)
	}
	if s.admission.inside() != 0 {
		t.Errorf("%d places are still taken", s.admission.inside())
	}
}

// TestPanicLate: what was answered already stays, and an aborted answer is none
// of our panics.
func TestPanicLate(t *testing.T) {
	s := start(t, nil)
	w := httptest.NewRecorder()
	s.observe(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		panic("late")
	})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil))
	if w.Code != http.StatusAccepted || w.Body.Len() != 0 || !strings.Contains(s.log.String(), "late") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	s.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil))
}

// TestRequestLog: one line for each request, without query, headers and body;
// what machines ask all the time only shows when it is looked for.
func TestRequestLog(t *testing.T) {
	s := start(t, nil)
	s.send(t, "GET", "/v1/policies?secret-of-query=1", nil, "X-Secret-Of-Header", "1")
	s.run(t, `{"command":["secret-of-body"],"stdin":"secret-of-stdin"}`)
	s.send(t, "GET", "/healthz", nil)
	s.send(t, "GET", "/none", nil)
	lines := map[string]string{}
	in := bufio.NewScanner(strings.NewReader(s.log.String()))
	for in.Scan() {
		var line struct {
			Level, Msg, Method, Path string
			Status                   int
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, in.Text())
		}
		if line.Msg == "request" {
			lines[line.Method+" "+line.Path] += line.Level + " " + http.StatusText(line.Status)
		}
	}
	want := map[string]string{"GET /v1/policies": "INFO OK", "POST /v1/run": "INFO OK", "GET /healthz": "DEBUG OK", "GET /none": "INFO Not Found"}
	for name, w := range want {
		if lines[name] != w {
			t.Errorf("%s: %q, want %q", name, lines[name], w)
		}
	}
	if log := strings.ToLower(s.log.String()); strings.Contains(log, "secret-of") || len(lines) != len(want) {
		t.Errorf("too much in the log:\n%s", log)
	}
}

// TestHeaders: an answer is data, is not kept, and is never a page.
func TestHeaders(t *testing.T) {
	s := start(t, nil)
	for _, p := range append(slices.Clone(routes), struct{ method, path string }{"GET", "/none"}, struct{ method, path string }{"GET", "/healthz"}) {
		r := s.send(t, p.method, p.path, strings.NewReader(`{"command":["a"]}`), "Accept", "text/html")
		if r.header.Get("X-Content-Type-Options") != "nosniff" || r.header.Get("Cache-Control") != "no-store" || strings.Contains(r.header.Get("Content-Type"), "html") {
			t.Errorf("%s: %v", p.path, r.header)
		}
	}
}
