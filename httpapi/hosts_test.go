package httpapi

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// combinations are what browsers and others may send. HOST and PORT are the
// listener's; "-" as the host sends HTTP/1.0 without one. Whatever is refused is
// refused on every route, with the token, before anything else is looked at.
var combinations = []struct {
	host    string
	headers []string
	code    Code // "" where the request is taken
}{
	// The service's own names.
	{"127.0.0.1:PORT", nil, ""},
	{"localhost:PORT", nil, ""},
	{"LocalHost:PORT", nil, ""},
	{"[::1]:PORT", nil, ""},
	{"cordon.example", nil, ""}, // of the configuration
	{"CORDON.example", nil, ""},
	{"cordon.example:9443", nil, ""},
	// DNS rebinding: a name of the attacker's that leads here.
	{"evil.example", nil, CodeUnknownHost},
	{"evil.example:PORT", nil, CodeUnknownHost},
	{"localhost.evil.example:PORT", nil, CodeUnknownHost},
	{"127.0.0.1.evil.example:PORT", nil, CodeUnknownHost},
	{"localhost.:PORT", nil, CodeUnknownHost},
	{"0.0.0.0:PORT", nil, CodeUnknownHost},
	{"[::]:PORT", nil, CodeUnknownHost},
	{"127.0.0.2:PORT", nil, CodeUnknownHost},
	{"127.1:PORT", nil, CodeUnknownHost},
	{"2130706433:PORT", nil, CodeUnknownHost},
	{"0x7f000001:PORT", nil, CodeUnknownHost},
	{"[::ffff:127.0.0.1]:PORT", nil, CodeUnknownHost},
	{"evil.example:PORT", []string{"X-Forwarded-Host: 127.0.0.1:PORT", "Forwarded: host=\"127.0.0.1:PORT\""}, CodeUnknownHost},
	// Another service on this machine, or none.
	{"localhost", nil, CodeUnknownHost},
	{"127.0.0.1", nil, CodeUnknownHost},
	{"localhost:1", nil, CodeUnknownHost},
	{"127.0.0.1:0PORT", nil, CodeUnknownHost},
	{"cordon.example:PORT", nil, CodeUnknownHost},
	{"sub.cordon.example", nil, CodeUnknownHost},
	{"", nil, CodeUnknownHost},
	{"-", nil, CodeUnknownHost},
	// Pages of the service itself.
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin"}, ""},
	{"localhost:PORT", []string{"Origin: http://localhost:PORT"}, ""},
	{"cordon.example", []string{"Origin: https://cordon.example", "Sec-Fetch-Site: same-origin"}, ""},
	{"127.0.0.1:PORT", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, ""},
	// Pages of others.
	{"127.0.0.1:PORT", []string{"Origin: https://evil.example"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://evil.example:PORT"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: null"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: "}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:1"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://localhost:PORT@evil.example"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://evil.example#127.0.0.1:PORT"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:PORT/"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: file://127.0.0.1:PORT"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: chrome-extension://abcdefghijklmnop"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: 127.0.0.1:PORT"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:PORT", "Origin: http://evil.example"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:PORT http://evil.example"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Sec-Fetch-Site: cross-site"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, CodeCrossOrigin},
	{"localhost:PORT", []string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors"}, CodeCrossOrigin}, // another port of localhost
	{"127.0.0.1:PORT", []string{"Sec-Fetch-Site: Same-Origin"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: cross-site"}, CodeCrossOrigin},
	// Asking first, and protocols that begin as HTTP.
	{"127.0.0.1:PORT", []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type",
		"Access-Control-Request-Private-Network: true"}, CodeCrossOrigin},
	{"127.0.0.1:PORT", []string{"Origin: https://evil.example", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, CodeCrossOrigin},
	{"evil.example:PORT", []string{"Origin: http://evil.example:PORT", "Sec-Fetch-Site: same-origin"}, CodeUnknownHost}, // as a rebound page says
	{"evil.example:PORT", []string{"Accept: text/event-stream", "Sec-Fetch-Site: same-origin"}, CodeUnknownHost},
}

// everyRoute is what there is, and what there is not.
var everyRoute = append(slices.Clone(routes), []struct{ method, path string }{{"GET", "/healthz"}, {"GET", "/readyz"}, {"GET", "/openapi.yaml"},
	{"HEAD", "/v1/policies"}, {"GET", runPath}, {"OPTIONS", runPath}, {"PUT", runPath}, {"GET", "/"}, {"GET", "/none"}, {"POST", "/healthz"}}...)

// TestForeignRequests sends every combination to every route, with the token, as
// if a browser knew it.
func TestForeignRequests(t *testing.T) {
	s := serve(t, time.Hour, nil)
	if len(combinations) < 40 {
		t.Fatalf("only %d combinations", len(combinations))
	}
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	wanted := 0
	for _, c := range combinations {
		for _, route := range everyRoute {
			text := strings.ReplaceAll(foreign(c.host, c.headers, route.method, route.path), "PORT", port)
			all := exchange(t, "tcp", s.addr, text)
			if len(all) != 1 {
				t.Fatalf("%d answers to %q", len(all), text)
			}
			got := all[0]
			for name := range got.header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Location" || name == "Upgrade" {
					t.Errorf("%q: %s: %s", text, name, got.header.Get(name))
				}
			}
			switch {
			case route.method != "HEAD" && c.code != "":
				got.wants(t, c.code, "")
				hold(t, route.method, route.path, got)
			case c.code != "" && got.status != statusOf[c.code] || c.code == "" && (got.status == 403 || got.status == 421):
				t.Errorf("%q: %d, want %q", text, got.status, c.code)
			}
			if c.code == "" && route.method == "POST" && route.path == runPath {
				wanted++
			}
		}
	}
	if s.runner.count() != wanted || wanted == 0 {
		t.Errorf("%d jobs ran, want %d", s.runner.count(), wanted)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func foreign(host string, headers []string, method, path string) string {
	var b strings.Builder
	b.WriteString(method + " " + path)
	if host == "-" {
		b.WriteString(" HTTP/1.0\r\n")
	} else {
		b.WriteString(" HTTP/1.1\r\nHost: " + host + "\r\n")
	}
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	if !slices.Contains(headers, "Connection: Upgrade") {
		b.WriteString("Connection: close\r\n")
	} else {
		b.WriteString("Connection: close, Upgrade\r\n")
	}
	b.WriteString("Authorization: Bearer " + canary + "\r\n")
	body := ""
	if method == "POST" || method == "PUT" {
		body = `{"command":["true"]}`
		b.WriteString("Content-Type: application/json\r\nContent-Length: 20\r\n")
	}
	return b.String() + "\r\n" + body
}

// TestUnixHost: a socket has no name, but a page that a proxy lets through is
// still of some site.
func TestUnixHost(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, time.Hour, func(tcp net.Listener) net.Listener {
		tcp.Close()
		return l
	})
	for _, c := range []struct {
		host    string
		headers []string
		status  int
	}{
		{"anything", nil, 200}, {"localhost:1", nil, 200}, {"-", nil, 200},
		{"site.example", []string{"Origin: https://site.example"}, 200},
		{"proxied", []string{"Origin: https://cordon.example"}, 200},
		{"site.example", []string{"Origin: https://evil.example"}, 403},
		{"-", []string{"Origin: https://"}, 403},
		{"anything", []string{"Sec-Fetch-Site: cross-site"}, 403},
	} {
		if got := statuses(exchange(t, "unix", l.Addr().String(), foreign(c.host, c.headers, "POST", runPath))); !slices.Equal(got, []int{c.status}) {
			t.Errorf("%s %v: %v, want %d", c.host, c.headers, got, c.status)
		}
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// TestContentType: what a form or a plain fetch of a page can send is no job.
func TestContentType(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		headers []string
		code    Code
	}{
		{[]string{"Content-Type", "application/json"}, ""},
		{[]string{"Content-Type", "Application/JSON; charset=UTF-8"}, ""},
		{[]string{"Content-Type", ""}, CodeNotJSON},
		{[]string{"Content-Type", "text/plain"}, CodeNotJSON},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, CodeNotJSON},
		{[]string{"Content-Type", "multipart/form-data; boundary=x"}, CodeNotJSON},
		{[]string{"Content-Type", "text/json"}, CodeNotJSON},
		{[]string{"Content-Type", "application/json; charset=latin-1"}, CodeNotJSON},
		{[]string{"Content-Type", "application/json; boundary=x"}, CodeNotJSON},
		{[]string{"Content-Type", "text/plain; application/json"}, CodeNotJSON},
		{[]string{"Content-Type", "application/json, text/plain"}, CodeNotJSON},
		{[]string{"Content-Type", "application/problem+json"}, CodeNotJSON},
		{[]string{"Content-Encoding", "gzip"}, CodeEncoded},
		{[]string{"Content-Encoding", "identity"}, CodeEncoded},
		{[]string{"Content-Encoding", "br, gzip"}, CodeEncoded},
	} {
		before := s.runner.count()
		r := s.send(t, "POST", runPath, strings.NewReader(`{"command":["true"]}`), c.headers...)
		if c.code == "" && r.status != 200 {
			t.Errorf("%v: %d %s", c.headers, r.status, r.body)
		}
		if c.code != "" {
			r.wants(t, c.code, "")
		}
		if ran := s.runner.count() > before; ran != (c.code == "") {
			t.Errorf("%v: ran: %v", c.headers, ran)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for _, good := range []string{"cordon.example", "cordon.example:8080", "localhost:9000", "10.1.2.3", "10.1.2.3:80", "[::1]", "[2001:db8::1]:8080"} {
		if err := CheckHost(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "*", "*.example", "http://cordon.example", "cordon.example/", "cordon.example/x", "a@b", "a:b", "a:", "a:0", "a:70000", ":80", "::1", "a b", "a?b", "a#b"} {
		if CheckHost(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, err := New(Config{Hosts: []string{bad}}); err == nil {
			t.Errorf("a service was made with host %q", bad)
		}
	}
}

// TestNamesOf: on port 80 clients leave the port out.
func TestNamesOf(t *testing.T) {
	for at, want := range map[string][]string{
		"127.0.0.1:8080":          {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"},
		"[::ffff:192.0.2.1]:8080": {"192.0.2.1:8080", "localhost:8080"},
		"[fe80::1%eth0]:8080":     {"[fe80::1]:8080"},
		"192.0.2.1:80":            {"192.0.2.1:80", "192.0.2.1", "localhost", "127.0.0.1", "[::1]", "[::1]:80"},
	} {
		names := namesOf(netip.MustParseAddrPort(at))
		for _, name := range want {
			if !slices.Contains(names, name) {
				t.Errorf("%s: %v, want %s", at, names, name)
			}
		}
		if strings.HasSuffix(at, ":8080") && slices.Contains(names, "localhost") {
			t.Errorf("%s: %v", at, names)
		}
	}
}
