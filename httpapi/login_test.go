package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"cordon/queue"
	"cordon/tenants"
)

// follow sends a link's secret, as the page does: without a token.
func (s *service) follow(t testing.TB, code string) *reply {
	t.Helper()
	return s.send(t, http.MethodPost, loginPath, strings.NewReader(`{"code":"`+code+`"}`), "Authorization", "")
}

func bodyOf[T any](t testing.TB, r *reply, status int) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil || r.status != status {
		t.Fatalf("%d instead of %d: %v: %s", r.status, status, err, r.body)
	}
	return v
}

// logIn makes a link, follows it, and gives the session's token.
func (s *service) logIn(t testing.TB) string {
	t.Helper()
	link := bodyOf[LoginLinkResult](t, s.send(t, http.MethodPost, linksPath, nil), http.StatusCreated)
	return bodyOf[LoginResult](t, s.follow(t, link.Code), http.StatusOK).Token
}

// TestLogin: a link is good once, what it gives does what the operator may do, but not make
// links, and DELETE ends it.
func TestLogin(t *testing.T) {
	s := start(t, nil)
	link := bodyOf[LoginLinkResult](t, s.send(t, http.MethodPost, linksPath, nil), http.StatusCreated)
	s.follow(t, link.Code+"x").wants(t, CodeLoginRefused, "code")
	s.follow(t, "").wants(t, CodeLoginRefused, "code")
	got := bodyOf[LoginResult](t, s.follow(t, link.Code), http.StatusOK)
	s.follow(t, link.Code).wants(t, CodeLoginRefused, "code")
	bearer := "Bearer " + got.Token
	for _, p := range routes {
		if r := s.send(t, p.method, p.path, strings.NewReader(`{"command":["true"]}`), "Authorization", bearer); r.status != 200 {
			t.Errorf("%s %s: %d %s", p.method, p.path, r.status, r.body)
		}
	}
	s.send(t, http.MethodPost, linksPath, nil, "Authorization", bearer).wants(t, CodeMissingScope, "")
	who := bodyOf[SessionInfo](t, s.send(t, http.MethodGet, sessionPath, nil, "Authorization", bearer), http.StatusOK)
	if !who.Operator || !who.Session || who.Expires == nil || !slices.Equal(who.Scopes, got.Scopes) || !strings.HasPrefix(who.Key, "session-") {
		t.Errorf("%+v", who)
	}
	if own := bodyOf[SessionInfo](t, s.send(t, http.MethodGet, sessionPath, nil), http.StatusOK); !own.Operator || own.Session || own.Expires != nil || own.Key != operatorKey {
		t.Errorf("%+v", own)
	}
	s.send(t, http.MethodDelete, sessionPath, nil).wants(t, CodeInvalidField, "Authorization") // the token does not end
	if r := s.send(t, http.MethodDelete, sessionPath, nil, "Authorization", bearer); r.status != http.StatusNoContent {
		t.Errorf("%d %s", r.status, r.body)
	}
	s.send(t, http.MethodGet, "/v1/policies", nil, "Authorization", bearer).wants(t, CodeUnauthorized, "")
	// Neither is in the log, also where one was put into a path.
	again := s.logIn(t)
	s.send(t, http.MethodGet, "/"+again, nil, "Authorization", "Bearer "+again)
	s.send(t, http.MethodGet, "/"+link.Code, nil)
	if found := regexp.MustCompile(`cordon_(login|session)_[a-z2-7]+`).FindString(s.log.String()); found != "" {
		t.Errorf("%s is in the log", found)
	}
}

// TestLoginRequests: what a page of another site, or a stranger, can send begins nothing.
func TestLoginRequests(t *testing.T) {
	s := start(t, nil)
	link := bodyOf[LoginLinkResult](t, s.send(t, http.MethodPost, linksPath, nil), http.StatusCreated)
	good := `{"code":"` + link.Code + `"}`
	for _, c := range []struct {
		body    string
		headers []string
		code    Code
		path    string
	}{
		{good, []string{"Origin", "https://evil.example"}, CodeCrossOrigin, ""},
		{good, []string{"Sec-Fetch-Site", "cross-site"}, CodeCrossOrigin, ""},
		{good, []string{"Content-Type", "text/plain"}, CodeNotJSON, ""},
		{good + " {}", nil, CodeTrailingData, ""},
		{`{"code":1}`, nil, CodeWrongType, "code"},
		{`{"code":"x","more":1}`, nil, CodeUnknownField, "more"},
		{``, nil, CodeMalformed, ""},
		{strings.Repeat(" ", loginMax) + good, nil, CodeTooLarge, ""},
	} {
		s.send(t, http.MethodPost, loginPath, strings.NewReader(c.body), append([]string{"Authorization", ""}, c.headers...)...).wants(t, c.code, c.path)
	}
	bodyOf[LoginResult](t, s.follow(t, link.Code), http.StatusOK) // control: it was good all the time
	wrong := 0
	for ; wrong < 10*failuresAtOnce; wrong++ { // one a second comes back meanwhile
		if r := s.follow(t, link.Code); r.status == 429 {
			break
		}
	}
	if wrong < failuresAtOnce-1 || wrong == 10*failuresAtOnce {
		t.Errorf("%d wrong codes were taken from one address", wrong)
	}
}

// TestLoginAges: links and sessions end by themselves, and are bounded in number.
func TestLoginAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		late, _ := l.link()
		time.Sleep(linkTTL)
		if _, _, ok := l.follow(late); ok {
			t.Error("an old link is good")
		}
		first, _ := l.link()
		time.Sleep(linkTTL - time.Second)
		token, s, ok := l.follow(first)
		if !ok || l.authenticate(token) != s {
			t.Fatal("control: one that is not old is not")
		}
		over := s.over(t.Context())
		time.Sleep(sessionTTL - time.Second)
		if l.authenticate(token) == nil || revoked(over) {
			t.Error("a session ends early")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if l.authenticate(token) != nil || !revoked(over) {
			t.Error("a session does not end")
		}
		oldest, _ := l.link()
		for range maxLogins {
			time.Sleep(time.Millisecond)
			code, _ := l.link()
			if len(l.links) > maxLogins {
				t.Fatalf("%d links", len(l.links))
			}
			if _, _, ok := l.follow(code); !ok {
				t.Fatal("the newest link is gone")
			}
		}
		if len(l.sessions) > maxLogins {
			t.Errorf("%d sessions", len(l.sessions))
		}
		if _, _, ok := l.follow(oldest); !ok {
			t.Error("a link made room without need")
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, s, _ = l.follow(func() string { c, _ := l.link(); return c }())
		over = s.over(ctx)
		cancel()
		synctest.Wait()
		if revoked(over) {
			t.Error("a session ends with who watched it")
		}
		l.leave(s)
		if !revoked(over) {
			t.Error("a session that was left goes on")
		}
	})
}

// TestSessionEnds: streams and clients that were opened with a session end with it.
func TestSessionEnds(t *testing.T) {
	q := startWithQueue(t, queue.NewMemory(), nil)
	job := q.submit(t, trueJob) // which waits
	token := q.logIn(t)
	c, answer, err := q.dial(t, job.ID, "?watch=true", nil, AttachProtocol, bearerProtocol+token)
	if err != nil || answer.Header.Get("Sec-WebSocket-Protocol") != AttachProtocol {
		t.Fatalf("a browser cannot attach with a session: %v", err)
	}
	defer func() { _ = c.CloseNow() }()
	q.send(t, http.MethodDelete, sessionPath, nil, "Authorization", "Bearer "+token)
	for {
		if _, _, err = c.Read(t.Context()); err != nil {
			break
		}
	}
	if websocket.CloseStatus(err) != closeUnauthorized {
		t.Errorf("%v", err)
	}
}

// TestSessionOfATenant: a key of a tenant is told who it is, and cannot make links.
func TestSessionOfATenant(t *testing.T) {
	s := startTenants(t, nil, "a")
	key := s.key(t, "a", tenants.Run)
	who := bodyOf[SessionInfo](t, s.as(t, key, "GET", sessionPath, ""), 200)
	if who.Operator || who.Session || who.Tenant != "a" || !slices.Equal(who.Scopes, []string{"run"}) {
		t.Errorf("%+v", who)
	}
	s.as(t, key, "POST", linksPath, "").wants(t, CodeMissingScope, "")
}

// TestSecurityHeaders: every answer says what a browser may do with it, problems, too.
func TestSecurityHeaders(t *testing.T) {
	s := start(t, nil)
	for _, c := range [][]string{{"GET", "/v1/policies"}, {"GET", "/none"}, {"GET", "/healthz"}, {"GET", "/openapi.yaml"}, {"GET", "/metrics"}, {"POST", runPath}, {"GET", "/v1/policies", "Origin", "https://evil.example"}, {"GET", "/", "Authorization", ""}} {
		h := s.send(t, c[0], c[1], nil, c[2:]...).header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": dataPolicy} {
			if h.Get(name) != want {
				t.Errorf("%v: %s: %q, want %q", c, name, h.Get(name), want)
			}
		}
		if h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %v", c, h)
		}
	}
	for _, policy := range []string{PagePolicy, dataPolicy} {
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Error(policy)
		}
	}
}
