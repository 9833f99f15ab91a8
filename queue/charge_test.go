package queue

import (
	"sync"
	"testing"
	"time"
)

// charges are what one service has charged for a tenant: what it was told of, and what ran here.
type charges struct {
	mu  sync.Mutex
	cpu time.Duration
}

func (c *charges) add(cpu time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cpu += cpu
}

func (c *charges) sum() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cpu
}

// A job whose attempts are made by several services is charged once for each, in all of them.
func TestEachAttemptIsChargedOnce(t *testing.T) {
	h, all := startServer(t), map[string]*charges{}
	join := func(name string) *opened {
		all[name] = &charges{}
		q, _ := member(t, h, name, func(c *Config) {
			c.Lease = time.Minute
			c.Ran = func(_ string, cpu, _, _ time.Duration) { all[name].add(cpu) }
		})
		return q
	}
	a, b, other := join("a"), join("b"), join("other")
	attempt := func(q *opened, name string, cpu time.Duration, state State) {
		t.Helper()
		eventually(t, func() bool { r, err := q.Get(t.Context(), "job"); return err == nil && r.State == Queued })
		c := q.claim("job")
		c.CPU += cpu // as who runs it does, and charges it
		all[name].add(cpu)
		q.finish(c, End{State: state})
	}
	a.submit("job", func(s *Submission) { s.RetrySafe, s.Tenant = true, "t" })
	attempt(a, "a", time.Second, Interrupted)
	for name, one := range all {
		eventually(t, func() bool { return one.sum() == time.Second })
		t.Log(name, "knows of the first attempt")
	}
	attempt(b, "b", 10*time.Second, Interrupted)
	attempt(a, "a", 100*time.Second, Done)
	other.sees("job", Done, 3)
	b.sees("job", Done, 3)
	late := join("late") // which is told of all at once
	late.sees("job", Done, 3)
	for name, one := range all {
		if got := one.sum(); got != 111*time.Second {
			t.Errorf("%s has charged %v, want 1m51s", name, got)
		}
	}
}
