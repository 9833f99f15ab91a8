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
		if p := unread(err, 1); p.Code != want || p.Detail == "" {
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
		// The first non-zero one is the header's, the next the body's.
		if set := slices.DeleteFunc(slices.Clone(notes.set), time.Time.IsZero); len(set) != 2 || set[1].Before(set[0]) {
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
		if _, err := c.Write([]byte("POST " + runPath + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + canary + "\r\n" + request)); err != nil {
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
