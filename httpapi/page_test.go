package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type onePage struct{}

func (onePage) Has(path string) bool { return path == "/" }

func (onePage) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) }

// The page is shown to whoever names this service, also to who comes by a link of another
// site, and to no other site's page; what it is not is as it was.
func TestPage(t *testing.T) {
	s := start(t, func(c *Config) { c.Page = onePage{} })
	followed := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	for _, c := range []struct {
		method, path, host string
		headers            []string
		status             int
		code               Code
	}{
		{"GET", "/", "", nil, 200, ""},
		{"HEAD", "/", "", nil, 200, ""},
		{"GET", "/", "", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200, ""},
		{"GET", "/", "", followed, 200, ""},
		{"POST", "/", "", nil, 405, CodeMethodNotAllowed},
		{"POST", "/", "", followed, 403, CodeCrossOrigin},
		{"GET", "/", "evil.example", nil, 421, CodeUnknownHost},
		{"GET", "/", "evil.example", followed, 421, CodeUnknownHost},
		{"GET", "/", "", append([]string{"Origin: https://evil.example"}, followed...), 403, CodeCrossOrigin},
		{"GET", "/", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403, CodeCrossOrigin},
		{"GET", "/", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"}, 403, CodeCrossOrigin},
		{"GET", "/", "", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 403, CodeCrossOrigin},
		{"GET", "/v1/policies", "", followed, 403, CodeCrossOrigin},
		{"GET", "/openapi.yaml", "", followed, 403, CodeCrossOrigin},
		{"GET", "/%2f", "", nil, 401, CodeUnauthorized},
		{"GET", "/elsewhere", "", nil, 401, CodeUnauthorized},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.host != "" {
			r.Host = c.host
		}
		for _, header := range c.headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		got := &reply{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
		if w.Code != c.status || c.code != "" && got.problem(t).Code != c.code {
			t.Errorf("%s %s at %q with %v: %d %s; %d %s is wanted", c.method, c.path, c.host, c.headers, w.Code, w.Body, c.status, c.code)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if want := map[bool]string{true: PagePolicy, false: dataPolicy}[c.code == ""]; policy != want || strings.Contains(policy, "unsafe") {
			t.Errorf("%s %s: Content-Security-Policy %q", c.method, c.path, policy)
		}
	}
}
