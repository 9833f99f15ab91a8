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

// Workers run the jobs of a queue.
type Workers struct {
	Queue *Queue
	// Place waits for a place among the jobs that run.
	Place func(context.Context) (Place, error)
	// Run runs a claim in a place, which it gives back when the job has ended.
	Run    func(c *Claim, place Place) End
	Ended  func(c *Claim) // that has been written down
	Most   int            // that run at once
	Logger *slog.Logger
}

// Serve begins jobs until ctx is done, and then waits for those that run: they are
// ended when running is done.
func (w *Workers) Serve(ctx, running context.Context) {
	var inside sync.WaitGroup
	defer inside.Wait()
	places := make(chan struct{}, max(w.Most, 1))
	for ctx.Err() == nil {
		if w.Queue.Waiting() == 0 {
			select {
			case <-ctx.Done():
			case <-w.Queue.Wake():
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		place, err := w.Place(ctx)
		if err != nil {
			return // the service ends
		}
		c, err := w.Queue.Claim(running)
		if c == nil {
			place.Give()
			<-places
			w.rest(ctx, err)
			continue
		}
		inside.Go(func() {
			defer func() { <-places }()
			if err := c.Finish(w.Run(c, place)); err != nil {
				w.Logger.Error("the end of a job was not written down", "error", err)
			}
			w.Ended(c)
		})
	}
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
