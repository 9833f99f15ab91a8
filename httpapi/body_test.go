package httpapi

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/sandbox"
)

// TestBodySize: the limit itself is taken, one byte more is not.
func TestBodySize(t *testing.T) {
	const limit = 4096
	s := start(t, func(c *Config) { c.MaxBody = limit })
	body := func(size int) string {
		return `{"command":["true"],"stdin":"` + strings.Repeat("x", size-len(`{"command":["true"],"stdin":""}`)) + `"}`
	}
	if r := s.run(t, body(limit)); r.status != 200 {
		t.Errorf("%d bytes: %d %s", limit, r.status, r.body)
	}
	s.run(t, body(limit+1)).wants(t, CodeTooLarge, "")
	p := s.run(t, body(3*limit)).wants(t, CodeTooLarge, "")
	if !strings.Contains(p.Detail, "4096") {
		t.Errorf("the limit is not named: %s", p.Detail)
	}
	// Of a body without a length, no more than the limit may be read.
	r := s.send(t, "POST", runPath, struct{ *strings.Reader }{strings.NewReader(body(2 * limit))})
	r.wants(t, CodeTooLarge, "")
	if s.runner.count() != 1 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

// TestUnread: a body that does not arrive is the client's fault, never ours.
func TestUnread(t *testing.T) {
	for err, want := range map[error]Code{os.ErrDeadlineExceeded: CodeTimeout, fmt.Errorf("x: %w", os.ErrDeadlineExceeded): CodeTimeout,
		fmt.Errorf("unexpected EOF"): CodeMalformed} {
		if p := unread(err, 1, time.Second); p.Code != want || p.Detail == "" {
			t.Errorf("%v: %+v", err, p)
		}
	}
}

// deadlines notes the read deadlines that a connection gets.
type deadlines struct {
	net.Listener
	mu  sync.Mutex
	set []time.Time
}

func (d *deadlines) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	return &notedConn{c, d}, err
}

type notedConn struct {
	net.Conn
	notes *deadlines
}

func (c *notedConn) SetReadDeadline(at time.Time) error {
	c.notes.mu.Lock()
	defer c.notes.mu.Unlock()
	c.notes.set = append(c.notes.set, at)
	return c.Conn.SetReadDeadline(at)
}

// TestServeLongJob: while a job runs, its connection has no deadline. The server
// reads on to see whether the client leaves; the deadline of the body would cancel
// every job that takes longer.
func TestServeLongJob(t *testing.T) {
	var notes *deadlines
	s := serve(t, time.Hour, func(l net.Listener) net.Listener {
		notes = &deadlines{Listener: l}
		return notes
	})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		notes.mu.Lock()
		defer notes.mu.Unlock()
		n := len(notes.set)
		// The header's, the connection's own for the whole request, and the body's.
		if set := slices.DeleteFunc(slices.Clone(notes.set), time.Time.IsZero); len(set) != 3 || set[1].Before(set[0]) || set[2].Before(set[1]) {
			t.Errorf("the body had no deadline: %v", notes.set)
		}
		if n == 0 || !notes.set[n-1].IsZero() {
			t.Errorf("the job has a deadline: %v", notes.set)
		}
		return ended(j, sandbox.OK), nil
	})
	if r := <-s.post(t); r == nil || r.status != 200 {
		t.Errorf("%+v", r)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeCutOff: a body that ends early is the client's fault, and no job.
func TestServeCutOff(t *testing.T) {
	s := serve(t, time.Hour, nil)
	for name, request := range map[string]string{
		"bad chunk":   "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"early close": "Content-Length: 100\r\n\r\n{\"command\"",
	} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("POST " + runPath + " HTTP/1.1\r\nHost: example.com\r\nContent-Type: application/json\r\nAuthorization: Bearer " + canary + "\r\n" + request)); err != nil {
			t.Fatal(err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 4096)
		n, _ := c.Read(answer)
		c.Close()
		if text := string(answer[:n]); !strings.HasPrefix(text, "HTTP/1.1 400 ") || !strings.Contains(text, string(CodeMalformed)) {
			t.Errorf("%s: %q", name, text)
		}
	}
	s.stop()
	if err := <-s.done; err != nil || s.runner.count() != 0 {
		t.Errorf("Serve: %v, %d jobs", err, s.runner.count())
	}
}

// TestTurnedAwayAtOnce: who is refused learns it before the body is there. Else
// anybody could keep a connection for as long as a body may take.
func TestTurnedAwayAtOnce(t *testing.T) {
	s := serve(t, time.Hour, nil)
	const json = "Content-Type: application/json\r\n"
	token := "Authorization: Bearer " + canary + "\r\n"
	var all sync.WaitGroup // at once: each connection lingers
	for name, c := range map[string]struct {
		line, headers string
		status        int
	}{
		"no token":       {"POST " + runPath, json, 401},
		"unknown path":   {"POST /none", token, 404},
		"unknown method": {"PUT " + runPath, token + json, 405},
		"not JSON":       {"POST " + runPath, token, 415},
		"packed":         {"POST " + runPath, token + json + "Content-Encoding: gzip\r\n", 415},
		"another host":   {"POST http://evil.example" + runPath, token + json, 421},
		"another origin": {"POST " + runPath, token + json + "Origin: null\r\n", 403},
		"open route":     {"POST /healthz", json, 405},
	} {
		for _, length := range []string{"Content-Length: 1000", "Content-Length: 1000000000000", "Transfer-Encoding: chunked"} {
			all.Go(func() {
				sent := time.Now()
				got := exchange(t, "tcp", s.addr, c.line+" HTTP/1.1\r\nHost: "+s.addr+"\r\n"+c.headers+length+"\r\n\r\n")
				if !slices.Equal(statuses(got), []int{c.status}) {
					t.Errorf("%s, %s: %v, want %d", name, length, statuses(got), c.status)
				}
				if took := time.Since(sent); took >= defaultPatience.body {
					t.Errorf("%s, %s: it took %v: the body was waited for", name, length, took)
				}
			})
		}
	}
	all.Wait()
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}
