package image

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	gcrregistry "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// served is a registry of a test, with what a layout has.
type served struct {
	*httptest.Server
	host string
}

// serve starts a registry; front sees every request first, and may answer it.
func serve(t *testing.T, tls bool, front func(w http.ResponseWriter, r *http.Request) bool) *served {
	t.Helper()
	inner := gcrregistry.New(gcrregistry.Logger(log.New(io.Discard, "", 0)))
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if front == nil || !front(w, r) {
			inner.ServeHTTP(w, r)
		}
	})
	s := &served{Server: httptest.NewUnstartedServer(handler)}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() { s.Close(); http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	_, s.host, _ = strings.Cut(s.URL, "://")
	return s
}

func (s *served) put(t *testing.T, path, kind string, text []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.SetBasicAuth("me", "secret")
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s: %s", path, answer.Status)
	}
}

// push puts the images of a layout under the tag 1, with an index over them.
func (s *served) push(t *testing.T, l *layout) descriptor {
	t.Helper()
	for digest, text := range l.blobs {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v2/tools/x/blobs/uploads/?digest="+digest, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("me", "secret")
		answer, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %s", digest, answer.Status)
		}
	}
	for _, d := range l.index.Manifests {
		s.put(t, "/v2/tools/x/manifests/"+d.Digest, string(d.MediaType), l.blobs[d.Digest])
	}
	l.index.MediaType = types.OCIImageIndex
	index := l.json(types.OCIImageIndex, l.index)
	s.put(t, "/v2/tools/x/manifests/1", string(types.OCIImageIndex), l.blobs[index.Digest])
	return index
}

// TestPull: by tag and by digest, for a platform, over TLS, with a login; and what a
// registry must not get away with.
func TestPull(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // nobody's login
	layer, other := archive(t, file("a", strings.Repeat("this", 5000))), archive(t, file("a", "other"))
	l := newLayout(t)
	l.image("", layer)
	l.image("", other)
	l.index.Manifests[0].Platform = &v1.Platform{OS: "linux", Architecture: "amd64"}
	l.index.Manifests[1].Platform = &v1.Platform{OS: "linux", Architecture: "s390x"}
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	ctx := context.Background()

	t.Run("plain", func(t *testing.T) {
		s := serve(t, false, nil)
		index := s.push(t, l)
		o := open(t, Limits{})
		a, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Plain: true, Platform: amd64})
		if err != nil {
			t.Fatal(err)
		}
		if a.New != 1 || a.Names[0] != s.host+"/tools/x:1" || a.Layers[0].DiffID != digestOf(layer) || len(a.Manifests) != 2 {
			t.Errorf("%+v", a)
		}
		o.verified(t, a.Image)
		again, err := o.Pull(ctx, s.host+"/tools/x@"+index.Digest, PullOptions{Plain: true, Platform: amd64, Name: "short:1"})
		if err != nil || again.ID != a.ID || again.New != 0 || len(again.Names) != 2 {
			t.Errorf("%+v, %v", again, err)
		}
		if _, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Plain: true, Platform: v1.Platform{OS: "linux", Architecture: "riscv64"}}); err == nil || !strings.Contains(err.Error(), "linux/s390x") {
			t.Errorf("a platform that is not there: %v", err)
		}
		if _, err := o.Pull(ctx, s.host+"/tools/x:2", PullOptions{Plain: true}); err == nil || !strings.Contains(err.Error(), "404") && !strings.Contains(err.Error(), "MANIFEST_UNKNOWN") {
			t.Errorf("a tag that is not there: %v", err)
		}
		o.clean(t)
	})
	t.Run("TLS and login", func(t *testing.T) {
		s := serve(t, true, func(w http.ResponseWriter, r *http.Request) bool {
			if user, password, _ := r.BasicAuth(); user == "me" && password == "secret" {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		s.push(t, l)
		o := open(t, Limits{})
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		name := s.host + "/tools/x:1"
		if a, err := o.Pull(ctx, name, PullOptions{Platform: amd64, Roots: roots, Username: "me", Password: "secret"}); err != nil || a.New != 1 {
			t.Errorf("%+v, %v", a, err)
		}
		for what, p := range map[string]PullOptions{"no login": {Roots: roots}, "a wrong one": {Roots: roots, Username: "me", Password: "guess"}} {
			if _, err := o.Pull(ctx, name, p); err == nil || !strings.Contains(strings.ToLower(err.Error()), "unauthorized") || strings.Contains(err.Error(), "guess") {
				t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := o.Pull(ctx, name, PullOptions{Platform: amd64, Username: "me", Password: "secret"}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("an unknown certificate: %v", err)
		}
	})
	t.Run("without TLS where it is wanted", func(t *testing.T) {
		s := serve(t, false, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				t.Errorf("it was asked without TLS, with %q", r.Header.Get("Authorization"))
			}
			return false
		})
		s.push(t, l)
		o := open(t, Limits{})
		if _, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Platform: amd64, Username: "me", Password: "secret"}); err == nil || !strings.Contains(err.Error(), "--plain-http") {
			t.Errorf("%v", err)
		}
		o.empty(t)
	})
	t.Run("a registry that lies", func(t *testing.T) {
		var change func(path string, body []byte) []byte
		var inner http.Handler
		s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || change == nil {
				return false
			}
			answer := httptest.NewRecorder()
			inner.ServeHTTP(answer, r)
			body := change(r.URL.Path, answer.Body.Bytes())
			for k, v := range answer.Header() {
				if k != "Content-Length" {
					w.Header()[k] = v
				}
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(body)
			return true
		})
		inner = gcrregistry.New(gcrregistry.Logger(log.New(io.Discard, "", 0)))
		direct := &served{Server: httptest.NewServer(inner)}
		defer direct.Close()
		direct.push(t, l)
		packed := l.index.Manifests[0]
		var m manifest
		if err := json.Unmarshal(l.blobs[packed.Digest], &m); err != nil {
			t.Fatal(err)
		}
		flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
		for what, c := range map[string]func(path string, body []byte) []byte{
			"another manifest": func(path string, body []byte) []byte {
				if strings.HasSuffix(path, packed.Digest) {
					return bytes.Replace(body, []byte(`"layers"`), []byte(`"layerz"`), 1)
				}
				return body
			},
			"another config": func(path string, body []byte) []byte {
				if strings.HasSuffix(path, m.Config.Digest) {
					return flip(body)
				}
				return body
			},
			"another layer": func(path string, body []byte) []byte {
				if strings.HasSuffix(path, m.Layers[0].Digest) {
					return flip(body)
				}
				return body
			},
			"a longer layer": func(path string, body []byte) []byte {
				if strings.HasSuffix(path, m.Layers[0].Digest) {
					return append(bytes.Clone(body), make([]byte, 1<<20)...)
				}
				return body
			},
			"a shorter layer": func(path string, body []byte) []byte {
				if strings.HasSuffix(path, m.Layers[0].Digest) {
					return body[:len(body)-20]
				}
				return body
			},
		} {
			o := open(t, Limits{})
			change = c
			if _, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Plain: true, Platform: amd64}); err == nil {
				t.Errorf("%s is taken", what)
			} else if what == "another layer" && !strings.Contains(err.Error(), "digest mismatch") {
				t.Errorf("%s: %v", what, err)
			}
			o.empty(t)
		}
	})
	t.Run("a registry that falls silent", func(t *testing.T) {
		let := make(chan struct{})
		silent := false
		s := serve(t, false, func(w http.ResponseWriter, r *http.Request) bool {
			if !silent || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			w.Header().Set("Content-Length", "100000")
			w.WriteHeader(http.StatusOK)
			_, _ = w.Write([]byte("some"))
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
			<-let
			return true
		})
		defer close(let)
		s.push(t, l)
		silent = true
		o := open(t, Limits{})
		if _, err := o.Pull(ctx, s.host+"/tools/x:1", PullOptions{Plain: true, Platform: amd64, Idle: 200 * time.Millisecond}); err == nil {
			t.Error("it came to an end")
		}
		ended, cancel := context.WithCancelCause(ctx)
		cancel(errors.New("enough"))
		if _, err := o.Pull(ended, s.host+"/tools/x:1", PullOptions{Plain: true, Platform: amd64}); err == nil {
			t.Error("it came to an end")
		}
		o.empty(t)
	})
}
