package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawAnswer is an answer to bytes that no HTTP library would send.
type rawAnswer struct {
	status int
	header http.Header
	body   string
}

// exchange sends bytes as they are, and reads every answer until the service
// closes the connection.
func exchange(t *testing.T, network, addr, request string) []rawAnswer {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil { // ends a test that hangs
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, request) }() // the service may close before it has all
	var all []rawAnswer
	for in := bufio.NewReader(c); ; {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Errorf("the connection stays open after %d answers to %q", len(all), clip(request))
			}
			return all
		}
		body, _ := io.ReadAll(answer.Body) // the connection's end is met at the next answer
		all = append(all, rawAnswer{answer.StatusCode, answer.Header, string(body)})
	}
}

// statuses of several answers.
func statuses(all []rawAnswer) (out []int) {
	for _, a := range all {
		out = append(out, a.status)
	}
	return out
}

// address of a service without the scheme.
func (s *service) address() string { return strings.TrimPrefix(s.url, "http://") }

// jobsSeen is the number of jobs that came as far as the runner.
func jobsSeen(t *testing.T, s *service) float64 {
	t.Helper()
	status, _, text := s.send(t, http.MethodGet, "/metrics", s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: %d", status)
	}
	return labelled(text, "cordon_jobs_total")
}

// labelled sums a metric over all its labels.
func labelled(text []byte, name string) (sum float64) {
	for key, value := range samples(text) {
		if key == name || strings.HasPrefix(key, name+"{") {
			sum += value
		}
	}
	return sum
}
