package line

import (
	"slices"
	"testing"
	"time"
)

// A tenant that always has a job that sleeps does not save up for a flood.
func TestTrickleSavesNothing(t *testing.T) {
	const length = time.Second
	trickle := &source{name: "a", run: 10 * time.Second, jobs: 2, again: true}
	more := &source{name: "a", run: 10 * time.Second, at: 5 * time.Second, jobs: 1, again: true}
	b := &source{name: "b", run: length, cpu: length, jobs: 16, again: true}
	c := &source{name: "c", run: length, cpu: length, jobs: 16, again: true}
	flood := &source{name: "a", run: length, cpu: length, at: 10 * time.Minute, jobs: 2000}
	d := &source{name: "d", run: length, cpu: length, at: 10*time.Minute + 5*time.Second, jobs: 1, again: true}
	simulate(t, 8, 15*time.Minute, trickle, more, b, c, flood, d)
	if len(d.waits) == 0 {
		t.Fatal("d never got a place")
	}
	t.Logf("d waited %v first, p95 %v; a's flood had %d jobs ended", d.waits[0], percentile(d.waits, 0.95), flood.ended)
	if d.waits[0] > 4*length {
		t.Errorf("somebody new waited %v behind a flood of a tenant that only had jobs that sleep before", d.waits[0])
	}
}

// Nor does one that has a job in the line which only its own share keeps waiting.
func TestOwnShareSavesNothing(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4}, Tenants: func(name string) Share {
		if name == "a" {
			return Share{Memory: 10}
		}
		return Share{}
	}})
	sleeps := b.in(Want{Tenant: "a", Memory: 6})
	blocked := b.in(Want{Tenant: "a", Memory: 6})
	var others []*waiter
	for range 3000 { // each of a second, three at once
		others = append(others, b.in(of("b")))
		if n := len(others); n > 3 {
			others[n-4].place.Give(time.Second)
			if n%3 == 0 {
				b.after(time.Second)
			}
		}
	}
	var flood []*waiter
	for range 100 {
		flood = append(flood, b.in(Want{Tenant: "a"}))
	}
	sleeps.place.Give(0)
	blocked.place.Give(0)
	for range 40 {
		others = append(others, b.in(of("b")))
	}
	begun := func(all []*waiter) (n int) {
		for _, w := range all {
			if w.place != nil {
				n++
			}
		}
		return n
	}
	before, floodBefore := begun(others), begun(flood)
	for range 10 {
		b.after(time.Second)
		running := slices.DeleteFunc(slices.Concat(flood, others), func(w *waiter) bool { return w.place == nil || w.place.given })
		for _, w := range running {
			w.place.Give(time.Second)
		}
	}
	if got := begun(others) - before; got < 15 {
		t.Errorf("b has begun %d jobs, while a has begun %d", got, begun(flood)-floodBefore)
	}
}
