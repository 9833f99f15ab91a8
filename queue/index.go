package queue

import (
	"slices"
	"time"
)

// entry is a job in memory. All of it is Queue.mu's.
type entry struct {
	Record
	order   uint64    // of its submission among all; 0 when that is removed
	version uint64    // number of its record in the journal; 0: it is as it was submitted
	taken   bool      // somebody here is about to change its state
	inLine  bool      // its tenant's lane has it
	claim   *Claim    // when it runs here
	asked   time.Time // when it was looked for because nothing was told of it for long

	hookVersion uint64 // number of its delivery in the journal; 0: there is none
	telling     bool   // somebody here tells of its end
	leaving     bool   // it is about to be forgotten
}

// line are the jobs of a tenant and one priority that wait, the oldest first. Some may have left
// otherwise than by its front: who takes one looks at its state.
type line []*entry

// Len is heap's.
func (l line) Len() int { return len(l) }

// Less is heap's.
func (l line) Less(a, b int) bool { return l[a].order < l[b].order }

// Swap is heap's.
func (l line) Swap(a, b int) { l[a], l[b] = l[b], l[a] }

// Push is heap's.
func (l *line) Push(x any) { *l = append(*l, x.(*entry)) }

// Pop is heap's.
func (l *line) Pop() any {
	last := len(*l) - 1
	e := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return e
}

// index has every record. All of it is Queue.mu's.
type index struct {
	jobs     map[string]*entry
	shelf    shelf
	lanes    map[string]*lane // by tenant; those that have had jobs waiting
	count    map[State]int64
	tenants  map[string]*part          // by tenant
	active   map[State]map[*entry]bool // those that wait and those that run
	ended    []*entry                  // in the order in which they ended; some may be gone
	untidy   map[*entry]bool           // of them, those whose request is there still
	requests int64                     // bytes of the requests of jobs that are not final
	results  int64                     // bytes of results
	seen     uint64                    // the last message that the journal told of
	watchers map[string][]chan struct{}
	able     func(*Record) bool // this service can run a job; nil: any
	ready    int64              // that wait, and can run here
	brief    []*entry           // in the order in which they ended, as ended

	worker, boot string          // of this start
	calls        calls           // deliveries that are to be attempted
	untold       map[*entry]bool // jobs of whose end somebody is to be told
	hookWake     chan struct{}   // signalled when there is another to be attempted, or a place for it
}

// can says whether a job can run here. Its record always answers the same.
func (x *index) can(e *entry) bool { return x.able == nil || x.able(&e.Record) }

// part is what one tenant has of the queue.
type part struct {
	shelf    shelf
	waiting  int64
	ready    int64 // of these, that can run here
	requests int64 // bytes of those that are not final
}

// part is that of a tenant, or an empty one.
func (x *index) part(tenant string) part {
	if p := x.tenants[tenant]; p != nil {
		return *p
	}
	return part{}
}

func newIndex(worker, boot string) *index {
	x := &index{jobs: map[string]*entry{}, shelf: newShelf(), lanes: map[string]*lane{}, count: map[State]int64{}, tenants: map[string]*part{},
		active: map[State]map[*entry]bool{Queued: {}, Running: {}}, untidy: map[*entry]bool{}, watchers: map[string][]chan struct{}{},
		worker: worker, boot: boot, untold: map[*entry]bool{}, hookWake: make(chan struct{}, 1)}
	x.calls = newCalls(x.callable, func() { signal(x.hookWake) })
	return x
}

// recordBytes is what a record is counted for besides its result: so their number is
// bounded, too.
const recordBytes = 1 << 10

// weight is what a job that has ended is counted for.
func (e *entry) weight() int64 {
	n := e.ResultBytes + recordBytes
	if e.Hook != nil {
		n += int64(len(e.Hook.URL))
	}
	return n
}

// weigh counts an entry, or takes it out of the count.
func (x *index) weigh(e *entry, by int64) {
	x.count[e.State] += by
	if e.State.Final() {
		x.results += by * e.weight()
	} else {
		x.requests += by * e.Bytes
	}
	own := x.tenants[e.Tenant]
	for _, shelf := range []*shelf{&x.shelf, &own.shelf} {
		if by > 0 {
			shelf.put(e)
		} else {
			shelf.leave(e)
		}
	}
	if e.State == Queued {
		own.waiting += by
		if x.can(e) {
			own.ready += by
			x.ready += by
		}
	}
	if !e.State.Final() {
		own.requests += by * e.Bytes
	}
	if all := x.active[e.State]; all != nil && by > 0 {
		all[e] = true
	} else if all != nil {
		delete(all, e)
	}
}

// apply takes over what a message says. It may come more than once.
func (x *index) apply(kind string, r *Record, number uint64) (changed bool) {
	e := x.jobs[r.ID]
	switch {
	case e == nil:
		e = &entry{Record: *r}
		x.jobs[r.ID] = e
		own := x.tenants[r.Tenant]
		if own == nil {
			own = &part{shelf: newShelf()}
			x.tenants[r.Tenant] = own
		}
	case kind == submission:
		e.order = number // its record was known before
		if e.State.Final() {
			x.untidy[e] = true
		}
		return false
	case number <= e.version:
		return false
	default:
		x.weigh(e, -1)
		tenant, delivery := e.Tenant, e.Delivery
		e.Record = *r
		e.Tenant = tenant // whose a job is never changes
		e.Delivery = delivery
	}
	if kind == submission {
		e.order = number
	} else {
		e.version = number
	}
	x.weigh(e, 1)
	switch {
	case e.State == Queued:
		x.push(e)
	case e.State.Final():
		x.ended = append(x.ended, e)
		if e.Brief {
			x.brief = append(x.brief, e)
		}
		if e.order != 0 {
			x.untidy[e] = true
		}
		x.hook(e)
	}
	x.look(e.Tenant)
	for _, w := range x.watchers[r.ID] {
		signal(w)
	}
	return true
}

// drop forgets a job.
func (x *index) drop(e *entry) {
	x.weigh(e, -1)
	delete(x.jobs, e.ID)
	delete(x.untidy, e)
	delete(x.untold, e)
	x.shelf.drop(e)
	own := x.tenants[e.Tenant]
	if own.shelf.drop(e); own.shelf.all.Len() == 0 {
		delete(x.tenants, e.Tenant)
	}
	x.look(e.Tenant)
	for _, w := range x.watchers[e.ID] {
		signal(w)
	}
}

// oldest gives, of the jobs that have ended, those that are to go: the first ones, while
// they are old enough, or all together too large. There may be more. A job of whose end
// somebody is to be told goes only where room is needed.
func (x *index) oldest(old func(*entry) bool, over int64) (out []*entry) {
	const most = 1000
	x.compact()
	for _, e := range x.ended {
		if x.jobs[e.ID] != e || e.telling || e.Untold() && over <= 0 {
			continue
		}
		// What the journal has not told yet it would tell again.
		if !old(e) && over <= 0 || e.version > x.seen || len(out) == most {
			break
		}
		over -= e.weight()
		out = append(out, e)
	}
	return out
}

// compact takes out of those that have ended the ones that are gone: from the front, and
// behind one that stays for long when they are the most.
func (x *index) compact() {
	gone := func(e *entry) bool { return x.jobs[e.ID] != e }
	for len(x.ended) > 0 && gone(x.ended[0]) {
		x.ended[0] = nil
		x.ended = x.ended[1:]
	}
	if len(x.ended) > 2*len(x.jobs)+1000 {
		x.ended = slices.Clip(slices.DeleteFunc(x.ended, gone))
	}
}

// page lists records behind an id; state "" is any, and so is no tenant.
func (x *index) page(state State, tenant *string, after string, limit int) ([]Record, bool) {
	of := &x.shelf
	if tenant != nil {
		own := x.tenants[*tenant]
		if own == nil {
			return nil, false
		}
		of = &own.shelf
	}
	return of.page(state, after, limit)
}

// signal wakes whoever waits for it, now or at its next look.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
