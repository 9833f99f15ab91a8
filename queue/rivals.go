package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// rivals is how many services seem to try for the same jobs as this one, by how often
// another was first. Where there are some, each takes any of as many that wait, and where
// fewer wait, each gives way to the others for a moment of a length that is drawn. Alone,
// it takes the first at once.
type rivals struct {
	mu      sync.Mutex
	some    float64 // besides this one
	refused atomic.Int64
}

const (
	mostRivals = 256
	// way is how long one gives way for each rival: about as long as a claim takes.
	way = 2 * time.Millisecond
)

// learn takes over how a claim went.
func (r *rivals) learn(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, errConflict):
		r.some = min(2*r.some+1, mostRivals)
		r.refused.Add(1)
	case err == nil:
		r.some *= 0.9
	}
	if r.some < 0.5 {
		r.some = 0
	}
}

func (r *rivals) seem() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.some
}

// draw is how many jobs this service leaves to others that are before it.
func (r *rivals) draw() int {
	return rand.N(int(r.seem()) + 1)
}

// giveWay waits for a moment where there are fewer jobs than rivals.
func (q *Queue) giveWay(ctx context.Context) {
	some := q.rivals.seem()
	if some == 0 {
		return
	}
	q.mu.Lock()
	waiting := float64(q.index.ready)
	q.mu.Unlock()
	if waiting == 0 || waiting > some {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(rand.Float64() * some / waiting * float64(way))):
	}
}

// oneOf takes the job out that has so many before it; where there are fewer, any of
// them.
func (x *index) oneOf(turn uint64, before int) *entry {
	var passed []*entry
	e := x.next(turn)
	for e != nil && len(passed) < before {
		passed = append(passed, e)
		e = x.next(turn)
	}
	if e == nil && len(passed) > 0 {
		i := rand.N(len(passed))
		e, passed[i] = passed[i], passed[len(passed)-1]
		passed = passed[:len(passed)-1]
	}
	for _, one := range passed {
		x.back(one)
	}
	return e
}

// Refused is how many claims of this service another one was first with.
func (q *Queue) Refused() int64 { return q.rivals.refused.Load() }
