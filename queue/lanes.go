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
	first   *entry // that was the next when it was offered
}

// push has a job wait. One that cannot run here is begun elsewhere.
func (x *index) push(e *entry) {
	if e.inLine || !x.can(e) {
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
			if x.waits(e) {
				return e
			}
			x.pop(waiting)
		}
	}
	return nil
}

// pop takes the first job out of a line.
func (x *index) pop(l *line) {
	heap.Pop(l).(*entry).inLine = false
}

// back has a job wait again that was taken.
func (x *index) back(e *entry) {
	if x.jobs[e.ID] == e && e.State == Queued {
		x.push(e)
		x.look(e.Tenant)
	}
}

// look takes an offer back that is not what its tenant has to offer any more.
func (x *index) look(tenant string) {
	if l := x.lanes[tenant]; l != nil && l.offer != nil && !x.stands(l) {
		l.offer.withdraw()
	}
}

// stands: what is offered still is to be begun. One that left others before it, for
// rivals, does not give way to the next of those, but to what is more urgent.
func (x *index) stands(l *lane) bool {
	e, next := l.offered, x.next(l)
	if next == l.first {
		return x.waits(e)
	}
	return e != l.first && next != nil && x.waits(e) && !moreUrgent(next, l.first)
}

// waits: a job is there, and nobody is about to change that it waits.
func (x *index) waits(e *entry) bool {
	return x.jobs[e.ID] == e && e.State == Queued && !e.taken
}

func moreUrgent(a, b *entry) bool {
	return slices.Index(Priorities, a.Priority) < slices.Index(Priorities, b.Priority)
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
		l.offer, l.offered, l.first = nil, nil, nil
	}
}

// Offer gives the next job of a tenant, or one behind it where others seem to try for the same,
// or nil where none of its waits, or none may be begun here. There is one offer of a tenant at a
// time.
func (q *Queue) Offer(ctx context.Context, tenant string) *Offer {
	if !q.leased() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.index.lanes[tenant]
	if l == nil || q.ctx.Err() != nil {
		return nil
	}
	e := q.index.oneOf(l, q.rivals.draw())
	if e == nil {
		delete(q.index.lanes, tenant)
		return nil
	}
	o := &Offer{Record: e.Record, queue: q}
	o.ctx, o.withdraw = context.WithCancel(ctx)
	l.offer, l.offered, l.first = o, e, q.index.next(l)
	return o
}

// Tenants are those whose jobs wait that can be begun here.
func (q *Queue) Tenants() (names []string) {
	if !q.leased() {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for name, l := range q.index.lanes {
		if q.index.next(l) != nil {
			names = append(names, name)
		}
	}
	return names
}
