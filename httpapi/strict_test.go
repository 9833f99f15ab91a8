package httpapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// smuggled are requests of which two programs may see different ends. Each is
// followed by a good one, which must not be answered where the first is refused.
// HEAD stands for a request's line and good headers.
var smuggled = []struct {
	name, request string
	statuses      []int
}{
	{"control: two good ones", "GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n", []int{200, 200}},
	{"control: a body", "HEADContent-Length: 20\r\n\r\nBODY", []int{200, 200}},
	{"control: an empty header", "HEADContent-Length: 20\r\nX-Empty:\r\nX-Space: \t\r\n\r\nBODY", []int{200, 200}},
	{"control: chunks", "HEADTransfer-Encoding: chunked\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{200}}, // and no more after it

	{"CL and TE", "HEADContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"TE and CL", "HEADTransfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"two different CL", "HEADContent-Length: 20\r\nContent-Length: 5\r\n\r\nBODY", []int{400}},
	{"two equal CL", "HEADContent-Length: 20\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"a list as CL", "HEADContent-Length: 20, 20\r\n\r\nBODY", []int{400}},
	{"CL with a sign", "HEADContent-Length: +20\r\n\r\nBODY", []int{400}},
	{"negative CL", "HEADContent-Length: -1\r\n\r\nBODY", []int{400}},
	{"CL in hex", "HEADContent-Length: 0x14\r\n\r\nBODY", []int{400}},
	{"empty CL", "HEADContent-Length: \r\n\r\nBODY", []int{400}},
	{"CL beyond numbers", "HEADContent-Length: 18446744073709551636\r\n\r\nBODY", []int{400}},
	{"CL after many zeros", "HEADContent-Length: " + strings.Repeat("0", 100) + "20\r\n\r\nBODY", []int{400}},
	{"space before the colon", "HEADContent-Length : 20\r\n\r\nBODY", []int{400}},
	{"TE with another", "HEADTransfer-Encoding: gzip, chunked\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"TE twice", "HEADTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"TE identity", "HEADTransfer-Encoding: identity\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"TE with a tail", "HEADTransfer-Encoding: chunked;x\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"TE behind a control character", "HEADTransfer-Encoding: \x0bchunked\r\n\r\n14\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"TE in HTTP/1.0", "GET /healthz HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
	{"obs-fold", "HEADX: a\r\n b\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"obs-fold that hides TE", "HEADX: a\r\n\tTransfer-Encoding: chunked\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"fold of the request line", "GET /healthz HTTP/1.1\r\n Host: HOST\r\n\r\n", []int{400}},
	{"bare LF", "GET /healthz HTTP/1.1\nHost: HOST\n\n", []int{400}},
	{"bare LF in a header", "HEADX: a\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"bare LF at the end", "GET /healthz HTTP/1.1\r\nHost: HOST\r\n\n", []int{400}},
	{"bare CR", "HEADX: a\rContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"two CR", "GET /healthz HTTP/1.1\r\r\nHost: HOST\r\n\r\n", []int{400}},
	{"NUL in a header", "HEADX: a\x00b\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"no colon", "HEADnothing\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"no name", "HEAD: x\r\nContent-Length: 20\r\n\r\nBODY", []int{400}},
	{"two Hosts", "GET /healthz HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n", []int{400}},
	{"two equal Hosts", "GET /healthz HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", []int{400}},
	{"no Host", "GET /healthz HTTP/1.1\r\n\r\n", []int{400}},
	{"a Host with a path", "GET /healthz HTTP/1.1\r\nHost: HOST/x\r\n\r\n", []int{400}},
	{"HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n\r\n", []int{421}},
	{"HTTP/1.0", "GET /healthz HTTP/1.0\r\nHost: HOST\r\n\r\n", []int{200}},
	{"HTTP/1.0 that goes on", "GET /healthz HTTP/1.0\r\nHost: HOST\r\nConnection: keep-alive\r\n\r\n", []int{200, 200}},
	{"HTTP/0.9", "GET /healthz\r\n", []int{400}},
	{"HTTP/1.2", "GET /healthz HTTP/1.2\r\nHost: HOST\r\n\r\n", []int{400}},
	{"http/1.1", "GET /healthz http/1.1\r\nHost: HOST\r\n\r\n", []int{400}},
	{"space at the request line's end", "GET /healthz HTTP/1.1 \r\nHost: HOST\r\n\r\n", []int{400}},
	{"an empty line first", "\r\nGET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n", []int{400}},
	{"another authority in the target", "GET http://evil.example/healthz HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", []int{421}},
	{"own authority in the target", "GET http://HOST/healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", []int{200}},
	{"HTTP/2 by its preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", []int{400}},
	{"HTTP/2 by an upgrade", "GET /healthz HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", []int{200, 200}},
	{"the server itself as the target", "OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n", []int{401, 200}},
	{"a tunnel", "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", []int{401, 200}},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
	{"bad chunk size", "HEADTransfer-Encoding: chunked\r\n\r\n14 x\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"negative chunk", "HEADTransfer-Encoding: chunked\r\n\r\n-1\r\nBODY\r\n0\r\n\r\n", []int{400}},
	{"bare LF after a chunk's size", "HEADTransfer-Encoding: chunked\r\n\r\n14\nBODY\r\n0\r\n\r\n", []int{400}},
	{"a request within a body that nobody reads", "POST /none HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 61\r\n\r\n" +
		"GET /v1/smuggled HTTP/1.1\r\nHost: HOST\r\nX: yyyyyyyyyyyyyyyyyyy\r\n\r\n", []int{404}},
}

// TestSmuggling: no request has two ends, and nothing follows one that could have.
func TestSmuggling(t *testing.T) {
	s := serve(t, time.Hour, nil)
	for _, c := range smuggled {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			text := strings.NewReplacer("HEAD", "POST "+runPath+" HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n",
				"BODY", `{"command":["true"]}`).Replace(c.request)
			text = strings.NewReplacer("HOST", s.addr, "TOKEN", canary).Replace(text)
			before := s.runner.count()
			got := exchange(t, "tcp", s.addr, text+last(s.addr))
			if !slices.Equal(statuses(got), c.statuses) {
				t.Errorf("%v, want %v: %q", statuses(got), c.statuses, text)
			}
			for _, r := range got {
				if r.header.Get("Upgrade") != "" {
					t.Errorf("upgraded: %v", r.header)
				}
			}
			if ran := s.runner.count() > before; ran != (strings.HasPrefix(c.request, "HEAD") && c.statuses[0] == 200) {
				t.Errorf("a job ran: %v", ran)
			}
		})
	}
	if strings.Contains(s.log.String(), "smuggled") {
		t.Error("a request was found within a body")
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// TestHeadersTooLarge: by bytes, and by number.
func TestHeadersTooLarge(t *testing.T) {
	s := serve(t, time.Hour, nil)
	head := "GET /healthz HTTP/1.1\r\nHost: " + s.addr + "\r\nConnection: close\r\n"
	for name, c := range map[string]struct {
		headers string
		status  int
	}{
		"as many as are taken": {strings.Repeat("A: b\r\n", maxHeaders-1), 200}, // with Connection
		"one more":             {strings.Repeat("A: b\r\n", maxHeaders), 431},
		"5000 small ones":      {strings.Repeat("A: b\r\n", 5000), 431},
		"10000 small ones":     {strings.Repeat("A: b\r\n", 10000), 431},
		"30 KiB in one":        {"A: " + strings.Repeat("b", 30<<10) + "\r\n", 200},
		"1 MiB in one":         {"A: " + strings.Repeat("b", 1<<20) + "\r\n", 431},
		"a long path":          {"", 431},
	} {
		text := head + c.headers + "\r\n"
		if name == "a long path" {
			text = strings.Replace(text, "/healthz", "/"+strings.Repeat("x", 64<<10), 1)
		}
		if got := statuses(exchange(t, "tcp", s.addr, text)); !slices.Equal(got, []int{c.status}) {
			t.Errorf("%s: %v, want %d", name, got, c.status)
		}
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// TestStrictPieces: however the bytes are cut, the same is refused, and nothing of
// what breaks a rule or follows it is read.
func TestStrictPieces(t *testing.T) {
	good := "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\n\n\nGET / HTTP/1.0\r\nX: y\r\n\r\n"
	for _, c := range []struct {
		bad string
		err error
	}{{"\n", errLineEnd}, {"GET / HTTP/1.1\r\nA: b\r\n ", errFolded}, {"GET / HTTP/2.0\r\n", errVersion}, {"GET / HTTP/1.1\r\nA\r\n", errNoColon},
		{"GET / HTTP/1.1\r\nContent-Length: x\r\n", errLength}, {"GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n", errEncoding},
		{"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\ncontent-length: 1\r\n", errBoth}} {
		text := good + c.bad
		want := text[:len(text)-1] // the last byte is what breaks the rule
		for name, read := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "bytes": iotest.OneByteReader} {
			var got bytes.Buffer
			_, err := io.Copy(&got, read(&strictConn{Conn: &readOnly{r: strings.NewReader(text + "more")}}))
			if !errors.Is(err, c.err) || got.String() != want {
				t.Errorf("%s of %q: %v, read %q", name, c.bad, err, got.String())
			}
		}
	}
}

// FuzzStrict: whatever net/http reads as a request through a strictConn, it ends
// where the scanner says that it ends.
func FuzzStrict(f *testing.F) {
	replace := strings.NewReplacer("HEAD", "POST / HTTP/1.1\r\nHost: x\r\n", "BODY", `{"command":["true"]}`, "HOST", "x")
	for _, c := range smuggled {
		f.Add([]byte(replace.Replace(c.request) + last("x")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		in := &strictConn{Conn: &readOnly{r: iotest.OneByteReader(bytes.NewReader(text))}}
		one := bufio.NewReaderSize(in, 16)
		for {
			r, err := http.ReadRequest(one)
			if err != nil {
				return
			}
			if len(r.TransferEncoding) > 0 { // the connection ends here
				if !in.head.blind {
					t.Fatalf("chunked, and the scanner did not see it: %q", text)
				}
				return
			}
			if r.ContentLength < 0 || in.head.blind {
				t.Fatalf("length %d, scanner %+v: %q", r.ContentLength, in.head, text)
			}
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				return
			}
			if n != r.ContentLength || in.head.body != 0 && one.Buffered() == 0 {
				t.Fatalf("a body of %d bytes, %d announced; the scanner waits for %d: %q", n, r.ContentLength, in.head.body, text)
			}
			if one.Buffered() == 0 && (in.head.inHead || len(in.head.start) > 0 || in.head.cr) {
				t.Fatalf("the scanner is in the midst of a head at the end of a request: %+v: %q", in.head, text)
			}
		}
	})
}
