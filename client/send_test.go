package client

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const aJob = `{"id":"1","state":"queued","priority":"normal","retry_safe":false,"attempts":0,"cancel_requested":false,"created_at":"2026-01-01T00:00:00Z"}`

// What may be sent again is, and nothing else.
func TestRetries(t *testing.T) {
	job := says(200, "application/json", aJob)
	taken := says(202, "application/json", aJob)
	run := func(c *Client) error { _, err := c.Run(t.Context(), RunRequest{}); return err }
	submit := func(c *Client) error { _, err := c.Submit(t.Context(), JobRequest{}); return err }
	unkeyed := func(c *Client) error { _, err := c.SubmitAs(t.Context(), "", JobRequest{}); return err }
	get := func(c *Client) error { _, err := c.Job(t.Context(), "1"); return err }
	cancel := func(c *Client) error { _, err := c.Cancel(t.Context(), "1"); return err }
	drop := func(c *Client) error { return c.DeleteFile(t.Context(), "1") }
	broken := errors.New("any")
	torn := func(w http.ResponseWriter, r *http.Request) { // in the middle of the answer
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(map[string]int{http.MethodPost: 202}[r.Method] + map[string]int{http.MethodGet: 200}[r.Method])
		_, _ = w.Write([]byte(aJob[:40]))
		_ = http.NewResponseController(w).Flush()
		breaks(w, r)
	}
	for name, one := range map[string]struct {
		do      func(*Client) error
		answers []http.HandlerFunc
		sent    int
		want    error
	}{
		"get over broken connections":           {get, []http.HandlerFunc{breaks, breaks, job}, 3, nil},
		"get over torn answers":                 {get, []http.HandlerFunc{torn, torn, job}, 3, nil},
		"submit over torn answers":              {submit, []http.HandlerFunc{torn, taken}, 2, nil},
		"a page of another":                     {get, []http.HandlerFunc{says(200, "text/html", "<html>"), job}, 1, broken},
		"submit over broken connections":        {submit, []http.HandlerFunc{breaks, breaks, taken}, 3, nil},
		"cancel over broken connections":        {cancel, []http.HandlerFunc{breaks, job}, 2, nil},
		"run over a broken connection":          {run, []http.HandlerFunc{breaks, job}, 1, broken},
		"submit without a key":                  {unkeyed, []http.HandlerFunc{breaks, taken}, 1, broken},
		"delete over a broken connection":       {drop, []http.HandlerFunc{breaks, says(204, "", "")}, 1, broken},
		"run that was turned away":              {run, []http.HandlerFunc{fails(503, ErrQueueFull, "Retry-After", "0"), fails(429, ErrTooManyAttempts, "Retry-After", "0"), job}, 3, nil},
		"run that was turned away without hope": {run, []http.HandlerFunc{fails(503, ErrQueueFull), job}, 1, ErrQueueFull},
		"run behind a proxy":                    {run, []http.HandlerFunc{says(502, "text/html", "<html>"), job}, 1, ErrNoProblemDocument},
		"get behind a proxy":                    {get, []http.HandlerFunc{says(502, "text/html", "<html>"), says(504, "", ""), job}, 3, nil},
		"submit to a queue that is away":        {submit, []http.HandlerFunc{fails(503, ErrQueueUnavailable, "Retry-After", "0"), taken}, 2, nil},
		"full for long":                         {get, []http.HandlerFunc{fails(503, ErrQueueFull, "Retry-After", "2"), job}, 1, ErrQueueFull},
		"full for ever":                         {get, []http.HandlerFunc{fails(503, ErrQueueFull, "Retry-After", "0")}, 6, ErrQueueFull},
		"wrong":                                 {submit, []http.HandlerFunc{fails(422, ErrPolicyDenied, "Retry-After", "0"), taken}, 1, ErrPolicyDenied},
		"a fault of the service":                {get, []http.HandlerFunc{fails(500, ErrInternal), job}, 1, ErrInternal},
		"a probe":                               {func(c *Client) error { return c.Ready(t.Context()) }, []http.HandlerFunc{says(503, "text/plain", "ending"), says(200, "text/plain", "ready")}, 1, ErrNoProblemDocument},
		"the size of a file that is not there":  {func(c *Client) error { _, err := c.FileSize(t.Context(), "1"); return err }, []http.HandlerFunc{fails(404, ErrUnknownFile)}, 1, ErrUnknownFile},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := serve(t, one.answers...)
			err := one.do(c)
			if (err == nil) != (one.want == nil) || one.want != nil && one.want != broken && !errors.Is(err, one.want) {
				t.Errorf("%v, want %v", err, one.want)
			}
			if got := len(s.requests()); got != one.sent {
				t.Errorf("sent %d times, want %d", got, one.sent)
			}
		})
	}
}

// A submission is the same each time that it is sent, and each has a key of its own.
func TestSubmitAgain(t *testing.T) {
	var keys, bodies []string
	s, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(body))
		if len(keys)%2 == 1 {
			breaks(w, r)
		}
		says(202, "application/json", aJob)(w, r)
	})
	for range 2 {
		j, err := c.Submit(t.Context(), JobRequest{Command: []string{"true"}, Limits: LimitRequest{CPUMs: 5}, RetrySafe: true})
		if err != nil || j.ID != "1" || j.State != StateQueued || j.State.Final() {
			t.Fatalf("%+v, %v", j, err)
		}
	}
	r := s.requests()[0]
	if len(keys) != 4 || len(keys[0]) < 20 || keys[0] != keys[1] || keys[2] != keys[3] || keys[0] == keys[2] {
		t.Errorf("keys %q", keys)
	}
	for _, b := range bodies {
		if b != `{"command":["true"],"limits":{"cpu_ms":5},"retry_safe":true}` {
			t.Errorf("sent %s", b)
		}
	}
	if r.Header.Get("Authorization") != "Bearer secret" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "cordon-client" {
		t.Errorf("%v", r.Header)
	}
}

// An error says all that the service said.
func TestProblem(t *testing.T) {
	_, c := serve(t, fails(503, ErrQueueFull, "Retry-After", "7"))
	_, err := c.Run(t.Context(), RunRequest{})
	var p *Problem
	if !errors.As(err, &p) || p.RetryAfter != 7*time.Second || p.Status != 503 || p.Path != "files[0]" || p.Detail != "why" || err.Error() != "queue_full: files[0]: why" {
		t.Errorf("%v: %+v", err, p)
	}
	if errors.Is(err, ErrUnknownJob) || errors.Is(err, io.EOF) || !errors.Is(err, Code("queue_full")) {
		t.Error("codes are mistaken for each other")
	}
	soon := time.Now().Add(time.Hour)
	for text, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "-1": 0, "x": 0, "99999999": retryAfterLimit,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0, soon.UTC().Format(http.TimeFormat): time.Hour} {
		got := retryAfter(http.Header{"Retry-After": {text}}, soon.Add(-time.Hour))
		if (got - want).Abs() > time.Second {
			t.Errorf("Retry-After %q: %v, want %v", text, got, want)
		}
	}
}

// A wait ends with its context.
func TestWaitIsCut(t *testing.T) {
	asked := make(chan struct{}, 100)
	_, c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		fails(503, ErrQueueFull, "Retry-After", "1000")(w, r)
	})
	c.most = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := c.Job(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Nobody else gets the token.
func TestRedirect(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked: %v", r.Header) }))
	defer stranger.Close()
	s, c := serve(t, says(307, "text/plain", "", "Location", stranger.URL))
	if _, err := c.Job(t.Context(), "1"); !errors.Is(err, ErrNoProblemDocument) || len(s.requests()) != 1 {
		t.Errorf("%v", err)
	}
}

func TestAddresses(t *testing.T) {
	for url, wrong := range map[string]string{"": "url:", "127.0.0.1:8080": "url:", "ftp://host": "url:", "http://": "url:", "http://user:word@host": "url:", "unix:cordon.sock": "absolute",
		"http://host?x=1": "url:"} {
		if _, err := New(url); err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "word@") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := New("http://host", WithToken("two words")); err == nil || strings.Contains(err.Error(), "two words") {
		t.Errorf("%v", err)
	}
	if _, err := New("unix:/x", WithHTTPClient(http.DefaultClient)); err == nil {
		t.Error("a client that dials elsewhere is taken for a socket")
	}
	if _, err := New("http://host", WithRetries(-1, 0)); err == nil {
		t.Error("-1 retries")
	}
	var paths []string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.EscapedPath())
		says(200, "application/json", aJob)(w, r)
	}))
	name := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	if _, err := dial(t, "unix:"+name).Job(t.Context(), "a/../b?c"); err != nil {
		t.Error(err)
	}
	over, err := New("http://cordon/below/", WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", name) }}}))
	if err != nil {
		t.Fatal(err)
	}
	defer over.CloseIdleConnections()
	if _, err := over.Job(t.Context(), "1"); err != nil {
		t.Error(err)
	}
	if strings.Join(paths, " ") != "/v1/jobs/a%2F..%2Fb%3Fc /below/v1/jobs/1" {
		t.Errorf("%q", paths)
	}
}
