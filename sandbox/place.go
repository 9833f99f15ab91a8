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
