package httpapi

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ask sends a GET from a peer, with this header as Authorization.
func (s *service) ask(t *testing.T, peer, authorization string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/policies", nil)
	r.RemoteAddr = peer + ":1"
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// TestAttempts: who shows many wrong tokens is told to wait; who shows the right
// one from there never is, nor is anybody elsewhere.
func TestAttempts(t *testing.T) {
	s := start(t, nil)
	now := time.Unix(1000, 0)
	s.attempts.now = func() time.Time { return now }
	wrong := func(peer string) int { return s.ask(t, peer, "Bearer wrong-token-of-the-tests").Code }
	for i := range failuresAtOnce {
		if got := wrong("10.0.0.1"); got != 401 {
			t.Fatalf("attempt %d: %d", i, got)
		}
		if got := s.ask(t, "10.0.0.1", "Bearer "+canary).Code; got != 200 {
			t.Fatalf("the right token after %d attempts: %d", i, got)
		}
	}
	for _, authorization := range []string{"", "Bearer x", "Basic eDp5"} {
		w := s.ask(t, "10.0.0.1", authorization)
		got := &reply{w.Code, w.Header(), w.Body.Bytes()}
		got.wants(t, CodeTooManyAttempts, "")
		hold(t, "GET", "/v1/policies", got)
		if seconds, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || seconds != 1 {
			t.Errorf("Retry-After: %q", got.header.Get("Retry-After"))
		}
	}
	if got := s.ask(t, "10.0.0.1", "Bearer "+canary).Code; got != 200 {
		t.Errorf("the right token is kept waiting: %d", got)
	}
	if got := wrong("10.0.0.2"); got != 401 {
		t.Errorf("another peer: %d", got)
	}
	now = now.Add(time.Second)
	if first, second := wrong("10.0.0.1"), wrong("10.0.0.1"); first != 401 || second != 429 {
		t.Errorf("a second later: %d, then %d", first, second)
	}
	now = now.Add(-time.Hour) // a clock that is set back keeps nobody waiting for longer
	if w := s.ask(t, "10.0.0.1", ""); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("%d, Retry-After %s", w.Code, w.Header().Get("Retry-After"))
	}
}

// TestAttemptsBounded: peers are forgotten, so that their number costs nothing.
func TestAttemptsBounded(t *testing.T) {
	a := newAttempts()
	now := time.Unix(1000, 0)
	a.now = func() time.Time { return now }
	for i := range 3 * failuresPeers {
		a.failed(fmt.Sprint(i))
		if len(a.peers) > failuresPeers {
			t.Fatalf("%d peers are remembered", len(a.peers))
		}
	}
	now = now.Add(time.Hour)
	a.failed("new")
	if len(a.peers) != 1 {
		t.Errorf("%d peers are remembered after an hour", len(a.peers))
	}
}

// TestUnauthorizedAlike: nothing tells an unknown token from one that is nearly
// right.
func TestUnauthorizedAlike(t *testing.T) {
	s := start(t, nil)
	var first *httptest.ResponseRecorder
	for i, authorization := range []string{"", "Bearer", "Bearer wrong", "Bearer " + canary[:len(canary)-1], "Bearer " + canary + "x", "Bearer " + strings.Repeat("x", 10000),
		"Basic " + canary, canary, "Bearer x" + canary[1:], "Bearer \xff"} {
		w := s.ask(t, fmt.Sprintf("10.0.0.%d", i), authorization)
		if first == nil {
			first = w
		}
		if w.Code != 401 || !bytes.Equal(w.Body.Bytes(), first.Body.Bytes()) || fmt.Sprint(w.Header()) != fmt.Sprint(first.Header()) {
			t.Errorf("%.50q: %d %v %s", authorization, w.Code, w.Header(), w.Body)
		}
	}
}

// TestTokenCompare reads the source: the secret is seen by few functions, and
// compared by one, as digests of one length and in constant time.
func TestTokenCompare(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "token.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	calls, compares := map[string]int{}, 0
	sees := map[string]bool{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if n.Sel.Name == "secret" || n.Sel.Name == "Reveal" {
					sees[f.Name.Name] = true
				}
				if x, ok := n.X.(*ast.Ident); ok && f.Name.Name == "Is" {
					calls[x.Name+"."+n.Sel.Name]++
				}
			case *ast.BinaryExpr:
				if f.Name.Name == "Is" && (n.Op == token.EQL || n.Op == token.NEQ) {
					compares++ // of the outcome with 1, and of the pointer with nil
				}
			}
			return true
		})
	}
	if calls["sha256.Sum256"] != 2 || calls["subtle.ConstantTimeCompare"] != 1 || compares != 2 {
		t.Errorf("Is calls %v and compares %d times", calls, compares)
	}
	if len(sees) != 3 || !sees["Is"] || !sees["Reveal"] || !sees["Conceal"] {
		t.Errorf("the secret is seen by %v", sees)
	}
}

// TestTokenInURL: who puts the token into a URL does not find it in the log.
func TestTokenInURL(t *testing.T) {
	s := start(t, nil) // which looks for it at the end
	for _, path := range []string{"/" + canary, "/v1/run/" + canary + "/x", "/?token=" + canary, "/x" + canary + strings.Repeat("y", 5000)} {
		for _, header := range []string{"Bearer " + canary, "Bearer wrong"} {
			s.send(t, "GET", path, nil, "Authorization", header, "Cookie", "t="+canary, "Referer", "http://"+canary, "User-Agent", canary, "X-"+canary, canary)
		}
	}
	s.send(t, "POST", runPath, strings.NewReader(`{"command":["`+canary+`"],"stdin":"`+canary+`"}`))
	if !strings.Contains(s.log.String(), redacted) {
		t.Error("the log does not show where it was")
	}
	for line := range strings.Lines(s.log.String()) {
		if len(line) > 1000 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}
