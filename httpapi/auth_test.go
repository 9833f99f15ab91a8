package httpapi

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

var routes = []struct{ method, path string }{{"POST", runPath}, {"GET", "/v1/policies"}, {"GET", "/v1/languages"}, {"GET", "/v1/doctor"}, {"GET", "/metrics"}}

// TestAuthentication: without the token every path answers 401, also those that do
// not exist, and nothing else can be learnt from it.
func TestAuthentication(t *testing.T) {
	s := start(t, nil)
	paths := slices.Clone(routes)
	for _, p := range []string{"/", "/v1/", "/v1/none", "/v1/run/", "/v2/run", "/healthz/", "/healthz/../metrics", "//healthz", "/HEALTHZ", "/openapi.json", "/docs", "/schemas/Problem.json", "/debug/pprof/"} {
		paths = append(paths, struct{ method, path string }{"GET", p})
	}
	for _, m := range []string{"PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD", "QUERY"} {
		paths = append(paths, struct{ method, path string }{m, runPath})
	}
	peer := 0
	for name, header := range map[string]string{"none": "", "wrong": "Bearer wrong-token-of-the-tests", "cut": "Bearer " + canary[:len(canary)-1], "longer": "Bearer " + canary + "x",
		"no token": "Bearer ", "no scheme": canary, "other scheme": "Basic " + canary, "two": "Bearer Bearer " + canary, "list": "Bearer x, Bearer " + canary, "placeholder": "Bearer " + redacted} {
		for _, p := range paths {
			r := httptest.NewRequestWithContext(t.Context(), p.method, p.path, unreadable{t})
			peer++ // each from another: so many of one would be answered with 429
			r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", peer/256, peer%256)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			got := &reply{w.Code, w.Result().Header, w.Body.Bytes()}
			if w.Code != 401 || got.header.Get("WWW-Authenticate") != `Bearer realm="cordon"` {
				t.Errorf("%s: %s %s: %d %v", name, p.method, p.path, w.Code, got.header)
			}
			got.wants(t, CodeUnauthorized, "")
			if c := agreed(t); c.known[p.method+" "+p.path] {
				hold(t, p.method, p.path, got)
			}
		}
	}
	// A query, a cookie or a second header is no place for a token.
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/policies?access_token="+canary+"&token="+canary, nil)
	r.Header.Set("Cookie", "token="+canary)
	r.Header.Add("Authorization", "Bearer wrong")
	r.Header.Add("Authorization", "Bearer "+canary)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 401 || s.runner.count() != 0 {
		t.Errorf("%d, %d jobs", w.Code, s.runner.count())
	}
}

func TestAuthenticated(t *testing.T) {
	s := start(t, nil)
	for _, header := range []string{"Bearer " + canary, "bearer " + canary, "BEARER  " + canary} {
		for _, p := range routes {
			body := strings.NewReader(`{"command":["true"]}`)
			if r := s.send(t, p.method, p.path, body, "Authorization", header); r.status != 200 {
				t.Errorf("%q: %s %s: %d %s", header, p.method, p.path, r.status, r.body)
			}
		}
	}
	for path := range open {
		if path == loginPath { // which is no GET
			continue
		}
		for _, method := range []string{"GET", "HEAD"} {
			r := s.send(t, method, path, nil, "Authorization", "")
			if r.status != 200 || (len(r.body) > 0) != (method == "GET") {
				t.Errorf("%s %s: %d, %d bytes", method, path, r.status, len(r.body))
			}
		}
	}
}
