package webhook

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cordon/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sender(t testing.TB, change func(*Config)) (*Sender, *testkit.Journal) {
	t.Helper()
	log := &testkit.Journal{}
	c := Config{Hosts: list(t), Secrets: secrets(t, oneSecret), Logger: slog.New(slog.NewTextHandler(log, nil))}
	change(&c)
	s, err := NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// to is a sender that may tell a server of the test's own, by its address.
func to(t testing.TB, urls ...string) *Sender {
	s, _ := sender(t, func(c *Config) { c.Hosts = list(t, urls...) })
	return s
}

func receiver(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func TestMessage(t *testing.T) {
	var got *http.Request
	var body []byte
	url := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	s := to(t, url)
	before := time.Now().Unix()
	if o := s.Send(t.Context(), Message{"job-1", "", url + "/in?token=x", []byte(exampleBody)}); o != (Outcome{Status: 200}) {
		t.Fatalf("%+v", o)
	}
	at, err := strconv.ParseInt(got.Header.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || at < before || at > time.Now().Unix() {
		t.Errorf("timestamp %d: %v", at, err)
	}
	if got.Method != "POST" || got.RequestURI != "/in?token=x" || string(body) != exampleBody || got.Header.Get("Webhook-Id") != "job-1" ||
		got.Header.Get("Content-Type") != "application/json" || got.ContentLength != int64(len(body)) {
		t.Errorf("%s %s %v %s", got.Method, got.RequestURI, got.Header, body)
	}
	want := secrets(t, oneSecret).sign("", "job-1", time.Unix(at, 0), body)
	if got.Header.Get("Webhook-Signature") != want {
		t.Errorf("%s, want %s", got.Header.Get("Webhook-Signature"), want)
	}
	s.Use(secrets(t, "whsec_"+strings.Repeat("A", 32)))
	if o := s.Send(t.Context(), Message{"job-1", "", url, nil}); o.Status != 200 || strings.Contains(got.Header.Get("Webhook-Signature"), want) {
		t.Errorf("the secret is not changed: %+v", o)
	}
}

func TestStatus(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		status int
		after  string
		want   Outcome
	}{
		{200, "", Outcome{200, "", 0}}, {204, "60", Outcome{204, "", 0}}, {299, "", Outcome{299, "", 0}}, {301, "", Outcome{301, ReasonStatus, 0}}, {304, "", Outcome{304, ReasonStatus, 0}},
		{400, "", Outcome{400, ReasonStatus, 0}}, {404, "60", Outcome{404, ReasonStatus, 0}}, {410, "60", Outcome{410, ReasonGone, 0}}, {500, "60", Outcome{500, ReasonStatus, 0}},
		{429, "", Outcome{429, ReasonStatus, 0}}, {429, "60", Outcome{429, ReasonStatus, time.Minute}}, {503, "60", Outcome{503, ReasonStatus, time.Minute}},
		{503, "99999999", Outcome{503, ReasonStatus, waitMost}}, {503, "99999999999999999999", Outcome{503, ReasonStatus, 0}}, {503, "-5", Outcome{503, ReasonStatus, 0}},
		{503, "soon", Outcome{503, ReasonStatus, 0}}, {503, now.Add(-time.Hour).UTC().Format(http.TimeFormat), Outcome{503, ReasonStatus, 0}},
		{503, now.Add(48 * time.Hour).UTC().Format(http.TimeFormat), Outcome{503, ReasonStatus, waitMost}},
	} {
		if got := judge(&http.Response{StatusCode: c.status, Header: http.Header{"Retry-After": {c.after}}}, now); got != c.want {
			t.Errorf("%d, Retry-After %q: %+v, want %+v", c.status, c.after, got, c.want)
		}
	}
	if got := retryAfter(now.Add(time.Hour).UTC().Format(http.TimeFormat), now); got <= 59*time.Minute || got > time.Hour {
		t.Errorf("in an hour: %v", got)
	}
}

// What a name means is looked at when it is dialled: not what it meant before, and every
// address of it.
func TestNamesThatMeanOtherAddresses(t *testing.T) {
	var asked, reached atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	answers := make(chan [4]byte, 100)
	resolver := names(t, func() [4]byte { asked.Add(1); return <-answers })
	url := "http://rebind.example:" + port + "/"
	s, _ := sender(t, func(c *Config) {
		c.Hosts, c.Resolver = list(t, "http://rebind.example:"+port), resolver
	})
	// A documentation address first and then loopback: both are refused, whenever.
	for _, address := range [][4]byte{{192, 0, 2, 1}, {127, 0, 0, 1}, {10, 0, 0, 1}, {169, 254, 169, 254}} {
		answers <- address
		if o := s.Send(t.Context(), Message{"id", "", url, nil}); o.Reason != ReasonAddress || o.Status != 0 {
			t.Errorf("%v: %+v", address, o)
		}
	}
	if n := reached.Load(); n != 0 || asked.Load() == 0 {
		t.Errorf("reached %d times, asked %d times", n, asked.Load())
	}
	// The control: with the address listed the same name leads there.
	s, _ = sender(t, func(c *Config) {
		c.Hosts, c.Resolver = list(t, "http://rebind.example:"+port, "127.0.0.1/32"), resolver
	})
	answers <- [4]byte{127, 0, 0, 1}
	if o := s.Send(t.Context(), Message{"id", "", url, nil}); o.Status != 200 || reached.Load() != 1 {
		t.Errorf("listed: %+v", o)
	}
	// And then another: listed is the address, not the name.
	answers <- [4]byte{127, 0, 0, 2}
	if o := s.Send(t.Context(), Message{"id", "", url, nil}); o.Reason != ReasonAddress {
		t.Errorf("another address: %+v", o)
	}
}

// names is a resolver that asks a server of the test's own, which answers every question
// for an IPv4 address with answer's, and says that nothing may be kept.
func names(t testing.TB, answer func() [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := reply(buffer[:n], answer); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

// reply answers a question of DNS.
func reply(q []byte, answer func() [4]byte) []byte {
	end := 12
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	if end+5 > len(q) {
		return nil
	}
	kind := binary.BigEndian.Uint16(q[end+1:])
	out := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end+5]...)
	if kind == 1 { // A
		out[7] = 1
		address := answer()
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		out = append(out, address[:]...)
	}
	return out
}

// A redirect is a failure, wherever it leads: who answers for a listed host cannot send
// the service to another.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var inside atomic.Int32
	secret := receiver(t, func(http.ResponseWriter, *http.Request) { inside.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, secret, status) })
		if o := to(t, url, secret).Send(t.Context(), Message{"id", "", url, []byte("{}")}); o != (Outcome{Status: status, Reason: ReasonStatus}) {
			t.Errorf("%d: %+v", status, o)
		}
	}
	if o := to(t, secret).Send(t.Context(), Message{"id", "", secret, nil}); o.Status != 200 || inside.Load() != 1 { // the control
		t.Errorf("%+v, %d", o, inside.Load())
	}
}

// The proxy of the environment is not asked: it would connect to anything.
func TestNoProxy(t *testing.T) {
	var asked atomic.Int32
	proxy := receiver(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy)
	}
	s, _ := sender(t, func(c *Config) {
		c.Hosts, c.Resolver = list(t, "http://a.example"), names(t, func() [4]byte { return [4]byte{127, 0, 0, 1} })
	})
	if o := s.Send(t.Context(), Message{"id", "", "http://a.example/", nil}); o.Reason != ReasonAddress || asked.Load() != 0 {
		t.Errorf("%+v, the proxy was asked %d times", o, asked.Load())
	}
}

// raw is a receiver that writes what it likes.
func raw(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			serve(c)
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// Receivers that are slow or say too much are given up on, and cost little.
func TestHostileAnswers(t *testing.T) {
	gone := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) } // until the other side has enough
	for name, serve := range map[string]func(net.Conn){
		"nothing": gone,
		"half a head": func(c net.Conn) {
			for line := "HTTP/1.1 200 OK\r\n"; ; line = "X: y\r\n" { // a header now and then
				if _, err := io.WriteString(c, line); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		},
	} {
		url := raw(t, serve)
		ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond) // instead of Within
		if o := to(t, url).Send(ctx, Message{"id", "", url, nil}); o.Status != 0 || o.Reason != ReasonTimeout && o.Reason != ReasonAnswer {
			t.Errorf("%s: %+v", name, o)
		}
		stop()
	}
	var sent atomic.Int64
	huge := func(head string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, head)
			for sent.Store(0); ; { // until it is closed
				n, err := c.Write(make([]byte, 64<<10))
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		}
	}
	url := raw(t, huge("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"))
	if o := to(t, url).Send(t.Context(), Message{"id", "", url, nil}); o != (Outcome{Status: 200}) {
		t.Errorf("a body without end: %+v", o)
	}
	url = raw(t, huge("HTTP/1.1 200 OK\r\nX: "))
	if o := to(t, url).Send(t.Context(), Message{"id", "", url, nil}); o != (Outcome{Reason: ReasonAnswer}) {
		t.Errorf("a head without end: %+v", o)
	}
	url = raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n") })
	if o := to(t, url).Send(t.Context(), Message{"id", "", url, nil}); o != (Outcome{Reason: ReasonAnswer}) {
		t.Errorf("no HTTP: %+v", o)
	}
	// A body that does not come: the status counts.
	url = raw(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n")
		gone(c)
	})
	if o := to(t, url).Send(t.Context(), Message{"id", "", url, nil}); o != (Outcome{Status: 204}) {
		t.Errorf("a body that does not come: %+v", o)
	}
}

// TLS is checked: the certificate has to be for the host, by an authority of the system's
// or of --webhook-ca.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, c := range []struct {
		ca, url string
		want    Outcome
	}{
		{"", server.URL, Outcome{Reason: ReasonTLS}},
		{ca, server.URL, Outcome{Status: 200}}, // whose certificate is for 127.0.0.1 and example.com
		{ca, "https://example.com:" + port, Outcome{Status: 200}},
		{ca, "https://other.example:" + port, Outcome{Reason: ReasonTLS}},
	} {
		s, _ := sender(t, func(config *Config) {
			config.CA, config.Hosts = c.ca, list(t, c.url, "127.0.0.1/32")
			config.Resolver = names(t, func() [4]byte { return [4]byte{127, 0, 0, 1} })
		})
		if o := s.Send(t.Context(), Message{"id", "", c.url, nil}); o != c.want {
			t.Errorf("%+v: %+v", c, o)
		}
	}
	// What speaks no TLS at all.
	plain := receiver(t, func(http.ResponseWriter, *http.Request) {})
	https := strings.Replace(plain, "http:", "https:", 1)
	if o := to(t, https).Send(t.Context(), Message{"id", "", https, nil}); o.Status != 0 || o.Reason != ReasonTLS && o.Reason != ReasonAnswer {
		t.Errorf("no TLS: %+v", o)
	}
	for _, bad := range []string{filepath.Join(t.TempDir(), "none"), os.Args[0]} {
		if _, err := NewSender(Config{Hosts: list(t), CA: bad}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func TestReasons(t *testing.T) {
	closed := receiver(t, func(http.ResponseWriter, *http.Request) {})
	s := to(t, closed)
	if o := s.Send(t.Context(), Message{"id", "", "https://not.listed/", nil}); o != (Outcome{Reason: ReasonHost}) {
		t.Errorf("%+v", o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	s, log := sender(t, func(c *Config) { c.Hosts = list(t, url) })
	if o := s.Send(t.Context(), Message{"id", "", url + "/in?token=canary", nil}); o != (Outcome{Reason: ReasonConnect}) {
		t.Errorf("%+v", o)
	}
	if text := log.String(); strings.Contains(text, "canary") || !strings.Contains(text, "cannot_connect") {
		t.Errorf("the log: %s", text)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if o := s.Send(ctx, Message{"id", "", url, nil}); o != (Outcome{Reason: ReasonStopped}) {
		t.Errorf("%+v", o)
	}
	s, _ = sender(t, func(c *Config) {
		c.Hosts = list(t, "http://no.example")
		c.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, io.ErrUnexpectedEOF }}
	})
	if o := s.Send(t.Context(), Message{"id", "", "http://no.example/", nil}); o != (Outcome{Reason: ReasonName}) {
		t.Errorf("%+v", o)
	}
}
