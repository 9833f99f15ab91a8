package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cordon/sandbox"
)

// within lets a job's request through when its tenant is within its limits: all that can
// be told before the body is read.
func (s *Server) within(queued bool, next http.Handler) http.Handler {
	if s.config.Tenancy == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.overdrawn(r, queued); p != nil {
			turnAway(w, r, s.refusedFor(r.Context(), p))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) overdrawn(r *http.Request, queued bool) *Problem {
	tenant, meter := tenantOf(r.Context()), s.config.Tenancy.Meter
	if tenant == "" {
		return nil
	}
	l := s.config.Tenancy.Keys.Limits(tenant)
	if wait := meter.Rest(tenant, &l); wait > 0 {
		return later(problem(CodeCPUQuota, "", fmt.Sprintf("this tenant's jobs have used %.1f s of CPU time within an hour, allowed are %v (cpu_seconds_per_hour); what was used goes after an hour, minute by minute",
			meter.Used(tenant).Seconds(), l.CPUPerHour)), wait)
	}
	// Who sends a job again, that is queued already, is answered whatever waits.
	if queued && l.Queue > 0 && r.Header.Get("Idempotency-Key") == "" {
		if n := s.config.Jobs.Queue.WaitingOf(tenant); n >= int64(l.Queue) {
			return tenantQueueFull(fmt.Sprintf("%d jobs of this tenant wait already, %d may", n, l.Queue))
		}
	}
	if wait := meter.Come(tenant, &l); wait > 0 { // last: what is refused otherwise is not counted
		return later(problem(CodeRateLimited, "", fmt.Sprintf("more jobs come than the %v a second that this tenant may send (rate)", l.Rate)), wait)
	}
	return nil
}

// queueOf is how many jobs of a tenant may wait; 0: any number.
func (s *Server) queueOf(tenant string) int64 {
	if s.config.Tenancy == nil {
		return 0
	}
	return int64(s.config.Tenancy.Keys.Limits(tenant).Queue)
}

func tenantQueueFull(detail string) *Problem {
	return later(problem(CodeTenantQueueFull, "", detail+" (queue); try again later"), 5*time.Second)
}

// rested waits until a tenant's jobs may use CPU time again, or ctx is done: what was queued
// before its hour was used up is begun later then.
func (s *Server) rested(ctx context.Context, tenant string) error {
	if tenant == "" || s.config.Tenancy == nil {
		return nil
	}
	for {
		changed := s.config.Tenancy.Keys.Changed()
		l := s.config.Tenancy.Keys.Limits(tenant)
		wait := s.config.Tenancy.Meter.Rest(tenant, &l)
		if wait == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed: // the limit, perhaps
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		timer.Stop()
	}
}

// later says when to come again: not before it is of use.
func later(p *Problem, wait time.Duration) *Problem {
	p.wait = (wait + time.Second - 1).Truncate(time.Second)
	return p
}

// share is how many of a service's places one tenant may have at once: a quarter is always
// left to others.
func share(places int) int { return max(1, places*3/4) }

// waitingPerPlace: of a tenant with a limit of concurrency, so many direct jobs are inside
// for each that may run. The others wait in the service for their turn.
const waitingPerPlace = 4

// enter counts a tenant's request in among those that have a place. leave is the end of
// that.
func (s *Server) enter(ctx context.Context, a *admission, what string) (leave func(), p *Problem) {
	who := callerOf(ctx)
	if who.Tenant == "" || s.config.Tenancy == nil {
		return func() {}, nil
	}
	most := share(cap(a.places))
	if l := s.config.Tenancy.Keys.Limits(who.Tenant); a == s.admission && l.Concurrency > 0 {
		most = min(most, waitingPerPlace*l.Concurrency)
	}
	return s.enterAmong(who.Tenant, what, most)
}

func (s *Server) enterAmong(tenant, what string, most int) (leave func(), p *Problem) {
	leave, ok := s.config.Tenancy.Meter.Enter(tenant, what, most)
	if !ok {
		return nil, problem(CodeTenantBusy, "", fmt.Sprintf("of this tenant %d %s already, which is its part; try again later", most, what))
	}
	return leave, nil
}

// enterService bounds the requests of a tenant that are being answered, of any kind: they
// hold their connections, and some are for others.
func (s *Server) enterService(ctx context.Context) (leave func(), p *Problem) {
	who := callerOf(ctx)
	if who.Tenant == "" || s.config.Tenancy == nil {
		return func() {}, nil
	}
	return s.enterAmong(who.Tenant, "requests are being answered", share(s.config.MaxConns))
}

// refusedFor counts a job that is not taken, for its tenant, too.
func (s *Server) refusedFor(ctx context.Context, p *Problem) *Problem {
	return s.refused(s.turned(ctx, p))
}

// turned counts, for its tenant, a request that is refused and brings no job.
func (s *Server) turned(ctx context.Context, p *Problem) *Problem {
	if tenant := callerOf(ctx).Tenant; tenant != "" {
		s.metrics.tenants.refused(tenant, p.Code)
	}
	return p
}

// charge notes what a job has used.
func (s *Server) charge(tenant string, r *sandbox.Result) {
	if tenant == "" || s.config.Tenancy == nil {
		return
	}
	used := time.Duration(r.CPUNanos)
	s.config.Tenancy.Meter.Charge(tenant, used)
	s.metrics.tenants.finished(tenant, r.Verdict, used)
}
