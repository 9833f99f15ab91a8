package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		q.index.able = func(r *Record) bool { return a.suits(q.config.Worker, &r.Needs) }
	}
	if q.bus = busOf(q.j); q.bus == nil {
		return nil
	}
	q.watched = newWatched(q.elapsed, q.config.Lease, q.config.Follow)
	q.lease.until = q.elapsed() + q.config.Lease // others wait longer, from the first job of a service they never heard of
	if err := q.onlyOne(ctx); err != nil || q.config.OwnClock {
		return err
	}
	own := q.now
	q.now = func() time.Time { return own().Add(time.Duration(q.clock.ahead.Load())) }
	_, err := patiently(ctx, func() (any, error) { return nil, q.measureClock(ctx, own) })
	return err
}

// patiently asks again where servers do not answer, as while they elect.
func patiently[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for {
		out, err := ask()
		if !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return out, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(journalRetry):
		}
	}
}

// onlyOne: no other service that lives has this one's name, for each would settle the
// other's jobs. One that was killed leaves a note that stays as it is.
func (q *Queue) onlyOne(ctx context.Context) error {
	if q.config.Abilities == nil {
		return nil
	}
	first, err := patiently(ctx, func() (*Beat, error) { return q.bus.LastBeat(ctx, q.config.Worker) })
	if err != nil || first == nil {
		return err
	}
	var n note
	if json.Unmarshal(first.Data, &n) != nil || n.Over || n.Boot == q.config.Boot {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(q.config.Lease * 2 / 5): // in which there would be two
	}
	then, err := patiently(ctx, func() (*Beat, error) { return q.bus.LastBeat(ctx, q.config.Worker) })
	if err != nil || then == nil || then.Number == first.Number {
		return err
	}
	if json.Unmarshal(then.Data, &n) == nil && n.Over {
		return nil
	}
	return fmt.Errorf("another service has the name %s and lives: the name is made of the host's name and the state directory, which together have to be different", q.config.Worker)
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
