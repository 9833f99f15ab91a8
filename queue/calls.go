package queue

import (
	"container/heap"
	"time"
)

// Places bound the attempts to tell that are made at once.
type Places struct {
	All       int
	PerHost   int
	PerTenant int // not for jobs of no tenant, which are the operator's
}

// calls are the deliveries that are to be attempted, in one line for each tenant and host.
// Lines with a delivery that is due have turns, so that none waits for what another has
// more of. A line for which there is no place stands aside until one is given back, and
// costs nothing meanwhile: a choice looks at no more lines than become due, or have lost
// their place, since the one before. All of it is Queue.mu's.
type calls struct {
	lines map[callKey]*callLine
	later callHeap             // those whose first delivery is not due, by when it is
	ready turns                // those whose turn comes
	aside map[placeKey]*turns  // those for which there was no place, by what there was none of
	busy  map[placeKey]int     // places that are taken
	all   int                  // likewise
	live  func(*callItem) bool // it is still to be attempted, and then
	wake  func()               // there may be something to attempt
}

// callKey is whose deliveries to whom are in a line.
type callKey struct{ tenant, host string }

// placeKey is a host or a tenant, whose places are counted.
type placeKey struct {
	tenant bool
	name   string
}

func (k callKey) keys() [2]placeKey { return [2]placeKey{{false, k.host}, {true, k.tenant}} }

// most is how many places there are of a kind.
func (p *Places) most(k placeKey) int {
	switch {
	case !k.tenant:
		return p.PerHost
	case k.name == "":
		return p.All
	}
	return p.PerTenant
}

// atOnce is how many lines that become due are taken over in one choice: when a service
// starts all may.
const atOnce = 256

func newCalls(live func(*callItem) bool, wake func()) calls {
	return calls{lines: map[callKey]*callLine{}, aside: map[placeKey]*turns{}, busy: map[placeKey]int{}, live: live, wake: wake}
}

// add puts a delivery into its line.
func (c *calls) add(e *entry, at time.Time) {
	key := callKey{e.Tenant, e.Hook.Host}
	l := c.lines[key]
	if l == nil {
		l = &callLine{key: key}
		c.lines[key] = l
	}
	heap.Push(&l.items, callItem{e, at})
	switch l.where {
	case nowhere:
		c.wait(l)
	case isLater:
		heap.Fix(&c.later, l.index)
	}
	c.wake()
}

func (c *calls) wait(l *callLine) {
	l.where = isLater
	heap.Push(&c.later, l)
}

func (c *calls) line(l *callLine) {
	l.where = isReady
	c.ready.push(l)
}

// next takes the delivery out that is to be attempted, in a place that is taken for it, or
// says when there may be one; zero: when something changes.
func (c *calls) next(now time.Time, p *Places) (found *entry, next time.Time) {
	for {
		for n := 0; n < atOnce && len(c.later) > 0 && !c.later[0].at().After(now); n++ {
			c.line(heap.Pop(&c.later).(*callLine))
		}
		for c.ready.first != nil && c.all < p.All {
			l := c.ready.pop()
			if e := c.serve(l, now, p); e != nil {
				return e, time.Time{}
			}
		}
		switch {
		case c.ready.first != nil || len(c.later) == 0: // somebody gives a place back, or adds one
			return nil, time.Time{}
		case c.later[0].at().After(now):
			return nil, c.later[0].at()
		}
	}
}

// serve gives a line its turn. nil: it has nothing to attempt, or no place for it.
func (c *calls) serve(l *callLine, now time.Time, p *Places) *entry {
	for len(l.items) > 0 && !c.live(&l.items[0]) {
		heap.Pop(&l.items)
	}
	switch {
	case len(l.items) == 0:
		delete(c.lines, l.key)
	case l.at().After(now):
		c.wait(l)
	default:
		for _, key := range l.key.keys() {
			if c.busy[key] < p.most(key) {
				continue
			}
			c.standAside(l, key)
			c.pass(l, p)
			return nil
		}
		e := heap.Pop(&l.items).(callItem).e
		for _, key := range l.key.keys() {
			c.busy[key]++
		}
		c.all++
		c.line(l)
		return e
	}
	c.pass(l, p)
	return nil
}

func (c *calls) standAside(l *callLine, key placeKey) {
	if c.aside[key] == nil {
		c.aside[key] = &turns{}
	}
	l.where = isAside
	c.aside[key].push(l)
}

// pass: a line did not take the place for which it was called back, be it its host's or its tenant's. Another may.
func (c *calls) pass(l *callLine, p *Places) {
	for _, key := range l.key.keys() {
		if c.busy[key] < p.most(key) {
			c.callBack(key)
		}
	}
}

func (c *calls) callBack(key placeKey) {
	waiting := c.aside[key]
	if waiting == nil {
		return
	}
	c.line(waiting.pop())
	if waiting.first == nil {
		delete(c.aside, key)
	}
}

// give gives the place of an attempt back.
func (c *calls) give(key callKey) {
	c.all--
	for _, key := range key.keys() {
		if c.busy[key]--; c.busy[key] == 0 {
			delete(c.busy, key)
		}
		c.callBack(key)
	}
	c.wake()
}
