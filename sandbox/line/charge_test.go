package line

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// source is a tenant of a simulation, whose jobs come and run in a time of its own.
type source struct {
	name     string
	weight   float64
	run, cpu time.Duration // of a job
	at       time.Duration // when the first come
	jobs     int           // that come at once, in all where again is not set
	again    bool          // whenever one ends another comes
	pause    time.Duration // before that

	waits []time.Duration
	used  time.Duration // CPU time, of jobs that have ended
	ended int
}

type event struct {
	at    int64
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(a, b int) bool {
	return e[a].at < e[b].at || e[a].at == e[b].at && e[a].order < e[b].order
}
func (e events) Swap(a, b int) { e[a], e[b] = e[b], e[a] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any     { x := (*e)[len(*e)-1]; *e = (*e)[:len(*e)-1]; return x }

// simulation runs jobs without running anything: its time is its own.
type simulation struct {
	*bench
	events events
	count  int
	line   []waitingJob
}

type waitingJob struct {
	w    *waiter
	of   *source
	came int64
}

func (s *simulation) later(d time.Duration, do func()) {
	s.count++
	heap.Push(&s.events, event{s.now + int64(d), s.count, do})
}

// simulate lets jobs come for some time.
func simulate(t testing.TB, places int, until time.Duration, all ...*source) {
	weights := map[string]Share{}
	for _, one := range all {
		weights[one.name] = Share{Weight: one.weight}
	}
	s := &simulation{bench: newBench(t, Config{All: Share{Places: places}, Tenants: func(name string) Share { return weights[name] }})}
	for _, one := range all {
		s.later(one.at, func() {
			for range one.jobs {
				s.come(one)
			}
		})
	}
	for len(s.events) > 0 && s.events[0].at <= int64(until) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.do()
		s.begin()
	}
}

func (s *simulation) come(of *source) {
	w := s.in(Want{Tenant: of.name})
	s.line = append(s.line, waitingJob{w, of, s.now})
}

// begin has those run that were let in.
func (s *simulation) begin() {
	s.line = slices.DeleteFunc(s.line, func(j waitingJob) bool {
		if j.w.place == nil {
			return false
		}
		j.of.waits = append(j.of.waits, time.Duration(s.now-j.came))
		s.later(j.of.run, func() {
			j.of.used += j.of.cpu
			j.of.ended++
			j.w.place.Give(j.of.cpu)
			if j.of.again {
				s.later(j.of.pause, func() { s.come(j.of) })
			}
		})
		return true
	})
}

func percentile(all []time.Duration, part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[int(math.Ceil(part*float64(len(sorted))))-1]
}

// A flood from one tenant does not keep another one waiting: not one that has a job now and
// then, nor one that always has some.
func TestFlood(t *testing.T) {
	const length = 50 * time.Millisecond
	for _, places := range []int{1, 2, 8} {
		for _, jobs := range []int{1, 2} {
			for name, cpu := range map[string]time.Duration{"computing": length, "sleeping": 0} {
				t.Run(fmt.Sprintf("%s/places=%d/jobs=%d", name, places, min(jobs, places)), func(t *testing.T) {
					flood := &source{name: "flood", run: length, cpu: cpu, jobs: 2000}
					other := &source{name: "other", run: length, cpu: cpu, at: 70 * time.Millisecond, jobs: min(jobs, places), again: true, pause: 13 * time.Millisecond}
					simulate(t, places, time.Hour/60, flood, other)
					waits := other.waits[:min(len(other.waits), 100)]
					p95 := percentile(waits, 0.95)
					t.Logf("p50 %v, p95 %v, the longest %v, of %d", percentile(waits, 0.5), p95, slices.Max(waits), len(waits))
					if len(waits) < 100 || p95 >= 2*length {
						t.Errorf("p95 of %d waits is %v, jobs take %v", len(waits), p95, length)
					}
				})
			}
		}
	}
}

// Places go by CPU time, whatever the length of the jobs and however many there are.
func TestSharesOfCPUTime(t *testing.T) {
	for name, c := range map[string]struct {
		a, b source
		want float64 // of CPU time, a's to b's
	}{
		"same":            {source{run: 100, cpu: 100, jobs: 50}, source{run: 100, cpu: 100, jobs: 50}, 1},
		"long and short":  {source{run: 1000, cpu: 1000, jobs: 50}, source{run: 10, cpu: 10, jobs: 50}, 1},
		"many and few":    {source{run: 100, cpu: 100, jobs: 1000}, source{run: 100, cpu: 100, jobs: 8}, 1},
		"threads":         {source{run: 100, cpu: 200, jobs: 50}, source{run: 100, cpu: 100, jobs: 50}, 1},
		"twice as heavy":  {source{run: 100, cpu: 100, jobs: 50, weight: 2}, source{run: 100, cpu: 100, jobs: 50}, 2},
		"waits for I/O":   {source{run: 100, cpu: 50, jobs: 50}, source{run: 100, cpu: 100, jobs: 50}, 1},
		"mostly sleeping": {source{run: 1000, cpu: 0, jobs: 50}, source{run: 250, cpu: 250, jobs: 50}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := c.a, c.b
			for i, s := range []*source{&a, &b} {
				s.name, s.again = string(rune('a'+i)), true
				s.run, s.cpu = s.run*time.Millisecond, s.cpu*time.Millisecond
			}
			simulate(t, 4, time.Minute, &a, &b)
			got := float64(a.used) / float64(b.used)
			t.Logf("a %d jobs, %v; b %d jobs, %v", a.ended, a.used, b.ended, b.used)
			if math.Abs(got-c.want) > 0.1*c.want {
				t.Errorf("%.2f times the CPU time, want %.2f", got, c.want)
			}
			if c.want == 0 { // a place is worth a fourth of its time
				if places := float64(a.ended) * float64(a.run) / (float64(b.ended) * float64(b.run)); math.Abs(places-placeShare) > 0.1*placeShare {
					t.Errorf("%.2f times the time in places, want %d", places, placeShare)
				}
			}
		})
	}
}

// Who was away has saved nothing up, and who had the service for itself owes nothing.
func TestNewcomer(t *testing.T) {
	early := &source{name: "early", run: 100 * time.Millisecond, cpu: 100 * time.Millisecond, jobs: 20, again: true}
	late := &source{name: "late", run: 100 * time.Millisecond, cpu: 100 * time.Millisecond, jobs: 20, again: true, at: time.Minute}
	simulate(t, 2, 2*time.Minute, early, late)
	before := 2 * time.Minute // of CPU time, in the first minute
	if got := float64(early.used-before) / float64(late.used); math.Abs(got-1) > 0.1 {
		t.Errorf("early %v, of that %v since; late %v", early.used, early.used-before, late.used)
	}
}

// A tenant that has had short jobs until now does not get all places for long ones.
func TestLongOnesTakeNotAll(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4}})
	for range 50 {
		w := b.in(of("long"))
		b.after(time.Millisecond)
		w.place.Give(time.Millisecond)
	}
	var hours, short []*waiter
	for range 20 {
		hours = append(hours, b.in(of("long")))
	}
	b.runs(hours[:4]...)
	for range 400 {
		short = append(short, b.in(of("short")))
	}
	hours[0].place.Give(time.Millisecond)
	for i := range 300 { // each takes 20 ms of a place
		running := slices.IndexFunc(short, func(w *waiter) bool { return w.place != nil && !w.place.given })
		if running < 0 {
			t.Fatalf("after %d short ones none runs", i)
		}
		b.after(20 * time.Millisecond)
		short[running].place.Give(20 * time.Millisecond)
	}
	taken := 0
	for _, w := range hours {
		if w.place != nil && !w.place.given {
			taken++
		}
	}
	if taken != 3 {
		t.Errorf("%d of 4 places are taken by long ones", taken)
	}
}

// Two that come at once share the places at once, before any job has ended.
func TestChargedInAdvance(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4}})
	first := []*waiter{b.in(of("x")), b.in(of("x")), b.in(of("x")), b.in(of("x"))}
	var as, bs []*waiter
	for range 10 {
		as = append(as, b.in(of("a")))
	}
	for range 10 {
		bs = append(bs, b.in(of("b")))
	}
	for _, w := range first {
		w.place.Give(time.Second)
	}
	b.runs(as[0], as[1], bs[0], bs[1])
}

// What a tenant was charged fades, and tenants of which there is nothing to know are
// forgotten.
func TestFades(t *testing.T) {
	b := newBench(t, Config{})
	w := b.in(of("a"))
	w.place.Give(1024 * time.Second)
	if got := b.tenants["a"].charged; got != float64(1024*time.Second) {
		t.Errorf("%v", time.Duration(got))
	}
	for range 64 {
		b.after(5 * time.Minute / 64)
		b.in(of("b")).place.Give(0)
	}
	if got := b.tenants["a"].charged / float64(512*time.Second); math.Abs(got-1) > 0.01 {
		t.Errorf("%v after five minutes", time.Duration(b.tenants["a"].charged))
	}
	b.after(10 * time.Hour)
	b.in(of("b"))
	if len(b.tenants) != 1 {
		t.Errorf("%d tenants are known", len(b.tenants))
	}
}

// Jobs that ran elsewhere count like those that ran here, for their age.
func TestChargedElsewhere(t *testing.T) {
	b := newBench(t, Config{})
	b.Charge("old", 2*time.Second, 0, 5*time.Minute)
	b.Charge("new", 2*time.Second, 0, 0)
	b.Charge("slept", 0, 8*time.Second, 0)
	b.Charge("skewed", -time.Hour, -time.Hour, -time.Hour) // clocks differ, and records can be wrong
	for name, want := range map[string]time.Duration{"old": time.Second, "new": 2 * time.Second, "slept": 2 * time.Second, "skewed": 0} {
		if got := time.Duration(b.tenants[name].charged); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	runs := b.in(of("x"))
	fresh, old, other := b.in(of("new")), b.in(of("old")), b.in(of("nobody"))
	for _, w := range []*waiter{runs, other, old} {
		w.place.Give(0)
	}
	b.runs(fresh)
}

// What was charged in advance and not used is given back, but nobody comes to stand better by
// that than those who are let in meanwhile.
func TestGivenBack(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 2}})
	for range 50 { // jobs of it are charged a second
		b.in(of("a")).place.Give(time.Second)
	}
	before := b.tenants["a"].charged
	w := b.in(of("a"))
	if got := b.tenants["a"].charged - before; math.Abs(got/float64(time.Second)-1) > 0.01 {
		t.Errorf("%v in advance", time.Duration(got))
	}
	w.place.Give(time.Millisecond)
	if got := b.tenants["a"].charged - before; math.Abs(got/float64(time.Millisecond)-1) > 0.01 {
		t.Errorf("%v for a millisecond", time.Duration(got))
	}
	w = b.in(of("a"))
	for range 20 {
		b.in(of("b")).place.Give(time.Minute)
	}
	before = b.tenants["a"].charged
	if w.place.Give(0); b.tenants["a"].charged < min(b.virtual, before) {
		t.Errorf("%v, others are let in at %v", time.Duration(b.tenants["a"].charged), time.Duration(b.virtual))
	}
}
