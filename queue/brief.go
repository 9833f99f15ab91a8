package queue

import (
	"context"
	"errors"
	"time"
)

// briefFor is how long the record of a job stays whose client waited for the result. The
// service that has handed it over removes it; the others are not told of that.
const briefFor = time.Minute

// read are such records that have been there for so long.
func (x *index) read(now time.Time) (out []*entry) {
	for len(x.brief) > 0 {
		e := x.brief[0]
		if x.jobs[e.ID] == e {
			if now.Sub(e.Finished) < briefFor || e.version > x.seen {
				break
			}
			out = append(out, e)
		}
		x.brief[0] = nil
		x.brief = x.brief[1:]
	}
	return out
}

// missed are the jobs of waiting clients that seem to wait or run for long. Their records go
// as soon as they were handed over, so that their end may never have been told here.
func (x *index) missed(now time.Time) (out []*entry) {
	for _, all := range x.active {
		for e := range all {
			if since := later(e.Created, e.Started, e.asked); e.Brief && !e.taken && e.claim == nil && now.Sub(since) >= briefFor {
				e.asked = now
				out = append(out, e)
			}
		}
	}
	return out
}

func later(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// askAgain drops jobs whose records are gone.
func (q *Queue) askAgain(ctx context.Context, missed []*entry) {
	for _, e := range missed {
		if _, err := q.lookUp(ctx, q.idOf(e)); errors.Is(err, ErrNotFound) {
			q.dropped(e)
		}
	}
}
