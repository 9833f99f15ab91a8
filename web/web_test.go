package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

var built = fstest.MapFS{
	"assets/plain.html":               {Data: []byte("plain")},
	"assets/dist/.made":               {Data: []byte("sums")},
	"assets/dist/index.html":          {Data: []byte("<p>page</p>")},
	"assets/dist/index.html.br":       {Data: []byte("br of page")},
	"assets/dist/index.html.gz":       {Data: []byte("gz of page")},
	"assets/dist/assets/main-1.js":    {Data: []byte("main()")},
	"assets/dist/assets/main-1.js.br": {Data: []byte("br of main")},
}

func TestEncodingAndCaching(t *testing.T) {
	p, err := newPage(built)
	if err != nil || !p.Built() {
		t.Fatalf("built %v, error %v", p.Built(), err)
	}
	for _, c := range []struct{ path, accept, body, encoding, cache, kind string }{
		{"/", "", "<p>page</p>", "", "no-cache", "text/html; charset=utf-8"},
		{"/", "gzip, deflate, br", "br of page", "br", "no-cache", "text/html; charset=utf-8"},
		{"/", "gzip", "gz of page", "gzip", "no-cache", "text/html; charset=utf-8"},
		{"/", "br;q=0, gzip;q=0.5", "gz of page", "gzip", "no-cache", "text/html; charset=utf-8"},
		{"/", "br; q=nonsense", "<p>page</p>", "", "no-cache", "text/html; charset=utf-8"},
		{"/status", "identity", "<p>page</p>", "", "no-cache", "text/html; charset=utf-8"},
		{"/api", "", "<p>page</p>", "", "no-cache", "text/html; charset=utf-8"},
		{"/assets/main-1.js", "BR", "br of main", "br", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
		{"/assets/main-1.js", "gzip", "main()", "", "public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		h := w.Header()
		if w.Code != 200 || w.Body.String() != c.body || h.Get("Content-Encoding") != c.encoding || h.Get("Cache-Control") != c.cache || h.Get("Content-Type") != c.kind || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s for %q: %d %q %v", c.path, c.accept, w.Code, w.Body, h)
		}
		again := httptest.NewRequest(http.MethodGet, c.path, nil)
		again.Header.Set("Accept-Encoding", c.accept)
		again.Header.Set("If-None-Match", `"other", W/`+h.Get("ETag"))
		w = httptest.NewRecorder()
		p.ServeHTTP(w, again)
		if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("%s asked for again: %d %q", c.path, w.Code, w.Body)
		}
	}
}

// What lies packed has another ETag than what it was packed from.
func TestETagsDiffer(t *testing.T) {
	p, _ := newPage(built)
	seen := map[string]bool{}
	for _, accept := range []string{"", "gzip", "br"} {
		r := httptest.NewRequest(http.MethodHead, "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		tag := w.Header().Get("ETag")
		if tag == "" || seen[tag] || w.Body.Len() > 0 {
			t.Errorf("HEAD for %q: ETag %q, body %q", accept, tag, w.Body)
		}
		seen[tag] = true
	}
}

func TestOnlyWhatIsThere(t *testing.T) {
	p, _ := newPage(built)
	for path, want := range map[string]bool{"/": true, "/status": true, "/api": true, "/assets/main-1.js": true, "/assets/": false, "/assets/main-1.js.br": false,
		"/index.html": false, "/.made": false, "/plain.html": false, "/v1/run": false, "/assets/../index.html": false, "": false} {
		if p.Has(path) != want {
			t.Errorf("Has(%q): %v", path, !want)
		}
	}
}

// Without what make web builds there is a page that says so, and nothing else.
func TestPlainPage(t *testing.T) {
	p, err := newPage(fstest.MapFS{"assets/plain.html": built["assets/plain.html"]})
	if err != nil || p.Built() || !p.Has("/") || p.Has("/assets/main-1.js") {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := newPage(fstest.MapFS{"assets/dist/index.html": {}, "assets/dist/assets/font.woff2": {}}); err == nil {
		t.Error("a file of an unknown kind is served without a type")
	}
	if p, err = New(); err != nil || !p.Has("/") {
		t.Errorf("what is embedded: %+v %v", p, err)
	}
}
