package httpapi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// posing is a listener on a unix socket whose connections seem to come over TCP: a
// fuzzer would use up the ports of the machine.
type posing struct{ net.Listener }

type posingConn struct{ *net.UnixConn }

var posedAt = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}

func (posingConn) LocalAddr() net.Addr  { return posedAt }
func (posingConn) RemoteAddr() net.Addr { return posedAt }

func (p posing) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return posingConn{c.(*net.UnixConn)}, nil
}

// posed is a served service on such a listener.
func posed(f *testing.F) (*served, string) {
	agreed(f) // takes seconds, and one input that takes ten is called a hang
	name := filepath.Join(f.TempDir(), "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		f.Fatal(err)
	}
	s := serve(f, time.Hour, func(tcp net.Listener) net.Listener {
		tcp.Close()
		return posing{l}
	})
	f.Cleanup(func() {
		s.stop()
		if err := <-s.done; err != nil {
			f.Error(err)
		}
	})
	return s, name
}

// tell sends bytes, ends its half of the connection and reads all that comes back.
func tell(t *testing.T, socket string, text []byte) []byte {
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = c.Write(text) // the server may have heard enough before
		_ = c.(*net.UnixConn).CloseWrite()
	}()
	answer, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("%v after %q", err, answer)
	}
	return answer
}

// judge holds every answer of a connection against openapi.yaml. Answers that
// net/http gives before there is a request are text, and the last.
func verify(t *testing.T, requests, answers []byte) {
	in, asked := bufio.NewReader(bytes.NewReader(answers)), bufio.NewReader(bytes.NewReader(requests))
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		question, unread := http.ReadRequest(asked)
		if unread != nil {
			question = &http.Request{Method: "GET"}
		}
		answer, err := http.ReadResponse(in, question)
		if err == nil && answer.StatusCode == http.StatusContinue {
			answer, err = http.ReadResponse(in, question)
		}
		if err != nil {
			t.Fatalf("no answer: %v: %q", err, answers)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("%v in %q", err, answers)
		}
		if answer.StatusCode >= 500 || answer.StatusCode < 200 || answer.StatusCode >= 300 && answer.StatusCode < 400 {
			t.Fatalf("status %d: %s", answer.StatusCode, body)
		}
		if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") && answer.StatusCode >= 400 || answer.StatusCode == http.StatusExpectationFailed {
			if answer.StatusCode != 400 && answer.StatusCode != 431 && answer.StatusCode != 417 || !answer.Close {
				t.Fatalf("%d %v %s", answer.StatusCode, answer.Header, body)
			}
			return
		}
		if unread != nil {
			t.Fatalf("an answer to what is no request (%v): %q", unread, answers)
		}
		hold(t, question.Method, question.URL.EscapedPath(), &reply{answer.StatusCode, answer.Header, body})
		if _, err := io.Copy(io.Discard, question.Body); err != nil {
			return
		}
	}
}

// FuzzRequest: whatever stands in method, target, headers and body of a request
// with the token, the answer is one that openapi.yaml has, and none of ours is 5xx.
func FuzzRequest(f *testing.F) {
	s, socket := posed(f)
	for _, r := range everyRoute {
		f.Add(r.method, r.path, "Origin: http://127.0.0.1:8080", []byte(`{"command":["true"]}`))
	}
	for _, path := range []string{"*", "//v1/run", "/v1/../v1/run", "/v1/%72un", "/%", "http://evil.example/healthz", "/v1/run?a=b#c", "/\xff"} {
		f.Add("POST", path, "Expect: 100-continue", []byte("{}"))
	}
	for _, c := range refusedBodies {
		if len(c.body) < 1000 {
			f.Add("POST", runPath, "Content-Type: application/json", []byte(c.body))
		}
	}
	f.Add("POST", runPath, "Content-Encoding: gzip\r\nExpect: x", []byte(everything))
	f.Fuzz(func(t *testing.T, method, target, headers string, body []byte) {
		if strings.ContainsAny(method+target, "\r\n") || strings.Contains(headers, canary) {
			return // FuzzConnection's
		}
		text := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\nAuthorization: Bearer %s\r\n", method, target, canary)
		if !strings.Contains(strings.ToLower(headers), "content-type") {
			text = append(text, "Content-Type: application/json\r\n"...)
		}
		text = fmt.Appendf(text, "%s\r\nContent-Length: %d\r\n\r\n%s", headers, len(body), body)
		before := s.runner.count()
		answers := tell(t, socket, text)
		if len(answers) == 0 && len(headers) == 0 {
			t.Fatalf("no answer to %q", text)
		}
		verify(t, text, answers)
		if s.runner.count() > before && (method != "POST" || !strings.Contains(target, runPath)) {
			t.Fatalf("a job ran for %q", text)
		}
	})
}

// FuzzConnection: whatever comes over a connection without the token, no job runs,
// and every answer is one that openapi.yaml has.
func FuzzConnection(f *testing.F) {
	s, socket := posed(f)
	replace := strings.NewReplacer("HEAD", "POST "+runPath+" HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nAuthorization: Bearer x\r\n",
		"BODY", `{"command":["true"]}`)
	for _, c := range smuggled {
		f.Add([]byte(strings.ReplaceAll(replace.Replace(c.request), "HOST", "127.0.0.1:8080") + last("localhost:8080")))
	}
	for _, c := range combinations {
		f.Add([]byte(strings.ReplaceAll(strings.ReplaceAll(foreign(c.host, c.headers, "POST", runPath), "PORT", "8080"), canary, "x")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte(canary)) {
			return
		}
		verify(t, text, tell(t, socket, text))
		if s.runner.count() != 0 {
			t.Fatalf("a job ran for %q", text)
		}
	})
}
