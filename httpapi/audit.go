package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
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

// record writes down what whoever is behind ctx has had done.
func (s *Server) record(ctx context.Context, e audit.Event) {
	e.Actor = *audit.ActorOf(ctx)
	s.config.Audit.Add(e)
	s.strangers.tell(s.config.Audit, false)
}

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

// audited lets new work through when it can be written down.
func (s *Server) audited(next http.Handler) http.Handler {
	if s.config.Audit == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.config.Audit.Admit(); err != nil {
			turnAway(w, r, s.refused(problem(CodeAuditUnavailable, "", err.Error()+"; work that cannot be written down is not taken; try again later")))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// codeWritten finds the code of a problem as it was sent, of which only the beginning may
// be there. Within a text the quotes would be escaped.
var codeWritten = regexp.MustCompile(`"code":"([a-z_]+)"`)

// takesJobs are the routes whose refusals are written down.
var takesJobs = map[string]bool{runPath: true, jobsPath: true}

// recordRefusal writes down that a job was not taken: answer is the beginning of the
// problem that was sent. Those of a log that cannot be written are counted by it.
func (s *Server) recordRefusal(r *http.Request, v *visit, rec *recorder) {
	if s.config.Audit == nil || !v.known || v.taken || r.Method != http.MethodPost || !takesJobs[r.URL.EscapedPath()] || rec.status < 400 {
		return
	}
	code := ""
	if m := codeWritten.FindSubmatch(rec.problem); m != nil {
		code = string(m[1])
	}
	if Code(code) == CodeAuditUnavailable {
		return
	}
	s.record(r.Context(), audit.Event{Event: audit.JobRefused, Route: r.URL.EscapedPath(), Code: code, Status: rec.status})
}

// recordJob writes down that a job was taken.
func (s *Server) recordJob(ctx context.Context, r *RunRequest, e audit.Event) {
	visitOf(ctx).taken = true
	if s.config.Audit == nil {
		return
	}
	e.Event, e.Policy, e.Language = audit.JobSubmitted, r.Policy, r.Language
	if e.Policy == "" {
		e.Policy = DefaultPolicy
	}
	e.Source = s.sourceOf(r)
	s.record(ctx, e)
}

// sourceShown is what is written down of a source at most.
const sourceShown = 64 << 10

// sourceOf is nil for a job without a source of its own.
func (s *Server) sourceOf(r *RunRequest) *audit.Text {
	if r.Source == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(*r.Source))
	out := &audit.Text{SHA256: hex.EncodeToString(sum[:]), Bytes: len(*r.Source)}
	if s.config.AuditSource {
		out.Text = *r.Source
		if len(out.Text) > sourceShown {
			out.Text, out.Cut = strings.ToValidUTF8(out.Text[:sourceShown], ""), true
		}
	}
	return out
}

// account is what is written down of a job that has run.
type account struct {
	policy, verdict, code string
	usage                 sandbox.Usage
}

func accountOf(r *sandbox.Result, p *Problem) *account {
	a := &account{}
	if p != nil {
		a.code = string(p.Code)
	}
	if r != nil {
		a.policy, a.verdict, a.usage = r.Policy, string(r.Verdict), r.Usage
	}
	return a
}

func (a *account) event(job, state string, attempt int) audit.Event {
	return audit.Event{Event: audit.JobEnded, Job: job, State: state, Attempt: attempt, Policy: a.policy, Verdict: a.verdict, Code: a.code,
		CPU: a.usage.CPUNanos, Wall: a.usage.WallNanos, Memory: a.usage.MemoryPeakBytes}
}

// recordClaim writes down how a job of the queue has ended that ran here. One that could
// not be written down in the queue is settled by the next start.
func (s *Server) recordClaim(c *queue.Claim) {
	a, ok := c.Note.(*account)
	if !ok || c.State == queue.Running || s.config.Audit == nil {
		return
	}
	e := a.event(c.ID, string(c.State), c.Attempts)
	e.Tenant = c.Tenant
	s.config.Audit.Add(e)
}

// AuditSettled is for a queue's Settled: it writes down ends that no run came to.
func AuditSettled(to *audit.Log) func(*queue.Record) {
	return func(r *queue.Record) {
		to.Add(audit.Event{Event: audit.JobEnded, Actor: audit.Actor{Tenant: r.Tenant}, Job: r.ID, State: string(r.State), Attempt: r.Attempts})
	}
}

// AuditTold is for a queue's Told: it writes down what became of webhooks.
func AuditTold(to *audit.Log) func(*queue.Record) {
	return func(r *queue.Record) {
		e := audit.Event{Event: audit.WebhookDelivered, Actor: audit.Actor{Tenant: r.Tenant}, Job: r.ID, Host: r.Hook.Host, Attempts: r.Delivery.Attempts,
			Status: r.Delivery.Status, Reason: r.Delivery.Reason}
		if r.Delivery.State != queue.Delivered {
			e.Event = audit.WebhookFailed
		}
		to.Add(e)
	}
}

// recordService writes down that the service begins, and when the function is called
// that it ends.
func (s *Server) recordService() (ends func()) {
	began := time.Now()
	s.config.Audit.Add(audit.Event{Event: audit.ServiceStarted, Version: s.config.Version, Settings: s.config.Settings})
	return func() {
		s.strangers.tell(s.config.Audit, true)
		s.config.Audit.Add(audit.Event{Event: audit.ServiceStopped, Version: s.config.Version, Wall: time.Since(began).Nanoseconds()})
	}
}
