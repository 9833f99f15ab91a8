package queue

import (
	"context"
	"sync/atomic"
	"time"
)

// clockOf is how much the clock of the journal's servers is ahead of this service's.
type clockOf struct{ ahead atomic.Int64 }

// clockEvery is how often that is measured.
const clockEvery = time.Minute

// share sets up what is wanted where others have the journal, too.
func (q *Queue) share(ctx context.Context) error {
	if q.config.Lease == 0 {
		q.config.Lease = DefaultLease
	}
	if q.elapsed = q.config.Elapsed; q.elapsed == nil {
		q.elapsed = sinceBoot
	}
	if a := q.config.Abilities; a != nil {
		q.index.able = func(r *Record) bool { return a.Meet(&r.Needs) }
	}
	if q.bus = busOf(q.j); q.bus == nil {
		return nil
	}
	q.watched = newWatched(q.elapsed, q.config.Lease, q.config.Follow)
	q.lease.until = q.elapsed() + q.config.Lease // others wait longer, from the first job of a service they never heard of
	if q.config.OwnClock {
		return nil
	}
	own := q.now
	q.now = func() time.Time { return own().Add(time.Duration(q.clock.ahead.Load())) }
	return q.measureClock(ctx, own)
}

// measureClock: a job waits for as long as it may by one clock, whoever took it in and
// whoever looks.
func (q *Queue) measureClock(ctx context.Context, own func() time.Time) error {
	before, began := own(), q.elapsed()
	there, err := q.bus.Clock(ctx)
	if err != nil {
		return err
	}
	ahead := there.Sub(before.Add((q.elapsed() - began) / 2))
	if off := ahead.Abs(); off > 10*time.Second && off-time.Duration(q.clock.ahead.Load()).Abs() > time.Second {
		q.log.Warn("this machine's clock is not that of the queue's servers, which counts for jobs", "servers_are_ahead_by", ahead)
	}
	q.clock.ahead.Store(int64(ahead))
	return nil
}

// beginSharing begins what goes on until the queue is closed.
func (q *Queue) beginSharing() {
	if q.bus == nil {
		return
	}
	if q.config.Abilities != nil {
		q.inside.Go(q.living)
	}
	q.inside.Go(q.mourning)
	if q.config.OwnClock {
		return
	}
	own := q.config.Now
	if own == nil {
		own = time.Now
	}
	q.inside.Go(func() {
		for {
			select {
			case <-q.ctx.Done():
				return
			case <-time.After(clockEvery):
			}
			ctx, stop := context.WithTimeout(q.ctx, reply)
			if err := q.measureClock(ctx, own); err != nil {
				q.log.Debug("the clock of the queue's servers was not told", "error", err)
			}
			stop()
		}
	})
}

// keeps: this service ends what has waited too long, and removes what was kept long
// enough. Where many share a journal it is for those who follow all.
func (q *Queue) keeps() bool { return q.bus == nil || q.config.Follow }
