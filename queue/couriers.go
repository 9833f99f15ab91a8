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
	Send func(context.Context, *Telling) Attempt
	// Group is what the operator's list has that a hook falls under.
	Group    func(*Hook) string
	Lease    time.Duration
	PerHost  int           // attempts at once to one host
	PerGroup int           // and to all hosts of a group
	Grace    time.Duration // for attempts when the service ends
	Logger   *slog.Logger

	mu     sync.Mutex
	busy   map[string]int // by host, and by group
	change chan struct{}
}

// Serve makes the attempts that are due until ctx is done. A host that does not answer
// has its own places and delays no other. Those that are under way then have the time of
// grace, but no longer than running.
func (c *Couriers) Serve(ctx, running context.Context) {
	c.busy, c.change = map[string]int{}, make(chan struct{}, 1)
	sending, cut := context.WithCancel(running)
	defer cut()
	var inside sync.WaitGroup
	defer inside.Wait()
	for ctx.Err() == nil {
		t, next, err := c.Queue.Tell(ctx, 2*c.Lease, c)
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
			c.Give(t.Hook)
		})
	}
	time.AfterFunc(c.Grace, cut)
}

func hostKey(h *Hook) string                { return "host " + h.Host }
func (c *Couriers) groupKey(h *Hook) string { return "group " + c.Group(h) }

// Take is the doors'.
func (c *Couriers) Take(h *Hook) bool {
	host, group := hostKey(h), c.groupKey(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[host] >= c.PerHost || c.busy[group] >= c.PerGroup {
		return false
	}
	c.busy[host]++
	c.busy[group]++
	return true
}

// Give is the doors'.
func (c *Couriers) Give(h *Hook) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range []string{hostKey(h), c.groupKey(h)} {
		if c.busy[key]--; c.busy[key] <= 0 {
			delete(c.busy, key)
		}
	}
	signal(c.change)
}

// rest waits until an attempt may be due.
func (c *Couriers) rest(ctx context.Context, next time.Time, err error) {
	wait := time.Minute // should the clock have been set
	if !next.IsZero() {
		wait = max(0, min(wait, next.Sub(c.Queue.now())))
	}
	wake, change := c.Queue.index.hookWake, c.change
	if err != nil {
		c.Logger.Warn("no webhook could be begun", "error", err)
		wait, wake, change = time.Second, nil, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	case <-change:
	}
}
