package line

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine does what jobs do to a line, and knows what has to hold of it at any time.
type machine struct {
	*bench
	all     Share
	most    int // queued ones
	shares  map[string]Share
	waiting []asked
	running []asked
	over    map[string]bool // tenants that had more than they may have now when that was changed
}

type asked struct {
	w    *waiter
	want Want
}

var names = []string{"", "a", "b", "c"}

// TestAnyOrder has jobs come, go, give up and end in any order, with tenants whose bounds
// change: what is promised is never too much, nobody waits who could come in, the first of
// each is the first, and in the end all were in.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{shares: map[string]Share{}, over: map[string]bool{}}
		m.all = Share{Places: rapid.IntRange(1, 5).Draw(r, "places"), Memory: rapid.Int64Range(0, 20).Draw(r, "memory"), CPUs: float64(rapid.IntRange(0, 8).Draw(r, "cpus")) / 2}
		m.most = rapid.IntRange(1, m.all.Places).Draw(r, "queued")
		for _, name := range names {
			m.shares[name] = m.drawShare(r)
		}
		m.bench = newBench(t, Config{All: m.all, Queued: m.most, Tenants: func(name string) Share { return m.shares[name] }})
		r.Repeat(map[string]func(*rapid.T){"come": m.come, "end": m.end, "give up": m.giveUp, "wait": m.pass, "change": m.change, "": m.check})
		m.drain(r)
	})
}

func (m *machine) drawShare(r *rapid.T) Share {
	if rapid.Bool().Draw(r, "unbounded") {
		return Share{}
	}
	return Share{Places: rapid.IntRange(0, 3).Draw(r, "its places"), Memory: rapid.Int64Range(0, 15).Draw(r, "its memory"),
		CPUs: float64(rapid.IntRange(0, 4).Draw(r, "its cpus")) / 2, Weight: rapid.SampledFrom([]float64{0, 1, 3}).Draw(r, "weight")}
}

func (m *machine) come(r *rapid.T) {
	want := Want{Tenant: rapid.SampledFrom(names).Draw(r, "tenant"), Memory: rapid.Int64Range(0, 25).Draw(r, "memory"),
		CPUs: float64(rapid.IntRange(0, 10).Draw(r, "cpus")) / 2, Queued: rapid.Bool().Draw(r, "queued")}
	w, err := m.enter(want)
	never := beyond(want, m.all) || beyond(want, m.shares[want.Tenant])
	if never != (err != nil) {
		r.Fatalf("%+v of %+v and %+v: %v", want, m.all, m.shares[want.Tenant], err)
	}
	if err == nil {
		m.waiting = append(m.waiting, asked{w, want})
	}
}

func beyond(w Want, s Share) bool {
	return s.Memory > 0 && w.Memory > s.Memory || s.CPUs > 0 && w.CPUs > s.CPUs
}

func (m *machine) end(r *rapid.T) {
	m.sort(r)
	if len(m.running) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.running)-1).Draw(r, "which")
	m.running[i].w.place.Give(time.Duration(rapid.IntRange(0, 5000).Draw(r, "ms")) * time.Millisecond)
	m.running = slices.Delete(m.running, i, i+1)
}

func (m *machine) giveUp(r *rapid.T) {
	m.sort(r)
	if len(m.waiting) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.waiting)-1).Draw(r, "which")
	m.leave(m.waiting[i].w)
	m.waiting = slices.Delete(m.waiting, i, i+1)
}

func (m *machine) pass(r *rapid.T) {
	m.after(time.Duration(rapid.IntRange(1, 700_000).Draw(r, "ms")) * time.Millisecond)
}

func (m *machine) change(r *rapid.T) {
	name := rapid.SampledFrom(names).Draw(r, "tenant")
	m.shares[name], m.over[name] = m.drawShare(r), true
	m.Reconsider()
}

// sort looks who has come in. Nobody has who came behind somebody of the same that waits.
func (m *machine) sort(r *rapid.T) {
	still := map[[2]any]bool{}
	var waiting []asked
	for _, a := range m.waiting {
		kind := [2]any{a.want.Tenant, a.want.Queued}
		switch {
		case a.w.err != nil:
			if !beyond(a.want, m.shares[a.want.Tenant]) {
				r.Fatalf("%+v was refused: %v", a.want, a.w.err)
			}
		case a.w.place == nil:
			still[kind] = true
			waiting = append(waiting, a)
		case still[kind]:
			r.Fatalf("%+v overtook one of its own", a.want)
		default:
			m.running = append(m.running, a)
		}
	}
	m.waiting = waiting
}

// sum is what some of those that run were promised.
func (m *machine) sum(of func(Want) bool) (s Share) {
	for _, a := range m.running {
		if of(a.want) {
			s.Places++
			s.Memory += a.want.Memory
			s.CPUs += a.want.CPUs
		}
	}
	return s
}

func within(s, most Share) bool {
	return (most.Places == 0 || s.Places <= most.Places) && (most.Memory == 0 || s.Memory <= most.Memory) && (most.CPUs == 0 || s.CPUs <= most.CPUs)
}

func (m *machine) check(r *rapid.T) {
	m.sort(r)
	all := m.sum(func(Want) bool { return true })
	queued := m.sum(func(w Want) bool { return w.Queued })
	if !within(all, m.all) || queued.Places > m.most {
		r.Fatalf("%+v, of it queued %+v, is promised, of %+v", all, queued, m.all)
	}
	tenants := map[string]bool{}
	for _, a := range m.waiting {
		tenants[a.want.Tenant] = true
	}
	s := m.Stats()
	if s.Running != all.Places || s.Memory != all.Memory || s.CPUs != all.CPUs || s.Waiting != len(m.waiting) || s.WaitingTenants != len(tenants) {
		r.Fatalf("%+v, there are %+v and %d that wait of %d", s, all, len(m.waiting), len(tenants))
	}
	for _, name := range names {
		own := m.sum(func(w Want) bool { return w.Tenant == name })
		if within(own, m.shares[name]) {
			m.over[name] = false
		} else if !m.over[name] {
			r.Fatalf("%q has %+v of %+v", name, own, m.shares[name])
		}
		if s.Held == 0 && tenants[name] {
			m.noneFits(r, name, all, own, queued.Places)
		}
	}
	if s.Held > 0 && (m.passed > m.all.Places || len(m.waiting) == 0) {
		r.Fatalf("%d went past", m.passed)
	}
}

// noneFits: the first of a tenant that its kind would let in has no room.
func (m *machine) noneFits(r *rapid.T, name string, all, own Share, queued int) {
	for _, a := range m.waiting {
		if a.want.Tenant != name || a.want.Queued && queued == m.most {
			continue
		}
		one := Share{Places: 1, Memory: a.want.Memory, CPUs: a.want.CPUs}
		if within(plus(all, one), m.all) && within(plus(own, one), m.shares[name]) {
			r.Fatalf("%+v waits, and there is room besides %+v, of that its own %+v", a.want, all, own)
		}
		return
	}
}

func plus(a, b Share) Share {
	return Share{Places: a.Places + b.Places, Memory: a.Memory + b.Memory, CPUs: a.CPUs + b.CPUs}
}

// drain ends one after the other: all that wait come in at last.
func (m *machine) drain(r *rapid.T) {
	for len(m.waiting)+len(m.running) > 0 {
		if len(m.running) == 0 {
			r.Fatalf("%d wait and nobody runs", len(m.waiting))
		}
		m.running[0].w.place.Give(0)
		m.running = m.running[1:]
		m.check(r)
	}
	if m.used != (amount{}) || m.queued != 0 || len(m.Line.running) != 0 || len(m.Line.waiting) != 0 {
		r.Fatalf("left: %+v", m.Line)
	}
}
