package httpapi

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/queue"
)

// half is a client that has begun a message, and never ends it.
func (s *queued) half(t testing.TB, id, query string) net.Conn {
	t.Helper()
	at := strings.TrimPrefix(s.web.URL, "http://")
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s/%s/attach%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", jobsPath, id, query, at, canary, AttachProtocol)
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer, err)
	}
	whole, begun := []byte{0x82, 0x80 | 1, 0, 0, 0, 0, 0}, []byte{0x82, 0x80 | 126, 0x10, 0x00, 0, 0, 0, 0, 0} // a byte of 4096
	if _, err := c.Write(append(whole, begun...)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Half a message keeps neither a place, nor the service from ending.
func TestAttachedWithHalfAMessage(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	s.half(t, j.ID, "?watch=true") // which may not write
	eventuallyIn(t, "it is there", func() bool { return len(s.attachers.places) == 1 })
	eventuallySoon(t, "its place is free", func() bool { return len(s.attachers.places) == 0 })
}

func TestTheServiceEndsInTheMiddleOfAMessage(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`) // which waits
	s.half(t, j.ID, "")
	eventuallyIn(t, "it is there", func() bool { return len(s.attachers.places) == 1 })
	s.draining.Store(true) // as Serve does
	close(s.ending)
	gone := make(chan struct{})
	go func() { defer close(gone); s.attached.Wait() }()
	select {
	case <-gone:
	case <-time.After(15 * time.Second):
		t.Error("the service does not end")
	}
}
