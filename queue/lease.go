package queue

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A service that shares its journal may only run jobs while it has a lease: the right to
// be thought alive. A beat renews it, from when that was sent, once those who hold the
// notes have acknowledged it. A service whose lease has ended ends what it runs, for
// others wait longer than a lease before they settle its jobs: what may be run again then
// does not run here any more.
//
// Nobody's clock is compared with another's: each measures only how long something has
// taken by its own.

// DefaultLease is how long a service may be cut off from the queue.
const DefaultLease = 10 * time.Second

// errFenced is why a claim ends whose service was cut off.
var errFenced = errors.New("this service could not reach the queue for longer than its lease")

// patienceOf is how long others wait: the half more is for programs to be ended in.
func patienceOf(lease time.Duration) time.Duration { return lease + lease/2 }

// note is what a service tells of itself.
type note struct {
	Boot      string    `json:"boot"`
	Abilities Abilities `json:"abilities"`
	Most      int       `json:"most"`    // jobs that it runs at once
	Running   int       `json:"running"` // that it runs
	Over      bool      `json:"over,omitempty"`
}

// lease is that of this service.
type lease struct {
	mu    sync.Mutex
	until time.Duration // by elapsed
	ended bool          // and the claims were told
}

// sinceBoot is the time that has passed, also while the machine slept.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // every Linux has it
	}
	return time.Duration(t.Nano())
}

// leased: this service may run jobs.
func (q *Queue) leased() bool {
	if q.bus == nil || q.config.Abilities == nil {
		return true
	}
	q.lease.mu.Lock()
	defer q.lease.mu.Unlock()
	return !q.lease.ended && q.elapsed() < q.lease.until
}

// beat renews the lease.
func (q *Queue) beat(ctx context.Context) error {
	sent := q.elapsed()
	if err := q.bus.Beat(ctx, q.config.Worker, q.note(false)); err != nil {
		return err
	}
	q.lease.mu.Lock()
	defer q.lease.mu.Unlock()
	if until := sent + q.config.Lease; until > q.elapsed() { // an answer that came too late renews nothing
		q.lease.until = max(q.lease.until, until)
		if q.lease.ended {
			q.log.Info("the queue is reached again; jobs are begun")
		}
		q.lease.ended = false
		signal(q.wake)
	}
	return nil
}

func (q *Queue) note(over bool) []byte {
	q.mu.Lock()
	running := 0
	for e := range q.index.active[Running] {
		if e.claim != nil {
			running++
		}
	}
	q.mu.Unlock()
	text, err := json.Marshal(note{q.config.Boot, *q.config.Abilities, q.config.Most, running, over})
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return text
}

// fence ends what runs here when the lease has ended.
func (q *Queue) fence() {
	q.lease.mu.Lock()
	over := !q.lease.ended && q.elapsed() >= q.lease.until
	q.lease.ended = q.lease.ended || over
	q.lease.mu.Unlock()
	if !over {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for e := range q.index.active[Running] {
		if e.claim != nil {
			n++
			e.claim.cancel(errFenced)
		}
	}
	q.log.Error("the queue could not be reached for longer than the lease: no job is begun, and those that run are ended", "lease", q.config.Lease, "jobs", n)
}

// living beats, and fences when that does not help.
func (q *Queue) living() {
	every := q.config.Lease / 5
	q.inside.Go(func() {
		ticker := time.NewTicker(max(every/4, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-q.ctx.Done():
				return
			case <-ticker.C:
				q.fence()
			}
		}
	})
	for q.ctx.Err() == nil {
		ctx, stop := context.WithTimeout(q.ctx, 2*every)
		err := q.beat(ctx)
		stop()
		wait := every
		if err != nil {
			q.log.Warn("the queue does not know that this service lives", "error", err)
			wait = every / 4
		}
		select {
		case <-q.ctx.Done():
		case <-time.After(wait):
		}
	}
}

// farewell tells that this service runs nothing any more, so that nobody waits for it.
func (q *Queue) farewell() {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if err := q.bus.Beat(ctx, q.config.Worker, q.note(true)); err != nil {
		q.log.Debug("the others could not be told that this service ends", "error", err)
	}
}
