package sandbox

import (
	"context"
	"sync"
)

// place is one among the running jobs.
type place struct {
	runner *Runner
	once   sync.Once
}

// takePlace waits for one.
func (r *Runner) takePlace(ctx context.Context) (*place, error) {
	select {
	case r.slots <- struct{}{}:
		r.running.Add(1)
		return &place{runner: r}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.stop:
		return nil, ErrShuttingDown
	}
}

// give gives it back, once.
func (p *place) give() {
	p.once.Do(func() {
		p.runner.running.Add(-1)
		<-p.runner.slots
	})
}

// Place is one among the running jobs that is taken before its job is known: what waits
// elsewhere, as in a queue, is only begun when it can run.
type Place struct{ place *place }

// Reserve waits for a place, in one line with the jobs that wait.
func (r *Runner) Reserve(ctx context.Context) (*Place, error) {
	if r.ending() {
		return nil, ErrShuttingDown
	}
	p, err := r.takePlace(ctx)
	if err != nil {
		return nil, err
	}
	return &Place{p}, nil
}

// Run runs a job in the place, as Runner.Run does, and gives the place back.
func (p *Place) Run(ctx context.Context, job *Job) (*Result, error) {
	defer p.place.give()
	return p.place.runner.runIn(ctx, job, p.place)
}

// Give gives the place back. It may be called more than once.
func (p *Place) Give() { p.place.give() }
