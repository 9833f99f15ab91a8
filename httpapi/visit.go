package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"cordon/audit"
)

// visit is a request, as the audit log sees it.
type visit struct {
	audit.Actor
	known  bool        // a right key was shown
	taken  bool        // its job was
	header http.Header // of the answer
}

type visitKey struct{}

// visited begins a visit. Its id is in the log and in the audit log, and in the answer to
// whoever holds a key: all others get the same.
func visited(w http.ResponseWriter, r *http.Request) (*visit, *http.Request) {
	v := &visit{Actor: audit.Actor{Remote: r.RemoteAddr, Request: requestID()}, header: w.Header()}
	if peerOf(r.RemoteAddr) == "" {
		v.Remote = "unix"
	}
	return v, r.WithContext(audit.WithActor(context.WithValue(r.Context(), visitKey{}, v), &v.Actor))
}

func requestID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{header: http.Header{}}
}

// identified: whose key was shown, and its id.
func identified(ctx context.Context, tenant, key string) {
	v := visitOf(ctx)
	v.known, v.Tenant, v.Key = true, tenant, key
	v.header.Set("X-Request-Id", v.Request)
}

// operatorKey is the id of the service's own token.
const operatorKey = "operator"

// strangers are requests without a right key. Whoever sends them does not decide how much
// is written down: some lines at once, then one a second, which says how many it stands
// for.
type strangers struct {
	mu    sync.Mutex
	limit *rate.Limiter
	held  int64 // that no line was written for
	last  audit.Actor
}

func newStrangers() *strangers { return &strangers{limit: rate.NewLimiter(1, 10)} }

// strange writes down a request without a right key.
func (s *Server) strangeVisit(ctx context.Context) {
	if s.config.Audit == nil {
		return
	}
	s.strangers.mu.Lock()
	s.strangers.held++
	s.strangers.last = *audit.ActorOf(ctx)
	s.strangers.mu.Unlock()
	s.strangers.tell(s.config.Audit, false)
}

// tell writes a line for those that were held back, if it may.
func (t *strangers) tell(to *audit.Log, now bool) {
	t.mu.Lock()
	if t.held == 0 || !now && !t.limit.Allow() {
		t.mu.Unlock()
		return
	}
	e := audit.Event{Event: audit.AuthFailed, Actor: t.last, Count: t.held}
	t.held = 0
	t.mu.Unlock()
	to.Add(e)
}
