package queue

import (
	"container/heap"
	"context"
	"slices"
)

// lane are the jobs of one tenant that wait. Which tenant's turn it is is decided where the
// places are: each tenant offers one job at a time, its next. All of it is Queue.mu's.
type lane struct {
	lines   map[Priority]*line
	turn    uint64 // of its jobs that were begun
	offer   *Offer // of whom somebody waits for a place; nil: none
	offered *entry
}

// push has a job wait.
func (x *index) push(e *entry) {
	if e.inLine {
		return
	}
	l := x.lanes[e.Tenant]
	if l == nil {
		l = &lane{lines: map[Priority]*line{}}
		for _, p := range Priorities {
			l.lines[p] = &line{}
		}
		x.lanes[e.Tenant] = l
	}
	e.inLine = true
	waiting := l.lines[e.Priority]
	if int64(waiting.Len()) > 2*x.part(e.Tenant).waiting+1000 { // most have left, and not by the front
		*waiting = slices.Clip(slices.DeleteFunc(*waiting, func(e *entry) bool {
			e.inLine = x.jobs[e.ID] == e && e.State == Queued
			return !e.inLine
		}))
		heap.Init(waiting)
	}
	heap.Push(waiting, e)
}

// next is the job of a tenant that is to be begun, or nil. It stays where it is. Now and then
// a lower priority goes first, so that none waits for ever.
func (x *index) next(l *lane) *entry {
	first := High
	switch {
	case l.turn%16 == 15:
		first = Low
	case l.turn%4 == 3:
		first = Normal
	}
	for _, p := range append([]Priority{first}, Priorities...) {
		waiting := l.lines[p]
		for waiting.Len() > 0 {
			e := (*waiting)[0]
			if x.jobs[e.ID] == e && e.State == Queued && !e.taken {
				return e
			}
			heap.Pop(waiting)
			e.inLine = false
		}
	}
	return nil
}

// back has a job wait again that was taken.
func (x *index) back(e *entry) {
	if x.jobs[e.ID] == e && e.State == Queued {
		x.push(e)
		x.look(e.Tenant)
	}
}

// look takes an offer back that is not its tenant's next any more.
func (x *index) look(tenant string) {
	if l := x.lanes[tenant]; l != nil && l.offer != nil && x.next(l) != l.offered {
		l.offer.withdraw()
	}
}

// Offer is the job of a tenant that is to be begun next.
type Offer struct {
	Record
	queue    *Queue
	ctx      context.Context
	withdraw context.CancelFunc
}

// Context is done when another job is the next: this one was cancelled, or begun elsewhere,
// or a more urgent one has come.
func (o *Offer) Context() context.Context { return o.ctx }

// End ends the offer: nobody waits any more to begin the job.
func (o *Offer) End() {
	q := o.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	o.withdraw()
	if l := q.index.lanes[o.Tenant]; l != nil && l.offer == o {
		l.offer, l.offered = nil, nil
	}
}

// Offer gives the next job of a tenant, or nil where none of its waits. There is one offer of
// a tenant at a time.
func (q *Queue) Offer(ctx context.Context, tenant string) *Offer {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.index.lanes[tenant]
	if l == nil || q.ctx.Err() != nil {
		return nil
	}
	e := q.index.next(l)
	if e == nil {
		delete(q.index.lanes, tenant)
		return nil
	}
	o := &Offer{Record: e.Record, queue: q}
	o.ctx, o.withdraw = context.WithCancel(ctx)
	l.offer, l.offered = o, e
	return o
}

// Tenants are those whose jobs wait.
func (q *Queue) Tenants() (names []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, l := range q.index.lanes {
		if q.index.next(l) != nil {
			names = append(names, name)
		}
	}
	return names
}
