package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cordon/tenants"
)

// A browser gets the operator's rights by a link with a secret in its fragment, which a
// browser sends to nobody. The page shows the secret once, and gets the token of a session
// for it: no token of the service itself ever is in a browser, in its history, or on a
// screen. Neither links nor sessions are written down: they end with the service.

const (
	linkPrefix    = "cordon_login_"
	sessionPrefix = "cordon_session_"
	secretBits    = 20 // bytes of it: 160 bits

	// linkTTL is how long a link waits to be followed; sessionTTL is a day's work.
	linkTTL    = 10 * time.Minute
	sessionTTL = 12 * time.Hour
	// maxLogins of each kind are remembered. Of more, those that would end first go first.
	maxLogins = 256
)

// sessionScopes are what a session may do: everything but to make further sessions. So one
// that was stolen ends.
var sessionScopes = tenants.Scopes

// loginSession is a browser that has followed a link.
type loginSession struct {
	id    string // by which logs and the audit log know it
	until time.Time
	ended chan struct{} // closed when it is not good any more
	end   func()
}

// over is closed when the session is. What is watched ends with ctx.
func (s *loginSession) over(ctx context.Context) <-chan struct{} {
	go func() {
		timer := time.NewTimer(time.Until(s.until))
		defer timer.Stop()
		select {
		case <-timer.C:
			s.end()
		case <-s.ended:
		case <-ctx.Done():
		}
	}()
	return s.ended
}

// logins are the links that wait, and the sessions that there are, by what their secrets
// hash to: the time of a search tells nothing of a secret then.
type logins struct {
	now func() time.Time

	mu       sync.Mutex
	links    map[[sha256.Size]byte]time.Time // until when they are good
	sessions map[[sha256.Size]byte]*loginSession
}

func newLogins() *logins {
	return &logins{now: time.Now, links: map[[sha256.Size]byte]time.Time{}, sessions: map[[sha256.Size]byte]*loginSession{}}
}

// letters of secrets: those that may stand in a header, a protocol's name and a fragment.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func secret(prefix string) (text string, sum [sha256.Size]byte) {
	var b [secretBits]byte
	_, _ = rand.Read(b[:]) // never fails
	text = prefix + letters.EncodeToString(b[:])
	return text, sha256.Sum256([]byte(text))
}

// loginForm finds them in what a client wrote, such as a path.
var loginForm = regexp.MustCompile("cordon_(login|session)_[a-z2-7]{32}")

func concealLogins(text string) string { return loginForm.ReplaceAllString(text, "[$1]") }

// link makes one.
func (l *logins) link() (text string, until time.Time) {
	text, sum := secret(linkPrefix)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	if len(l.links) >= maxLogins {
		delete(l.links, earliest(l.links, func(t time.Time) time.Time { return t }))
	}
	until = l.now().Add(linkTTL)
	l.links[sum] = until
	return text, until
}

// follow takes a link's secret, which is no good afterwards, and begins a session.
func (l *logins) follow(text string) (token string, s *loginSession, ok bool) {
	sum := sha256.Sum256([]byte(text))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	if _, ok = l.links[sum]; !ok {
		return "", nil, false
	}
	delete(l.links, sum)
	if len(l.sessions) >= maxLogins {
		first := earliest(l.sessions, func(s *loginSession) time.Time { return s.until })
		l.sessions[first].end()
		delete(l.sessions, first)
	}
	token, sum = secret(sessionPrefix)
	id, _ := secret("session-")
	ended := make(chan struct{})
	s = &loginSession{id: id[:len("session-")+10], until: l.now().Add(sessionTTL), ended: ended, end: sync.OnceFunc(func() { close(ended) })}
	l.sessions[sum] = s
	return token, s, true
}

// authenticate finds the session of a token; nil where there is none.
func (l *logins) authenticate(token string) *loginSession {
	sum := sha256.Sum256([]byte(token))
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sessions[sum]
	if s == nil || !l.now().Before(s.until) {
		return nil
	}
	return s
}

// leave ends a session.
func (l *logins) leave(s *loginSession) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sum, one := range l.sessions {
		if one == s {
			delete(l.sessions, sum)
		}
	}
	s.end()
}

// forget drops what is not good any more. It is called with mu held.
func (l *logins) forget() {
	now := l.now()
	for sum, until := range l.links {
		if !now.Before(until) {
			delete(l.links, sum)
		}
	}
	for sum, s := range l.sessions {
		if !now.Before(s.until) {
			s.end()
			delete(l.sessions, sum)
		}
	}
}

func earliest[T any](all map[[sha256.Size]byte]T, until func(T) time.Time) (first [sha256.Size]byte) {
	var at time.Time
	for sum, one := range all {
		if u := until(one); at.IsZero() || u.Before(at) {
			first, at = sum, u
		}
	}
	return first
}

// operatorSession are the rights of a session, as those of a key are told.
func operatorSession() []string {
	var out []string
	for _, s := range sessionScopes {
		out = append(out, string(s))
	}
	slices.Sort(out)
	return out
}

// LoginLink is the address to follow: a page of the service at base, with a link's secret.
func LoginLink(base, code string) string { return strings.TrimSuffix(base, "/") + "/#login=" + code }
