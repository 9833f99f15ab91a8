package line

import (
	"fmt"
	"math"
)

// micro: CPU rates are counted in millionths, so that what was added can be taken off again.
const micro = 1e6

// amount is what jobs have, or are to have.
type amount struct {
	places int
	memory int64
	cpus   int64 // millionths
}

func (w *Want) amount() amount {
	return amount{1, max(w.Memory, 0), millionths(w.CPUs)}
}

func millionths(cpus float64) int64 {
	if !(cpus > 0) { // so written, it holds for NaN, too
		return 0
	}
	return int64(min(math.Ceil(cpus*micro), math.MaxInt64/4))
}

func (a *amount) add(b amount) {
	a.places += b.places
	a.memory += b.memory
	a.cpus += b.cpus
}

func (a *amount) sub(b amount) { a.add(amount{-b.places, -b.memory, -b.cpus}) }

// bound is a Share as it is counted.
type bound amount

const unbounded = math.MaxInt64 / 4

func (s Share) bound() bound {
	b := bound{math.MaxInt32, unbounded, unbounded}
	if s.Places > 0 {
		b.places = s.Places
	}
	if s.Memory > 0 {
		b.memory = s.Memory
	}
	if s.CPUs > 0 {
		b.cpus = millionths(s.CPUs)
	}
	return b
}

// holds: there is room for more besides what is used. Nothing is added up that could
// overflow.
func (b *bound) holds(used, more amount) bool {
	return used.places < b.places && more.memory <= b.memory-used.memory && more.cpus <= b.cpus-used.cpus
}

// times is how often an amount goes into the bound.
func (b *bound) times(a amount) int {
	most := int64(b.places)
	if a.memory > 0 {
		most = min(most, b.memory/a.memory)
	}
	if a.cpus > 0 {
		most = min(most, b.cpus/a.cpus)
	}
	return int(most)
}

// TooMuch is for a job that would have to wait for ever.
type TooMuch struct {
	Tenant bool    // it is the tenant's bound; else that of all together
	CPUs   bool    // it is about the CPU rate; else about memory
	Asked  float64 // bytes, or processors
	Most   float64
}

// Error says what was asked for and what is allowed.
func (e *TooMuch) Error() string {
	whose := "all jobs that run at once"
	if e.Tenant {
		whose = "all jobs of this tenant that run at once"
	}
	if e.CPUs {
		return fmt.Sprintf("%g asked for, allowed for %s is a CPU rate of %g", e.Asked, whose, e.Most)
	}
	return fmt.Sprintf("%.0f asked for, allowed for %s are %.0f bytes of memory", e.Asked, whose, e.Most)
}

// tooMuch is an error where an amount alone is beyond the bound, be it a tenant's or that of all.
func (b bound) tooMuch(a amount, tenant bool) error {
	switch {
	case a.memory > b.memory:
		return &TooMuch{Tenant: tenant, Asked: float64(a.memory), Most: float64(b.memory)}
	case a.cpus > b.cpus:
		return &TooMuch{Tenant: tenant, CPUs: true, Asked: float64(a.cpus) / micro, Most: float64(b.cpus) / micro}
	}
	return nil
}

func (l *Line) check(want Want, share Share) error {
	a := want.amount()
	if err := l.all.tooMuch(a, false); err != nil {
		return err
	}
	return share.bound().tooMuch(a, true)
}
