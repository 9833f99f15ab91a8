package image

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// silence answers with the beginning of something, and no more until it is let.
func silence(w http.ResponseWriter, kind string, let <-chan struct{}) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte("{"))
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	<-let
}

// TestSilentRegistry: nothing that a registry is asked for is waited for without end, and
// the error says why nobody waits.
func TestSilentRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	layer := archive(t, file("a", "x"))
	for _, what := range []string{"/v2/", "/manifests/", "/blobs/", "/token"} {
		t.Run(what, func(t *testing.T) {
			let, quiet := make(chan struct{}), false
			s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case !quiet || r.Method != http.MethodGet:
					return false
				case what == "/token" && r.URL.Path != what:
					w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
					w.WriteHeader(http.StatusUnauthorized)
					return true
				case what != r.URL.Path && (what == "/v2/" || !strings.Contains(r.URL.Path, what)):
					return false
				case what == "/v2/":
					w.WriteHeader(http.StatusTeapot) // its error's text is read
				}
				silence(w, "application/json", let)
				return true
			})
			defer close(let)
			l := newLayout(t)
			l.image("", layer)
			s.push(t, l)
			quiet = true
			o := open(t, Limits{})
			done := make(chan error, 1)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				_, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Plain: true, Idle: 200 * time.Millisecond})
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil || !strings.Contains(err.Error(), "nothing has come for 200ms") && !strings.Contains(err.Error(), "awaiting response headers") {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("it is waited for")
				cancel()
				<-done
			}
			o.empty(t)
		})
	}
}

// TestLongManifest: a manifest that does not end is not kept in mind until it does.
func TestLongManifest(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	var sent int64
	over, once := make(chan struct{}), sync.Once{}
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		defer once.Do(func() { close(over) })
		for space := []byte(strings.Repeat(" ", 1<<20)); sent < 90<<20; {
			n, err := w.Write(space)
			if sent += int64(n); err != nil {
				return true
			}
		}
		return true
	})
	o := open(t, Limits{})
	_, err := o.Pull(context.Background(), s.host+"/tools/x:1", PullOptions{Plain: true})
	rejects(t, err, "", "", "longer than")
	<-over
	if sent > 64<<20 {
		t.Errorf("%d bytes were read", sent)
	}
}

// TestRedirect: who a registry leads to gets no login, and is not asked where it is nearer
// to us than the registry itself.
func TestRedirect(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	layer := archive(t, file("a", "x"))
	l := newLayout(t)
	l.image("", layer)
	asked := 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s has %v", r.URL, r.Header)
		}
		_, digest, _ := strings.Cut(r.URL.Path, "/got/")
		_, _ = w.Write(l.blobs[digest])
	}))
	defer store.Close()
	moved := false
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
		if user, _, _ := r.BasicAuth(); user != "me" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if _, digest, ok := strings.Cut(r.URL.Path, "/blobs/"); ok && moved && r.Method == http.MethodGet {
			// By a name: that it is no address does not make it far.
			http.Redirect(w, r, strings.Replace(store.URL, "127.0.0.1", "localhost", 1)+"/got/"+digest, http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	s.push(t, l)
	moved = true
	o := open(t, Limits{})
	a, err := o.Pull(context.Background(), s.host+"/tools/x:1", PullOptions{Plain: true, Username: "me", Password: "secret"})
	if err != nil || a.New != 1 || asked != 2 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	for _, c := range []struct {
		first, then string
		refused     bool
	}{
		{"93.184.215.14:443", "127.0.0.1:80", true}, {"93.184.215.14:443", "[::1]:80", true}, {"93.184.215.14:443", "10.1.2.3:80", true},
		{"93.184.215.14:443", "169.254.169.254:80", true}, {"93.184.215.14:443", "[::ffff:169.254.169.254]:80", true}, {"93.184.215.14:443", "100.100.100.200:80", true},
		{"93.184.215.14:443", "0.0.0.0:80", true}, {"93.184.215.14:443", "[fe80::1%lo]:80", true}, {"93.184.215.14:443", "[fd00:ec2::254]:80", true},
		{"93.184.215.14:443", "1.1.1.1:443", false}, {"93.184.215.14:443", "[2606:4700::1]:443", false},
		{"10.0.0.1:443", "10.0.0.2:443", false}, {"10.0.0.1:443", "1.1.1.1:443", false}, {"10.0.0.1:443", "169.254.169.254:80", true}, {"10.0.0.1:443", "127.0.0.1:80", true},
		{"127.0.0.1:443", "10.0.0.2:443", false}, {"127.0.0.1:443", "[::1]:443", false},
	} {
		var n nearness
		if err := n.control("tcp", c.first, nil); err != nil {
			t.Errorf("%s: %v", c.first, err)
		}
		if err := n.control("tcp", c.then, nil); (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "registry") {
			t.Errorf("%s, then %s: %v", c.first, c.then, err)
		}
	}
	// That the transport asks: as if the registry were far away.
	far := transportOf(PullOptions{}, time.Minute, &nearness{known: true})
	if c, err := far.DialContext(context.Background(), "tcp", s.host); err == nil || !strings.Contains(err.Error(), "registry") {
		t.Errorf("%v, %v", c, err)
	}
	near := transportOf(PullOptions{}, time.Minute, &nearness{})
	c, err := near.DialContext(context.Background(), "tcp", s.host)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// withCharset adds to the types of documents what some registries do.
type withCharset struct{ http.ResponseWriter }

func (w withCharset) WriteHeader(status int) {
	if kind := w.Header().Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
	}
	w.ResponseWriter.WriteHeader(status)
}

// TestCharset: a type with a parameter is the same type.
func TestCharset(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	inner := serve(t, false, nil)
	l := newLayout(t)
	l.image("", archive(t, file("a", "x")))
	inner.push(t, l)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
		inner.Config.Handler.ServeHTTP(withCharset{w}, r)
		return true
	})
	if _, err := open(t, Limits{}).Pull(context.Background(), s.host+"/tools/x:1", PullOptions{Plain: true}); err != nil {
		t.Error(err)
	}
}
