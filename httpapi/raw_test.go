package httpapi

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hangGuard only ends a test whose server never answers.
const hangGuard = time.Minute

// exchange sends bytes as they are, and reads every answer until the server
// closes the connection.
func exchange(t testing.TB, network, addr, request string) []*reply {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Error(err)
		return nil
	}
	go func() { _, _ = io.WriteString(c, request) }() // the server may close before it has all
	var all []*reply
	for in := bufio.NewReader(c); ; {
		method, _, _ := strings.Cut(request, " ")
		answer, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Errorf("the connection stays open after %d answers: %q", len(all), clip(request))
			}
			return all
		}
		body, _ := io.ReadAll(answer.Body) // the connection's end is met at the next answer
		all = append(all, &reply{answer.StatusCode, answer.Header, body})
	}
}

// last makes the server close the connection: who sees fewer answers than requests
// knows that what came before ended it.
func last(host string) string {
	return "GET /healthz HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
}

// statuses of several answers.
func statuses(all []*reply) (out []int) {
	for _, r := range all {
		out = append(out, r.status)
	}
	return out
}
