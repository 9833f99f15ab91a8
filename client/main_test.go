package client

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// scripted is a service that answers each request with the next of its answers, and the
// last of them from then on.
type scripted struct {
	*httptest.Server
	mu      sync.Mutex
	busy    sync.Mutex // with one answer
	answers []http.HandlerFunc
	seen    []*http.Request
}

func serve(t *testing.T, answers ...http.HandlerFunc) (*scripted, *Client) {
	t.Helper()
	s := &scripted{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s, dial(t, s.URL)
}

// dial makes a client that does not wait long.
func dial(t *testing.T, url string, options ...Option) *Client {
	t.Helper()
	c, err := New(url, append([]Option{WithToken("secret"), WithRetries(5, time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	c.wait = time.Millisecond
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// ServeHTTP answers with what is next.
func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	next := s.answers[min(len(s.seen), len(s.answers)-1)]
	s.seen = append(s.seen, r)
	s.mu.Unlock()
	s.busy.Lock()
	defer s.busy.Unlock()
	next(w, r)
}

// requests are those that came, and were answered.
func (s *scripted) requests() []*http.Request {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// says answers with a status, a body and headers.
func says(status int, kind, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func fails(status int, code Code, headers ...string) http.HandlerFunc {
	return says(status, "application/problem+json", `{"type":"about:blank","title":"T","status":1,"detail":"why","code":"`+string(code)+`","path":"files[0]"}`, headers...)
}

// breaks closes the connection in place of an answer.
func breaks(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
