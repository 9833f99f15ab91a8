package sandbox

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cordon/sandbox/line"
)

// place is one among the running jobs.
type place struct {
	in   *line.Place
	cpu  atomic.Int64  // ns, used in it
	bill *atomic.Int64 // and in all places of its job
}

// takePlace waits for one. bill is the job's; nil: it is not known yet.
func (r *Runner) takePlace(ctx context.Context, want line.Want, bill *atomic.Int64) (*place, error) {
	in, err := r.line.Take(ctx, want)
	if errors.Is(err, line.ErrStopped) {
		err = ErrShuttingDown
	}
	if err != nil {
		return nil, err
	}
	return &place{in: in, bill: bill}, nil
}

// give gives it back, once, and has its CPU time charged.
func (p *place) give() { p.in.Give(time.Duration(p.cpu.Load())) }

// used notes what a cell has used. There need not be a place.
func (p *place) used(nanos int64) {
	if p == nil {
		return
	}
	p.cpu.Add(nanos)
	if p.bill != nil {
		p.bill.Add(nanos)
	}
}

type placeKey struct{}

// within has what runs under the context noted in the place.
func within(ctx context.Context, p *place) context.Context {
	return context.WithValue(ctx, placeKey{}, p)
}

func placeOf(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	return p
}

// Place is one among the running jobs that is taken before its job is begun: what waits
// elsewhere, as in a queue, is only begun when it can run.
type Place struct {
	runner *Runner
	place  *place
}

// Reserve waits for a place of a tenant, in one line with the jobs that wait, with what
// Promise has told of the job. A job that could not be let in at all gets an *InvalidError.
func (r *Runner) Reserve(ctx context.Context, tenant string, p Promise) (*Place, error) {
	if r.ending() {
		return nil, ErrShuttingDown
	}
	if host := r.config.HostCPUs; host > 0 { // a service with more may have taken it in
		p.CPUs = min(p.CPUs, host)
	}
	got, err := r.takePlace(ctx, line.Want{Tenant: tenant, Memory: p.Memory, CPUs: p.CPUs, Queued: true}, nil)
	if err != nil {
		return nil, refusedAs("limits", err)
	}
	return &Place{r, got}, nil
}

// Run runs a job in the place, as Runner.Run does, and gives the place back. Where the job
// turns out to be promised more than was reserved it waits for a place that has that.
func (p *Place) Run(ctx context.Context, job *Job) (*Result, error) {
	defer p.place.give()
	return p.runner.runIn(ctx, job, p.place)
}

// Give gives the place back. It may be called more than once.
func (p *Place) Give() { p.place.give() }

// Charge has a tenant charged for a job that ran elsewhere, as by another service that shares
// the queue: for its CPU time or a part of the time for which it was held, for its age.
func (r *Runner) Charge(tenant string, cpu, held, ago time.Duration) {
	r.line.Charge(tenant, cpu, held, ago)
}

// Reconsider is to be called when Config.Tenants has other answers than it had.
func (r *Runner) Reconsider() { r.line.Reconsider() }
