package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client is a service, as its clients see it.
type Client struct {
	base      string // of all paths
	http      *http.Client
	token     string
	userAgent string
	retries   int
	wait      time.Duration // before the first retry
	most      time.Duration // between two
	silence   time.Duration // that a stream of events may have
}

// Option changes a Client that is made.
type Option func(*settings)

type settings struct {
	Client
	given *http.Client
}

// WithToken is the service's bearer token, as cordon token prints it.
func WithToken(token string) Option { return func(s *settings) { s.token = token } }

// WithHTTPClient has requests sent by another client than one of this Client's own. Its
// Timeout has to leave jobs the time that they run, or be 0.
func WithHTTPClient(h *http.Client) Option { return func(s *settings) { s.given = h } }

// WithUserAgent is the header User-Agent; cordon-client when not given.
func WithUserAgent(name string) Option { return func(s *settings) { s.userAgent = name } }

// WithRetries says how often a request is sent again at most, where it may be, and how
// long is waited between two at most: 8 and 5s when not given, which is about 15s in all;
// 0 does without. A service that wants to be left alone for longer than that is not asked
// again.
func WithRetries(n int, most time.Duration) Option {
	return func(s *settings) { s.retries, s.most = n, most }
}

// silence is four times what the service lets pass without a sign of life.
const silence = time.Minute

// New makes a client of the service at a URL: http://host:port, https://host/below, or
// unix:/path for the one that listens on that socket.
func New(at string, options ...Option) (*Client, error) {
	s := settings{Client: Client{userAgent: "cordon-client", retries: 8, wait: 100 * time.Millisecond, most: 5 * time.Second, silence: silence}}
	for _, o := range options {
		o(&s)
	}
	if s.retries < 0 || s.most < 0 {
		return nil, fmt.Errorf("retries: %d and %v given, 0 or more are wanted", s.retries, s.most)
	}
	if strings.ContainsFunc(s.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("token: visible ASCII characters without spaces are wanted")
	}
	if err := s.address(at); err != nil {
		return nil, err
	}
	return &s.Client, nil
}

// address reads the URL.
func (s *settings) address(at string) error {
	own := http.DefaultTransport.(*http.Transport).Clone()
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		if s.given != nil {
			return fmt.Errorf("url: %q given with an HTTP client of yours; give that a transport that dials the socket, and http://cordon as the URL", at)
		}
		if path = strings.TrimPrefix(path, "//"); !strings.HasPrefix(path, "/") {
			return fmt.Errorf("url: %q given, unix: and an absolute path is wanted", at)
		}
		own.Proxy = nil
		own.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		at = "http://cordon"
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("url: %q given, one such as http://127.0.0.1:8080, https://host/below or unix:/path is wanted", redacted(at))
	}
	s.base = strings.TrimRight(u.String(), "/")
	h := http.Client{Transport: own}
	if s.given != nil {
		h = *s.given
	}
	if h.CheckRedirect == nil { // the service redirects nothing: who does is not the service
		h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	s.http = &h
	return nil
}

// redacted is a URL for a message: without a password in it.
func redacted(at string) string {
	if u, err := url.Parse(at); err == nil {
		return u.Redacted()
	}
	return "something that is no URL"
}

// CloseIdleConnections closes what is not in use.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }
