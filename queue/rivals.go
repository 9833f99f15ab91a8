package queue

import (
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

// giveWay waits for a moment where a tenant has fewer jobs than there are rivals, or until
// the one that is offered is another's.
func (q *Queue) giveWay(o *Offer) {
	some := q.rivals.seem()
	if some == 0 {
		return
	}
	q.mu.Lock()
	waiting := float64(q.index.part(o.Tenant).ready)
	q.mu.Unlock()
	if waiting == 0 || waiting > some {
		return
	}
	select {
	case <-o.ctx.Done():
	case <-time.After(time.Duration(rand.Float64() * some / waiting * float64(way))):
	}
}

// oneOf is the job of a tenant that has so many before it; where there are fewer, any of
// them. It stays where it is.
func (x *index) oneOf(l *lane, before int) *entry {
	first := x.next(l)
	if first == nil || before == 0 {
		return first
	}
	var passed []*entry
	for e := first; e != nil && len(passed) <= before; e = x.next(l) {
		x.pop(l.lines[e.Priority])
		passed = append(passed, e)
	}
	for _, e := range passed {
		x.push(e)
	}
	if len(passed) > before {
		return passed[before]
	}
	return passed[rand.N(len(passed))]
}

// Refused is how many claims of this service another one was first with.
func (q *Queue) Refused() int64 { return q.rivals.refused.Load() }
