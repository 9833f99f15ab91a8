package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"time"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
)

// record writes down what whoever is behind ctx has had done.
func (s *Server) record(ctx context.Context, e audit.Event) {
	e.Actor = *audit.ActorOf(ctx)
	s.config.Audit.Add(e)
	s.strangers.tell(s.config.Audit, false)
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
