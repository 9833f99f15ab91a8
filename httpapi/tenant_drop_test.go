package httpapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/tenants"
)

// What a tenant gives up while it reads it itself does not stay behind, uncounted.
func TestFilesGivenUpWhileRead(t *testing.T) {
	s := startTenants(t, nil, "a")
	const size = 4 << 20 // more than a connection holds
	s.limit(t, "a", tenants.Limits{StoredBytes: size})
	for i := range 2 {
		content := strings.Repeat(fmt.Sprint(i), size)
		path := pathOf(content)
		if r := s.as(t, s.keys["a"], "PUT", path, content); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		request, err := http.NewRequestWithContext(t.Context(), "GET", s.web.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+s.keys["a"])
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
			}
			return c, err
		}}}
		answer, err := client.Do(request) // and it is not read yet
		if err != nil {
			t.Fatal(err)
		}
		r := s.as(t, s.keys["a"], "DELETE", path, "")
		answer.Body.Close()
		client.CloseIdleConnections()
		for ; r.status == 409; time.Sleep(time.Millisecond) { // the request has ended a moment later
			r = s.as(t, s.keys["a"], "DELETE", path, "")
		}
		if r.status != 204 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if n := s.files.Stats(); n.Files != 0 {
		t.Errorf("%d files with %d bytes are left of a tenant that may keep %d, of which %d are counted", n.Files, n.Bytes, size, s.config.Tenancy.Holdings.Bytes("a"))
	}
}

// The same file sent twice at once is one tenant's, not the operator's as well.
func TestFilesSentTwiceAtOnce(t *testing.T) {
	s := startTenants(t, nil, "a")
	for i := range 100 {
		content := fmt.Sprintf("%010d", i)
		path := pathOf(content)
		var w sync.WaitGroup
		for range 4 {
			w.Go(func() { s.as(t, s.keys["a"], "PUT", path, content) })
		}
		w.Wait()
		if r := s.as(t, s.keys["a"], "DELETE", path, ""); r.status != 204 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if n := s.files.Stats(); n.Files != 0 {
		t.Errorf("%d files with %d bytes are left, %d are counted", n.Files, n.Bytes, s.config.Tenancy.Holdings.Bytes("a"))
	}
}
