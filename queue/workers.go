package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Place is one among the jobs that run.
type Place interface {
	Give() // back; more often than once does nothing
}

// Workers run the jobs of a queue. Each tenant's next job waits for a place by itself: whose
// turn it is says who gives the places, and no tenant stands in another's way.
type Workers struct {
	Queue *Queue
	// Place waits for a place among the jobs that run, for this one.
	Place func(context.Context, *Record) (Place, error)
	// Run runs a claim in a place, which it gives back when the job has ended.
	Run    func(c *Claim, place Place) End
	Ended  func(c *Claim) // that has been written down
	Most   int            // of one tenant's that are begun at once
	Logger *slog.Logger
}

// Serve begins jobs until ctx is done, and then waits for those that run: they are
// ended when running is done.
func (w *Workers) Serve(ctx, running context.Context) {
	d := dispatch{Workers: w, tenants: map[string]*begun{}}
	defer d.inside.Wait()
	for ctx.Err() == nil {
		d.serve(ctx, running)
		select {
		case <-ctx.Done():
		case <-w.Queue.Wake():
		}
	}
}

// dispatch is a Serve.
type dispatch struct {
	*Workers
	inside  sync.WaitGroup
	mu      sync.Mutex
	tenants map[string]*begun
}

// begun are a tenant's jobs here.
type begun struct {
	looking bool          // somebody begins its jobs
	places  chan struct{} // Most, of jobs that run or are about to
}

// serve sees to every tenant whose jobs wait.
func (d *dispatch) serve(ctx, running context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range d.Queue.Tenants() {
		b := d.tenants[name]
		if b == nil {
			b = &begun{places: make(chan struct{}, max(d.Most, 1))}
			d.tenants[name] = b
		}
		if !b.looking {
			b.looking = true
			d.inside.Go(func() { d.look(ctx, running, name, b) })
		}
	}
}

// look begins a tenant's jobs, one after the other, until none waits.
func (d *dispatch) look(ctx, running context.Context, tenant string, b *begun) {
	for {
		select {
		case <-ctx.Done():
			return
		case b.places <- struct{}{}:
		}
		o := d.offer(ctx, tenant, b)
		if o == nil {
			<-b.places
			return
		}
		c, place := d.begin(ctx, running, o)
		if c == nil {
			<-b.places
			continue
		}
		d.inside.Go(func() {
			defer func() { <-b.places }()
			d.run(c, place)
		})
	}
}

// offer is the next of a tenant's. Where there is none, that nobody looks any more is known
// before another one could come unseen.
func (d *dispatch) offer(ctx context.Context, tenant string, b *begun) *Offer {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.Queue.Offer(ctx, tenant)
	b.looking = o != nil
	return o
}

// begin waits for a place for a job, and claims it; nil where it is not to be begun now.
func (d *dispatch) begin(ctx, running context.Context, o *Offer) (*Claim, Place) {
	d.Queue.giveWay(o)
	place, err := d.Place(o.Context(), &o.Record)
	gone := o.Context().Err() != nil
	o.End()
	if err != nil {
		if !gone {
			d.rest(ctx, err)
		}
		return nil, nil
	}
	c, err := d.Queue.Claim(running, o.ID)
	if c == nil {
		place.Give()
		d.rest(ctx, err)
		return nil, nil
	}
	return c, place
}

func (d *dispatch) run(c *Claim, place Place) {
	if err := c.Finish(d.Run(c, place)); err != nil {
		d.Logger.Error("the end of a job was not written down", "error", err)
	}
	d.Ended(c)
}

// rest waits where a journal does not take what is written.
func (w *Workers) rest(ctx context.Context, err error) {
	if err == nil {
		return
	}
	w.Logger.Warn("no job could be begun", "error", err)
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}
