package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Couriers tell of the ends of jobs.
type Couriers struct {
	Queue *Queue
	// Send makes an attempt. It returns within Lease, and soon when its context ends.
	Send   func(context.Context, *Telling) Attempt
	Lease  time.Duration
	Places Places
	Grace  time.Duration // for attempts when the service ends
	Logger *slog.Logger
}

// Serve makes the attempts that are due until ctx is done. A host that does not answer
// has its own places and delays no other. Those that are under way then have the time of
// grace, but no longer than running.
func (c *Couriers) Serve(ctx, running context.Context) {
	sending, cut := context.WithCancel(running)
	defer cut()
	var inside sync.WaitGroup
	defer inside.Wait()
	for ctx.Err() == nil {
		t, next, err := c.Queue.Tell(ctx, 2*c.Lease, c.Places)
		if t == nil {
			c.rest(ctx, next, err)
			continue
		}
		inside.Go(func() {
			attempt, stop := context.WithTimeout(sending, c.Lease)
			defer stop()
			if err := t.Note(c.Send(attempt, t)); err != nil {
				c.Logger.Warn("what came of a webhook was not written down", "error", err)
			}
			t.HangUp()
		})
	}
	time.AfterFunc(c.Grace, cut)
}

// rest waits until an attempt may be due.
func (c *Couriers) rest(ctx context.Context, next time.Time, err error) {
	wait := time.Minute // should the clock have been set
	if !next.IsZero() {
		wait = max(0, min(wait, next.Sub(c.Queue.now())))
	}
	wake := c.Queue.index.hookWake
	if err != nil {
		c.Logger.Warn("no webhook could be begun", "error", err)
		wait, wake = time.Second, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}
