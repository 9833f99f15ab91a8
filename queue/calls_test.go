package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// board are calls whose deliveries are there until they are taken.
type board struct {
	calls
	looked int // at deliveries
	taken  map[*entry]bool
	now    time.Time
}

func newBoard() *board {
	b := &board{taken: map[*entry]bool{}, now: time.Unix(1000, 0)}
	b.calls = newCalls(func(i *callItem) bool { b.looked++; return !b.taken[i.e] }, func() {})
	return b
}

func (b *board) put(tenant, host string, in time.Duration) *entry {
	e := &entry{Record: Record{Tenant: tenant, Hook: &Hook{Host: host}}}
	b.add(e, b.now.Add(in))
	return e
}

func (b *board) take(p Places) *entry {
	e, _ := b.next(b.now, &p)
	if e != nil {
		b.taken[e] = true
	}
	return e
}

func keyOfEntry(e *entry) callKey { return callKey{e.Tenant, e.Hook.Host} }

// Each host has its own places, also where one entry of the operator's list stands for many; of
// those of one tenant some are always left to others.
func TestPlacesOfHosts(t *testing.T) {
	b, p := newBoard(), Places{All: 50, PerHost: 4, PerTenant: 40}
	for host := range 15 {
		for range 10 {
			b.put("a", fmt.Sprintf("h%d.example:443", host), 0)
		}
	}
	at := map[string]int{}
	for e := b.take(p); e != nil; e = b.take(p) {
		at[e.Hook.Host]++
	}
	if len(at) != 15 || b.all != 40 {
		t.Errorf("%d attempts to %d hosts: %v; want 40, to all 15", b.all, len(at), at)
	}
	for host, n := range at {
		if n > 4 || n < 2 {
			t.Errorf("%s has %d places: they are not shared out", host, n)
		}
	}
	if b.put("b", "h0.example:443", 0); b.take(p) == nil && at["h0.example:443"] < 4 {
		t.Error("another tenant has no place at a host that has one")
	}
	b.put("b", "other:443", 0)
	if e := b.take(p); e == nil || e.Tenant != "b" {
		t.Errorf("another tenant waits: %+v", e)
	}
	for range 20 { // the operator's own may have all that are left
		b.put("", "own:443", 0)
		b.put("", "own2:443", 0)
		b.put("", "own3:443", 0)
	}
	for b.take(p) != nil {
	}
	if b.all != 50 {
		t.Errorf("%d places are taken, there are 50", b.all)
	}
}

// Whatever comes and goes: no bound is passed, nothing waits for which there is a place, and
// all comes to its turn.
func TestCallsAreComplete(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b, p := newBoard(), Places{All: 1 + r.IntN(8), PerHost: 1 + r.IntN(3), PerTenant: 1 + r.IntN(5)}
		waiting, under := map[*entry]time.Time{}, []*entry{}
		pick := func() (string, string) {
			return []string{"", "a", "b", "c"}[r.IntN(4)], fmt.Sprint("h", r.IntN(5))
		}
		step := func(coming bool) {
			switch n := r.IntN(10); {
			case n < 4 && coming:
				tenant, host := pick()
				in := time.Duration(r.IntN(5)) * time.Second
				waiting[b.put(tenant, host, in)] = b.now.Add(in)
			case n < 6 && len(under) > 0:
				i := r.IntN(len(under))
				b.give(keyOfEntry(under[i]))
				under = slices.Delete(under, i, i+1)
			case n < 7:
				b.now = b.now.Add(time.Second)
			case n < 8 && coming: // one goes that waits
				for e := range waiting {
					b.taken[e] = true
					delete(waiting, e)
					break
				}
			default:
				e := b.take(p)
				b.holds(t, &p, waiting, under, e)
				if e != nil {
					delete(waiting, e)
					under = append(under, e)
				}
			}
		}
		for range 300 {
			step(true)
		}
		for n := 0; len(waiting) > 0; n++ {
			if step(false); n > 100_000 {
				t.Fatalf("seed %d: %d wait for ever", seed, len(waiting))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// holds looks at a choice from outside.
func (b *board) holds(t *testing.T, p *Places, waiting map[*entry]time.Time, under []*entry, chosen *entry) {
	t.Helper()
	hosts, tenants := map[string]int{}, map[string]int{}
	for _, e := range under {
		hosts[e.Hook.Host]++
		tenants[e.Tenant]++
	}
	may := func(e *entry) bool {
		return !waiting[e].After(b.now) && len(under) < p.All && hosts[e.Hook.Host] < p.PerHost && (e.Tenant == "" || tenants[e.Tenant] < p.PerTenant)
	}
	if chosen != nil {
		if _, there := waiting[chosen]; !there || !may(chosen) {
			t.Errorf("chosen without a place, before its time, or twice: %+v", chosen.Record)
		}
		return
	}
	for e := range waiting {
		if may(e) {
			t.Errorf("it waits, though there is a place: %q to %s", e.Tenant, e.Hook.Host)
		}
	}
}

// A choice costs the same however many hosts there are, and whatever they wait for.
func TestChoiceIsBounded(t *testing.T) {
	for _, hosts := range []int{10, 10_000} {
		b, p := newBoard(), Places{All: 128, PerHost: 4, PerTenant: 96}
		for i := range hosts {
			b.put("a", fmt.Sprint("h", i), 0)
			b.put("a", fmt.Sprint("h", i), time.Hour)
		}
		var under []*entry
		for e := b.take(p); e != nil; e = b.take(p) {
			under = append(under, e)
		}
		b.looked = 0
		const rounds = 1000
		for i := range rounds {
			if b.take(p) != nil {
				t.Fatal("more than there are places for")
			}
			at := i % len(under)
			b.give(keyOfEntry(under[at]))
			b.put("a", under[at].Hook.Host, 0)
			if under[at] = b.take(p); under[at] == nil {
				t.Fatal("nothing for a place that is free")
			}
		}
		if b.looked > 10*rounds {
			t.Errorf("%d hosts: %d looks for %d choices", hosts, b.looked, rounds)
		}
	}
}

// BenchmarkNextCall: all hosts but a few are out of places, or not due.
func BenchmarkNextCall(b *testing.B) {
	for _, hosts := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("hosts=%d", hosts), func(b *testing.B) {
			all, p := newBoard(), Places{All: 128, PerHost: 4, PerTenant: 96}
			for i := range hosts {
				all.put("a", fmt.Sprint("h", i), 0)
			}
			for b.Loop() {
				e := all.take(p)
				all.put("a", e.Hook.Host, 0)
				all.give(keyOfEntry(e))
				delete(all.taken, e)
			}
		})
	}
}
