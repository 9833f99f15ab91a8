// Package line is where jobs wait for a place among those that run. A job is let in when
// a place is free and what it is promised, of memory and of processors, is left of what
// may be promised at once. Of several tenants the one goes first that was charged least of
// late (charge.go), and within a tenant the job that came first.
//
// It knows nothing of cells, policies or the kernel: who asks says how much, and when it
// gives its place back says what it has used.
package line

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// Share bounds what is promised at once. 0 is no bound.
type Share struct {
	Places int
	Memory int64   // bytes
	CPUs   float64 // CPU rate: 1.5 is one and a half processors' worth
	// Weight of a tenant: with 2 it is charged half as much, and so gets twice as much where
	// others wait, too. 0 is 1. Of no use for all together.
	Weight float64
}

// Config is what a Line goes by.
type Config struct {
	All Share // of all together; without Places there is one
	// Queued is how many of the places jobs may have that say that they were queued; 0: all.
	Queued int
	// Tenants are the bounds of each; nil: there are none. It is asked for each job, without a
	// lock. A job that waits is held against new ones by Reconsider.
	Tenants func(name string) Share
	Stop    <-chan struct{} // when closed nobody waits any more; nil: never
	Now     func() int64    // monotonic, in nanoseconds; nil: time.Now
}

// Want is what a job asks for.
type Want struct {
	Tenant string // "": nobody in particular
	Memory int64
	CPUs   float64
	Queued bool // it comes from a queue, which may not have all places
}

// ErrStopped is for those who wait when the line is stopped.
var ErrStopped = errors.New("nobody is let in any more")

// Line lets jobs in. Its methods may be called at once.
type Line struct {
	config Config
	all    bound

	mu      sync.Mutex
	used    amount
	queued  int // places that queued jobs have
	tenants map[string]*tenant
	waiting []*tenant // those with somebody in the line
	waiters int
	running []*Place
	order   uint64 // of coming, among all

	virtual  float64 // the least that a tenant was charged who was let in last
	aged     int64   // when charges were last reduced for their age
	estimate float64 // of what a job will be charged, among all tenants

	held   *waiter // for whom room is gathered
	heldAt int64
	passed int // how many went past it
}

// waiter is a job in the line.
type waiter struct {
	tenant     *tenant
	want       amount
	queued     bool
	order      uint64
	next, last *waiter
	inLine     bool
	place      *Place
	err        error
	ready      chan struct{} // closed when there is a place, or an error; nil: it never had to wait
}

// New makes a line.
func New(c Config) *Line {
	if c.Now == nil {
		start := time.Now()
		c.Now = func() int64 { return int64(time.Since(start)) }
	}
	c.All.Places = max(c.All.Places, 1)
	if c.Queued <= 0 {
		c.Queued = c.All.Places
	}
	l := &Line{config: c, all: c.All.bound(), tenants: map[string]*tenant{}, estimate: float64(firstEstimate)}
	l.aged = c.Now()
	return l
}

// Take waits for a place. The error is that of the context, ErrStopped, or a *TooMuch for a
// job that would wait for ever.
func (l *Line) Take(ctx context.Context, want Want) (*Place, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := l.enter(want)
	if err != nil {
		return nil, err
	}
	if w.ready == nil {
		return w.place, nil
	}
	select {
	case <-w.ready:
		return w.place, w.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.config.Stop:
		err = ErrStopped
	}
	l.leave(w)
	return nil, err
}

// enter puts a job into the line, or lets it in at once.
func (l *Line) enter(want Want) (*waiter, error) {
	share := l.share(want.Tenant)
	if err := l.check(want, share); err != nil {
		return nil, err
	}
	now := l.config.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(now)
	t := l.tenant(want.Tenant)
	t.take(share)
	l.order++
	w := &waiter{tenant: t, want: want.amount(), queued: want.Queued, order: l.order}
	if l.waiters == 0 && l.mayStart(w) && l.fits(w) {
		l.start(w, now)
		return w, nil
	}
	w.ready = make(chan struct{})
	l.push(w)
	l.admit(now)
	return w, nil
}

// leave takes a job out that does not want to wait any more. One that was let in meanwhile
// gives its place back.
func (l *Line) leave(w *waiter) {
	l.mu.Lock()
	if !w.inLine {
		l.mu.Unlock()
		if w.place != nil {
			w.place.Give(0)
		}
		return
	}
	defer l.mu.Unlock()
	l.remove(w)
	l.admit(l.config.Now())
}

// Check says whether a job would be let in at all, were it alone: nil, or a *TooMuch.
func (l *Line) Check(want Want) error { return l.check(want, l.share(want.Tenant)) }

func (l *Line) share(name string) Share {
	if l.config.Tenants == nil {
		return Share{}
	}
	return l.config.Tenants(name)
}

// AtOnce is how many such jobs would run at once, were there no others.
func (l *Line) AtOnce(want Want) int {
	a, most := want.amount(), math.MaxInt
	for _, b := range []bound{l.all, l.share(want.Tenant).bound()} {
		most = min(most, b.times(a))
	}
	if want.Queued {
		most = min(most, l.config.Queued)
	}
	return most
}

// Reconsider holds those who wait against the bounds of their tenants as they are now. Who
// could not be let in any more is told so.
func (l *Line) Reconsider() {
	l.mu.Lock()
	names := make([]string, 0, len(l.tenants))
	for name := range l.tenants {
		names = append(names, name)
	}
	l.mu.Unlock()
	shares := make([]Share, len(names))
	for i, name := range names {
		shares[i] = l.share(name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, name := range names {
		if t := l.tenants[name]; t != nil {
			t.take(shares[i])
			l.refuse(t, shares[i])
		}
	}
	l.admit(l.config.Now())
}

// refuse ends the waiting of those who ask for more than their tenant may have now.
func (l *Line) refuse(t *tenant, share Share) {
	for i := range t.lines {
		var next *waiter
		for w := t.lines[i].first; w != nil; w = next {
			next = w.next
			if err := share.bound().tooMuch(w.want, true); err != nil {
				l.remove(w)
				w.err = err
				close(w.ready)
			}
		}
	}
}

// Stats are the numbers a monitor wants.
type Stats struct {
	Running        int
	Waiting        int
	WaitingTenants int
	Held           int     // 1 while room is gathered for a job that needs much
	Memory         int64   // promised
	CPUs           float64 // likewise
	All            Share   // that may be promised
}

// Stats reads the numbers.
func (l *Line) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Running: l.used.places, Waiting: l.waiters, WaitingTenants: len(l.waiting), Memory: l.used.memory, CPUs: float64(l.used.cpus) / micro, All: l.config.All}
	if l.held != nil {
		s.Held = 1
	}
	return s
}
