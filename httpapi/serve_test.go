package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/sandbox"
)

// served is a service behind Serve.
type served struct {
	*service
	url    string
	addr   string
	stop   context.CancelFunc
	done   chan error
	client *http.Client
}

func serve(t testing.TB, drain time.Duration, wrap func(net.Listener) net.Listener) *served {
	t.Helper()
	return serveWith(t, drain, wrap, nil)
}

// serveWith is serve with another configuration.
func serveWith(t testing.TB, drain time.Duration, wrap func(net.Listener) net.Listener, change func(*Config)) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{service: start(t, change), addr: l.Addr().String(), done: make(chan error, 1), client: &http.Client{Transport: &http.Transport{}}}
	s.url = "http://" + s.addr
	if wrap != nil {
		l = wrap(l)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.done <- s.Serve(ctx, drain, l) }()
	t.Cleanup(func() {
		stop()
		s.client.CloseIdleConnections()
	})
	return s
}

// post sends a job and gives the answer through a channel.
func (s *served) post(t *testing.T) chan *reply {
	t.Helper()
	out := make(chan *reply, 1)
	go func() {
		defer close(out)
		r, err := http.NewRequest("POST", s.url+runPath, strings.NewReader(`{"command":["true"]}`))
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+canary)
		r.Header.Set("Content-Type", "application/json")
		answer, err := s.client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		var b strings.Builder
		if err := answer.Write(&b); err != nil {
			t.Error(err)
		}
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		got := &reply{answer.StatusCode, answer.Header, []byte(body)}
		if answer.ContentLength < 0 {
			t.Errorf("an answer in pieces: %s", b.String())
		}
		hold(t, "POST", runPath, got)
		out <- got
	}()
	return out
}

// refusedSoon waits until no connection is taken any more.
func (s *served) refusedSoon() {
	for {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return
		}
		c.Close()
		time.Sleep(time.Millisecond)
	}
}

// TestServeDrains: a running job ends by itself, and none comes in.
func TestServeDrains(t *testing.T) {
	s := serve(t, time.Hour, nil)
	g := newGate()
	s.runner.does(g.run)
	if r := s.direct(t, "GET", "/readyz", nil); r.status != 200 || string(r.body) != "ready\n" {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	running := s.post(t)
	<-g.arrived
	s.stop()
	s.refusedSoon()
	// A connection made before can still bring these.
	if r := s.direct(t, "GET", "/readyz", nil); r.status != 503 {
		t.Errorf("readyz while draining: %d", r.status)
	}
	if r := s.direct(t, "GET", "/healthz", nil); r.status != 200 {
		t.Errorf("healthz while draining: %d", r.status)
	}
	r := s.direct(t, "POST", runPath, unreadable{t})
	r.wants(t, CodeShuttingDown, "")
	if r.header.Get("Retry-After") == "" || s.runner.count() != 1 {
		t.Errorf("%v, %d jobs", r.header, s.runner.count())
	}
	select {
	case err := <-s.done:
		t.Fatalf("Serve ended before its job: %v", err)
	default:
	}
	close(g.open)
	if r := <-running; r == nil || r.status != 200 {
		t.Errorf("the running job: %+v", r)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeDrainOver: what still runs is cancelled, and is answered as far as it
// came; what still waits is told that the service ends.
func TestServeDrainOver(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(context.Context, *sandbox.Job) (*sandbox.Result, error)
		status int
		word   string
	}{
		"running": {func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
			return ended(j, sandbox.Cancelled), nil
		}, 200, "cancelled"},
		"waiting": {func(ctx context.Context, _ *sandbox.Job) (*sandbox.Result, error) { return nil, ctx.Err() }, 503, string(CodeShuttingDown)},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, time.Millisecond, nil)
			arrived := make(chan struct{})
			s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
				close(arrived)
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, sandbox.ErrShuttingDown) {
					t.Errorf("cause %v", cause)
				}
				return c.answer(ctx, j)
			})
			job := s.post(t)
			<-arrived
			s.stop()
			if r := <-job; r == nil || r.status != c.status || !strings.Contains(string(r.body), c.word) {
				t.Errorf("%+v", r)
			}
			if err := <-s.done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// TestServeIdle: without jobs the end comes at once, also with connections that
// are kept open.
func TestServeIdle(t *testing.T) {
	s := serve(t, time.Hour, nil)
	if r := <-s.post(t); r == nil || r.status != 200 {
		t.Fatalf("%+v", r)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeListenerFails: one listener that fails ends the others, with its error.
func TestServeListenerFails(t *testing.T) {
	s := start(t, nil)
	var listeners []net.Listener
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	if err := listeners[1].Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), time.Hour, listeners...); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if c, err := net.Dial("tcp", listeners[0].Addr().String()); err == nil {
		c.Close()
		t.Error("the other listener still takes connections")
	}
}
