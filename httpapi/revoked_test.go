package httpapi

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/tenants"
)

// slowly has every connection of a client take its time to read.
func slowly(each time.Duration) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		if err == nil {
			_ = c.(*net.TCPConn).SetReadBuffer(4 << 10)
			c = &slowConn{c, each}
		}
		return c, err
	}}}
}

type slowConn struct {
	net.Conn
	each time.Duration
}

func (c *slowConn) Read(b []byte) (int, error) {
	time.Sleep(c.each)
	return c.Conn.Read(b[:min(len(b), 8<<10)])
}

// Who reads slowly, but not so slowly as to be dropped, is let go with its key all the same:
// what it writes does not reach the job any more.
func TestRevokedWhileItReads(t *testing.T) {
	s := startTenants(t, nil, "a")
	s.patience.reader = time.Minute
	f, end := &fakeSession{}, make(chan struct{})
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		f.mu.Lock()
		f.dead, f.out = make(chan struct{}), func(b []byte) { _ = f.note("read %s", b) }
		f.mu.Unlock()
		l, _ := s.live.get(j.ID, 1)
		_, _ = j.Stdout.Write(bytes.Repeat([]byte("x"), 64<<20))
		l.input.open(f)
		select {
		case <-end:
		case <-ctx.Done():
		}
		return r, nil
	})
	s.begin()
	j := s.as(t, s.keys["a"], "POST", jobsPath, `{"command":["cat"],"interactive":{}}`).job(t)
	s.until(t, j.ID, queue.Running)
	c, _, err := websocket.Dial(t.Context(), s.web.URL+jobsPath+"/"+j.ID+"/attach", &websocket.DialOptions{HTTPClient: slowly(20 * time.Millisecond),
		HTTPHeader: http.Header{"Authorization": {"Bearer " + s.keys["a"]}}, Subprotocols: []string{AttachProtocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	go func() {
		for {
			if _, _, err := c.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	write := func(text string) {
		if err := c.Write(t.Context(), websocket.MessageBinary, []byte("\x00"+text)); err != nil {
			t.Logf("%s: %v", text, err)
		}
	}
	write("before")
	eventuallyIn(t, "the job is written to", func() bool { return strings.Contains(f.notes(), "before") })
	s.config.Tenancy.Keys.Use(&tenants.Document{Version: 1})
	time.Sleep(100 * time.Millisecond)
	write("after")
	eventuallySoon(t, "it is let go", func() bool { return len(s.attachers.places) == 0 })
	write("later")
	if notes := f.notes(); strings.Contains(notes, "after") || strings.Contains(notes, "later") {
		t.Errorf("the job was written to with a key that was revoked: %s", notes)
	}
	_ = c.CloseNow()
	close(end)
}
