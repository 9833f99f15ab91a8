package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving answers with a handler, and makes a request for it.
func serving(t *testing.T, h http.HandlerFunc) *request {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	r, err := post(s.URL, "/v1/run", "secret", []byte(`{"x": 1}`), []byte(`"good"`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClient(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for name, answer := range map[string]func(http.ResponseWriter){
		"with its length": func(w http.ResponseWriter) { fmt.Fprint(w, `{"good"}`) },
		"long": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "300008")
			fmt.Fprint(w, `{"good"}`+long)
		},
		"accepted": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"good"}`)
		},
		"in parts":           func(w http.ResponseWriter) { inParts(w, `{"go`, `od"}`) },
		"in long parts":      func(w http.ResponseWriter) { inParts(w, long, `"good"`, long) },
		"good is at its end": func(w http.ResponseWriter) { inParts(w, long, `"good"`) },
	} {
		t.Run(name, func(t *testing.T) {
			var first string
			r := serving(t, func(w http.ResponseWriter, q *http.Request) {
				body, _ := io.ReadAll(q.Body)
				if string(body) != `{"x": 1}` || q.Header.Get("Authorization") != "Bearer secret" || q.URL.Path != "/v1/run" {
					t.Errorf("%s %s %q", q.URL, q.Header, body)
				}
				if first == "" {
					first = q.RemoteAddr
				}
				if q.RemoteAddr != first {
					t.Error("a new connection")
				}
				answer(w)
			})
			c, err := connect(r)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			times, err := c.loop(0, 5)
			if err != nil || len(times) != 5 || times[4] <= 0 {
				t.Fatalf("%v, %v", times, err)
			}
			if body, err := c.exchange(); err != nil || !strings.Contains(string(body), "good") || strings.HasPrefix(string(body), "HTTP") {
				t.Errorf("%.60q, %v", body, err)
			}
		})
	}
}

// inParts writes an answer without saying its length before.
func inParts(w http.ResponseWriter, all ...string) {
	for _, p := range all {
		fmt.Fprint(w, p)
		w.(http.Flusher).Flush()
	}
}

func TestClientTellsOfABadAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"another verdict":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"bad"}`) }, `{"bad"}`},
		"another status":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `"good"`, http.StatusTeapot) }, "418 I'm a teapot"},
		"good in a header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", `"good"`); fmt.Fprint(w, "no") }, "no"},
		"no answer":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := measure(t.Context(), served("x", serving(t, c.handler)), 1, 0)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r, err := post("http://"+l.Addr().String(), "/", "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect(r); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := post("ftp://x", "/", "", nil, nil); err == nil {
		t.Error("an address without a port is taken")
	}
}

func TestClientStops(t *testing.T) {
	r := serving(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `"good"`) })
	ctx, cancel := context.WithCancel(t.Context())
	stopping(ctx)
	defer setStop(false)
	time.AfterFunc(50*time.Millisecond, cancel)
	if s, err := measure(ctx, served("x", r), 2, time.Hour); !errors.Is(err, context.Canceled) || s.runs() == 0 {
		t.Errorf("%d runs, %v", s.runs(), err)
	}
}
