package httpapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/sandbox"
)

// impatient serves with short times, so that a test sees them pass. What it shows
// is that a connection ends at all, never how soon.
func impatient(t *testing.T, change func(*patience)) *served {
	t.Helper()
	return impatientWith(t, change, nil)
}

// impatientWith is impatient with another configuration.
func impatientWith(t *testing.T, change func(*patience), configure func(*Config)) *served {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &served{service: start(t, configure), addr: l.Addr().String(), done: make(chan error, 1), client: &http.Client{Transport: &http.Transport{}}}
	s.url = "http://" + s.addr
	s.patience = patience{headers: time.Hour, body: time.Hour, answer: time.Hour, idle: time.Hour}
	change(&s.patience)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.done <- s.Serve(ctx, time.Hour, l) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		stop()
		if err := <-s.done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// dial opens a connection that no test waits for without end.
func (s *served) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	return c
}

// drips writes a byte now and then until the connection ends.
func drips(c net.Conn) {
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func isTimeout(err error) bool {
	slow, ok := err.(net.Error)
	return ok && slow.Timeout()
}

// TestSlowHeaders: a head that does not end, and one that never begins.
func TestSlowHeaders(t *testing.T) {
	for name, text := range map[string]string{"drips": "GET /healthz HTTP/1.1\r\nX: ", "silent": ""} {
		t.Run(name, func(t *testing.T) {
			s := impatient(t, func(p *patience) { p.headers = 200 * time.Millisecond })
			c := s.dial(t)
			if text != "" {
				_, _ = io.WriteString(c, text)
				go drips(c)
			}
			if _, err := io.ReadAll(c); isTimeout(err) {
				t.Error("the connection stays open")
			}
		})
	}
}

// TestSlowBody: a body that does not end is answered, and its place is free again.
func TestSlowBody(t *testing.T) {
	for _, length := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		s := impatient(t, func(p *patience) { p.body = 200 * time.Millisecond })
		c := s.dial(t)
		_, _ = io.WriteString(c, "POST "+runPath+" HTTP/1.1\r\nHost: "+s.addr+"\r\nAuthorization: Bearer "+canary+"\r\nContent-Type: application/json\r\n"+length+"\r\n\r\n")
		if strings.HasPrefix(length, "Content") {
			go drips(c)
		}
		answer, err := io.ReadAll(c)
		if isTimeout(err) || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), string(CodeTimeout)) {
			t.Errorf("%s: %v %q", length, err, answer)
		}
		if n := s.admission.inside(); n != 0 || s.runner.count() != 0 {
			t.Errorf("%d places taken, %d jobs", n, s.runner.count())
		}
	}
}

// TestSlowReader: an answer that nobody reads is cut off; the job's place is free
// before that.
func TestSlowReader(t *testing.T) {
	s := impatient(t, func(p *patience) { p.answer = 300 * time.Millisecond })
	ended := make(chan struct{})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		defer close(ended)
		time.Sleep(2 * s.patience.answer) // a job may be longer than an answer
		code := 0
		return &sandbox.Result{ID: j.ID, Policy: j.Policy, Isolation: "subuid",
			Step: sandbox.Step{Verdict: sandbox.OK, ExitCode: &code, Stdout: []byte(strings.Repeat("x", 64<<20))}}, nil
	})
	c := s.dial(t)
	_, _ = io.WriteString(c, "POST "+runPath+" HTTP/1.1\r\nHost: "+s.addr+"\r\nAuthorization: Bearer "+canary+
		"\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n"+`{"command":["true"]}`)
	<-ended
	until(t, func() bool { return s.admission.inside() == 0 })
	until(t, func() bool { return reads(s.metrics.connections.open) == 0 })
	if answer, err := io.ReadAll(c); isTimeout(err) || len(answer) >= 64<<20 {
		t.Errorf("%v, %d bytes: the answer was not cut off", err, len(answer))
	}
}

// TestIdle: a connection on which nothing comes any more is closed.
func TestIdle(t *testing.T) {
	s := impatient(t, func(p *patience) { p.idle = 200 * time.Millisecond })
	c := s.dial(t)
	_, _ = io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: "+s.addr+"\r\n\r\n")
	if answer, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK\r\n") {
		t.Errorf("%v %q", err, answer)
	}
}

// until waits for what must become true.
func until(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(hangGuard); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

// TestLongWork: a client that waits is not slow, however long the work takes, and
// whatever comes of it.
func TestLongWork(t *testing.T) {
	s := impatient(t, func(p *patience) { p.body, p.answer = 100*time.Millisecond, 200*time.Millisecond })
	long := 3 * s.patience.answer
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		time.Sleep(long)
		if ctx.Err() != nil {
			t.Error("the client is taken for gone")
		}
		panic("late")
	})
	if r := <-s.post(t); r == nil || r.status != 500 {
		t.Errorf("%+v", r)
	}
	s.config.Doctor = func(ctx context.Context) (any, error) {
		time.Sleep(3 * s.patience.body / 2)
		return "well", ctx.Err()
	}
	all := exchange(t, "tcp", s.addr, "GET /v1/doctor HTTP/1.1\r\nHost: "+s.addr+"\r\nAuthorization: Bearer "+canary+"\r\nConnection: close\r\n\r\n")
	if len(all) != 1 || all[0].status != 200 {
		t.Errorf("the look at the host: %v", statuses(all))
	}
}
