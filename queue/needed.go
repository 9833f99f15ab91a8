package queue

import (
	"context"
	"time"
)

// Needed are the files that jobs name which have not ended.
func (q *Queue) Needed() map[string]bool {
	out := map[string]bool{}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, all := range q.index.active {
		for e := range all {
			for _, name := range e.Names {
				out[name] = true
			}
		}
	}
	return out
}

// catchUpWithin is how long is waited for what the journal has to tell.
const catchUpWithin = time.Second

// CatchUp returns when what was written until now is known here.
func (q *Queue) CatchUp(ctx context.Context) {
	j, ok := q.j.(interface {
		Last(context.Context) (uint64, error)
	})
	if !ok {
		return
	}
	ctx, stop := context.WithTimeout(ctx, catchUpWithin)
	defer stop()
	last, err := j.Last(ctx)
	for err == nil && ctx.Err() == nil {
		q.mu.Lock()
		seen := q.index.seen
		q.mu.Unlock()
		if seen >= last {
			return
		}
		select {
		case <-ctx.Done(): // the last message was removed, and nobody is told of it
		case <-time.After(time.Millisecond):
		}
	}
}

// Alone: nobody shares the queue.
func (q *Queue) Alone() bool { return q.bus == nil }

// Time is what time it is where the journal is kept.
func (q *Queue) Time() time.Time { return q.now() }
