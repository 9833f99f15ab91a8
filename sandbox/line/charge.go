package line

import (
	"math"
	"time"
)

// A tenant is charged for the CPU time of its jobs, and at least for a fourth of the time for
// which they had a place: a program that sleeps keeps others out, too. All in nanoseconds.
//
// A job is charged in advance what its tenant's jobs are usually charged; while it runs, for
// its time as that comes to more, at the rate that is usual for them; and at its end what it
// has really used. So a tenant whose jobs are long does not get all places before the first
// has ended.
//
// Who comes back, or is new, begins with what the tenant was charged that was let in last:
// nobody saves up for times in which it has nothing to wait for, or only waits for its own
// share. And what a tenant was charged
// beyond that is halved each five minutes.
const (
	placeShare    = 4
	halfLife      = int64(5 * time.Minute)
	agedEvery     = halfLife / 64
	forgotten     = float64(time.Millisecond) // a tenant without jobs that was charged no more is as good as new
	firstEstimate = 100 * time.Millisecond    // until jobs have ended
	mostRate      = 64                        // a job too short to be timed says little
	usual         = 8                         // of so many jobs, about, the estimate is a mean
)

// tenant is whose jobs wait or run, or did lately.
type tenant struct {
	name     string
	share    bound
	weight   float64
	used     amount
	lines    [2]fifo // direct jobs and queued ones
	waiting  int
	index    int // in Line.waiting
	charged  float64
	estimate float64 // of what a job will be charged
	rate     float64 // of that in its time
}

func (t *tenant) of(w *waiter) *fifo {
	if w.queued {
		return &t.lines[1]
	}
	return &t.lines[0]
}

func (t *tenant) take(s Share) {
	t.share, t.weight = s.bound(), 1
	if s.Weight > 0 {
		t.weight = s.Weight
	}
}

func (t *tenant) idle() bool { return t.waiting == 0 && t.used.places == 0 }

// tenant finds one, or begins it.
func (l *Line) tenant(name string) *tenant {
	t := l.tenants[name]
	if t == nil {
		t = &tenant{name: name, weight: 1, share: Share{}.bound(), estimate: l.estimate, rate: 1}
		l.tenants[name] = t
	}
	if t.waiting == 0 { // also while it has jobs that run: one that sleeps is no claim to all that others use meanwhile
		t.charged = max(t.charged, l.virtual)
	}
	return t
}

// advance charges a job that begins.
func (l *Line) advance(p *Place) {
	t := p.tenant
	l.virtual = max(l.virtual, t.charged)
	p.charge(t.estimate)
}

// accrue charges those that run for their time so far.
func (l *Line) accrue(now int64) {
	for _, p := range l.running {
		if due := float64(now-p.since) * p.tenant.rate; due > p.charged {
			p.charge(due)
		}
	}
}

// charge brings what was charged for a job to an amount. What a tenant gets back does not
// bring it below those who are let in now.
func (p *Place) charge(total float64) {
	t, more := p.tenant, total-p.charged
	p.charged = total
	before := t.charged
	t.charged += more / t.weight
	if more < 0 {
		t.charged = max(t.charged, min(before, p.line.virtual))
	}
}

// settle charges a job that has ended.
func (l *Line) settle(p *Place, now int64, cpu time.Duration) {
	t, held := p.tenant, float64(now-p.since)
	total := max(float64(cpu), held/placeShare)
	p.charge(total)
	t.estimate += (total - t.estimate) / usual
	if held > 0 {
		t.rate += (min(total/held, mostRate) - t.rate) / usual
	}
	l.estimate += (total - l.estimate) / usual
}

// age reduces what was charged, and forgets tenants of which there is nothing to be known.
func (l *Line) age(now int64) {
	past := now - l.aged
	if past < agedEvery {
		return
	}
	l.aged = now
	left := faded(past)
	for name, t := range l.tenants {
		if more := t.charged - l.virtual; more > 0 {
			t.charged = l.virtual + more*left
		}
		if t.idle() && t.charged-l.virtual < forgotten {
			delete(l.tenants, name)
		}
	}
}

func faded(past int64) float64 { return math.Exp2(-float64(past) / float64(halfLife)) }

// Charge charges a tenant for a job that ran elsewhere, and ended some time ago: held is how
// long it had a place there.
func (l *Line) Charge(name string, cpu, held, ago time.Duration) {
	share, now := l.share(name), l.config.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age(now)
	t := l.tenant(name)
	t.take(share)
	t.charged += max(float64(cpu), float64(held)/placeShare, 0) * faded(int64(max(ago, 0))) / t.weight
}

// Place is a job's among those that run.
type Place struct {
	line    *Line
	tenant  *tenant
	want    amount
	queued  bool
	since   int64
	charged float64
	index   int // in Line.running
	given   bool
}

// Give gives the place back, and says what CPU time was used in it. Only the first call
// does anything.
func (p *Place) Give(cpu time.Duration) {
	l := p.line
	now := l.config.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.given {
		return
	}
	p.given = true
	l.age(now)
	l.settle(p, now, cpu)
	last := len(l.running) - 1
	l.running[p.index] = l.running[last]
	l.running[p.index].index = p.index
	l.running[last] = nil
	l.running = l.running[:last]
	l.used.sub(p.want)
	p.tenant.used.sub(p.want)
	if p.queued {
		l.queued--
	}
	l.admit(now)
}

// Holds: what the place was promised is enough for this.
func (p *Place) Holds(want Want) bool {
	a := want.amount()
	return p.tenant.name == want.Tenant && a.memory <= p.want.memory && a.cpus <= p.want.cpus
}
