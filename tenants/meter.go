package tenants

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Meter counts what tenants use, and says who has to wait. Its methods may be called at
// once.
type Meter struct {
	now func() time.Time

	mu      sync.Mutex
	tenants map[string]*used
	dirty   func() // is called, with mu held, when there is something new to be saved
}

// used is what one tenant has.
type used struct {
	rate   *rate.Limiter // of jobs that come; nil: none came under a limit yet
	inside map[string]int
	cpu    [cpuSlots]cpuSlot
}

// CPU time of the last hour is kept by minutes: what was charged within one is let go
// when all of that minute is an hour ago.
const (
	cpuSlots = 61
	slot     = time.Minute
)

type cpuSlot struct {
	minute int64 // since 1970
	nanos  int64
}

// NewMeter is one that has counted nothing.
func NewMeter() *Meter {
	return &Meter{now: time.Now, tenants: map[string]*used{}, dirty: func() {}}
}

func (m *Meter) of(tenant string) *used {
	u := m.tenants[tenant]
	if u == nil {
		u = &used{inside: map[string]int{}}
		m.tenants[tenant] = u
	}
	return u
}

// Come counts a job that comes, where its tenant's rate allows it; else it says how long
// that takes.
func (m *Meter) Come(tenant string, l *Limits) (wait time.Duration) {
	if l.Rate == 0 {
		return 0
	}
	burst := l.Burst
	if burst == 0 {
		burst = max(1, int(math.Ceil(l.Rate)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	u := m.of(tenant)
	if u.rate == nil {
		u.rate = rate.NewLimiter(rate.Limit(l.Rate), burst)
	}
	if u.rate.Limit() != rate.Limit(l.Rate) {
		u.rate.SetLimitAt(now, rate.Limit(l.Rate))
	}
	if u.rate.Burst() != burst {
		u.rate.SetBurstAt(now, burst)
	}
	r := u.rate.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now) // it is not taken: it may come again
	}
	return wait
}

// Enter counts a tenant in where less than most of it are there already. leave is the end
// of that, once.
func (m *Meter) Enter(tenant, where string, most int) (leave func(), ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(tenant)
	if u.inside[where] >= most {
		return nil, false
	}
	u.inside[where]++
	return sync.OnceFunc(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if u.inside[where]--; u.inside[where] == 0 {
			delete(u.inside, where)
		}
	}), true
}

// Charge notes CPU time that a job has used.
func (m *Meter) Charge(tenant string, cpu time.Duration) {
	if cpu <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	minute := m.now().Unix() / int64(slot/time.Second)
	u := m.of(tenant)
	s := &u.cpu[minute%cpuSlots]
	if s.minute != minute {
		*s = cpuSlot{minute: minute}
	}
	s.nanos += cpu.Nanoseconds()
	m.dirty()
}

// Used is the CPU time of a tenant within the last hour.
func (m *Meter) Used(tenant string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.tenants[tenant]
	if u == nil {
		return 0
	}
	return time.Duration(u.sum(m.now()))
}

// sum is that of all slots that count still: the running minute and the sixty before it.
func (u *used) sum(now time.Time) (nanos int64) {
	minute := now.Unix() / int64(slot/time.Second)
	for _, s := range u.cpu {
		if counts(s.minute, minute) {
			nanos += s.nanos
		}
	}
	return nanos
}

// counts: one that lies in the future is of a clock that was set back.
func counts(minute, now int64) bool { return minute <= now && now-minute < cpuSlots }

// Rest says how long a tenant has to wait until it has used less CPU time within an hour
// than it may; 0 when it need not.
func (m *Meter) Rest(tenant string, l *Limits) time.Duration {
	if l.CPUPerHour == 0 {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.tenants[tenant]
	if u == nil {
		return 0
	}
	now := m.now()
	over := u.sum(now) - int64(l.CPUPerHour*1e9)
	minute := now.Unix() / int64(slot/time.Second)
	for left := minute - cpuSlots + 1; over >= 0 && left <= minute; left++ { // the oldest first
		s := u.cpu[((left%cpuSlots)+cpuSlots)%cpuSlots]
		if s.minute != left {
			continue
		}
		if over -= s.nanos; over < 0 {
			return time.Unix((left+cpuSlots)*int64(slot/time.Second), 0).Sub(now)
		}
	}
	return 0
}
