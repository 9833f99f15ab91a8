package line

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	mebi = int64(1) << 20
	long = 30 * time.Second // after which nobody hopes any more that a test ends
)

// What is promised never comes to more than it may, and a job waits for whatever is short.
func TestWhatIsShort(t *testing.T) {
	for name, c := range map[string]struct {
		all         Share
		first, next Want
	}{
		"places": {Share{Places: 1}, of(""), of("")},
		"memory": {Share{Places: 9, Memory: 10 * mebi}, memory("", 6*mebi), memory("", 4*mebi+1)},
		"cpus":   {Share{Places: 9, CPUs: 2}, Want{CPUs: 1.5}, Want{CPUs: 0.51}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{All: c.all})
			first := b.in(c.first)
			b.runs(first)
			next := b.in(c.next)
			b.waits(next)
			first.place.Give(0)
			b.runs(next)
			next.place.Give(0)
			if s := b.Stats(); s.Running != 0 || s.Memory != 0 || s.CPUs != 0 || s.Waiting != 0 || s.WaitingTenants != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
	b := newBench(t, Config{All: Share{Places: 9, Memory: 10 * mebi, CPUs: 2}})
	b.runs(b.in(memory("", 6*mebi)), b.in(memory("", 4*mebi)), b.in(Want{CPUs: 1}))
	if s := b.Stats(); s.Memory != 10*mebi || s.CPUs != 2 || s.Running != 3 {
		t.Errorf("%+v", s)
	}
}

// Rates that no binary fraction has are added and taken off again without a rest.
func TestRatesAddUp(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 100, CPUs: 1}})
	for range 1000 {
		var ten []*waiter
		for range 10 {
			ten = append(ten, b.in(Want{CPUs: 0.1}))
		}
		b.runs(ten...)
		for _, w := range ten {
			w.place.Give(0)
		}
	}
	if s := b.Stats(); s.CPUs != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNeverAdmitted(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 2, Memory: 100, CPUs: 2}, Tenants: func(name string) Share {
		return map[string]Share{"small": {Memory: 50, CPUs: 1}}[name]
	}})
	for _, c := range []struct {
		want Want
		is   TooMuch
	}{
		{Want{Memory: 101}, TooMuch{Asked: 101, Most: 100}},
		{Want{CPUs: 2.5}, TooMuch{CPUs: true, Asked: 2.5, Most: 2}},
		{Want{Tenant: "small", Memory: 51}, TooMuch{Tenant: true, Asked: 51, Most: 50}},
		{Want{Tenant: "small", CPUs: 1.5}, TooMuch{Tenant: true, CPUs: true, Asked: 1.5, Most: 1}},
		{Want{Memory: math.MaxInt64}, TooMuch{Asked: math.MaxInt64, Most: 100}},
	} {
		if got := b.tooMuch(c.want); *got != c.is {
			t.Errorf("%+v: %+v", c.want, got)
		}
	}
	for _, want := range []Want{{Memory: 100, CPUs: 2}, {Tenant: "small", Memory: 50, CPUs: 1}} {
		w := b.in(want)
		b.runs(w)
		w.place.Give(0)
	}
	w := b.in(Want{Memory: -1, CPUs: math.NaN()})
	b.runs(w)
	if s := b.Stats(); s.Memory != 0 || s.CPUs != 0 {
		t.Errorf("%+v", s)
	}
	w.place.Give(0)
	if free := New(Config{All: Share{Places: 2}}); free.Check(Want{Memory: math.MaxInt64 / 8, CPUs: 1e6}) != nil {
		t.Error("nothing is bounded, and it was refused")
	}
}

// Tenants have bounds of their own, and one that waits for its own keeps nobody else out.
func TestShares(t *testing.T) {
	shares := map[string]Share{"one": {Places: 1}, "half": {Memory: 50}, "slow": {CPUs: 1}}
	b := newBench(t, Config{All: Share{Places: 10, Memory: 100, CPUs: 10}, Tenants: func(name string) Share { return shares[name] }})
	first, second := b.in(of("one")), b.in(of("one"))
	b.runs(first)
	b.waits(second)
	big, more := b.in(memory("half", 30)), b.in(memory("half", 30))
	b.runs(big)
	b.waits(more)
	fast, other := b.in(Want{Tenant: "slow", CPUs: 0.6}), b.in(Want{Tenant: "slow", CPUs: 0.6})
	b.runs(fast, b.in(memory("free", 60)))
	b.waits(other)
	first.place.Give(0)
	big.place.Give(0)
	fast.place.Give(0)
	b.runs(second, more, other)

	third := b.in(of("one"))
	b.waits(third)
	shares["one"] = Share{Places: 2}
	b.Reconsider()
	b.runs(third)
	waits := b.in(memory("half", 40))
	b.waits(waits)
	shares["half"] = Share{Memory: 35}
	b.Reconsider()
	var much *TooMuch
	if !errors.As(waits.err, &much) || !much.Tenant || waits.inLine {
		t.Errorf("%+v: %v", waits, waits.err)
	}
}

func TestAtOnce(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 8, Memory: 100, CPUs: 4}, Queued: 3, Tenants: func(name string) Share {
		return map[string]Share{"two": {Places: 2}}[name]
	}})
	for _, c := range []struct {
		want Want
		most int
	}{{Want{}, 8}, {Want{Memory: 30}, 3}, {Want{CPUs: 0.9}, 4}, {Want{Queued: true}, 3}, {Want{Tenant: "two"}, 2}, {Want{Memory: 101}, 0}} {
		if got := b.AtOnce(c.want); got != c.most {
			t.Errorf("%+v: %d, want %d", c.want, got, c.most)
		}
	}
}

// Within a tenant the first is the first, also where a later one would fit.
func TestFirstInFirstOut(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4, Memory: 100}})
	runs := b.in(memory("a", 60))
	big, small := b.in(memory("a", 50)), b.in(memory("a", 1))
	b.waits(big, small)
	runs.place.Give(0)
	b.runs(big, small)
	if big.place.index > small.place.index {
		t.Error("the later one was first")
	}
}

// Jobs of the queue leave places to others, and their tenant's direct ones do not wait for
// them.
func TestQueuedPlaces(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 3}, Queued: 1})
	queued := Want{Tenant: "a", Queued: true}
	first, second := b.in(queued), b.in(queued)
	b.runs(first)
	b.waits(second)
	b.runs(b.in(of("a")), b.in(of("b")))
	direct := b.in(of("a"))
	first.place.Give(0)
	b.runs(second)
	b.waits(direct)
}

// A job that needs much is chosen and then waits for room: others go past it, as many as
// there are places and for a second, and then nobody, until it is in.
func TestNobodyStarves(t *testing.T) {
	for name, wait := range map[string]time.Duration{"so many": 0, "so long": time.Duration(passWithin) + 1} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{All: Share{Places: 4, Memory: 100}})
			small := []*waiter{b.in(memory("small", 10)), b.in(memory("small", 10))}
			b.runs(small...)
			big := b.in(memory("big", 100))
			b.waits(big)
			b.after(wait)
			past := 0
			for ; past < 100; past++ { // always one that would fit, at once
				next := b.in(memory("small", 10))
				if next.place == nil {
					break
				}
				small = append(small, next)
				small[0].place.Give(0)
				small = small[1:]
			}
			if wait == 0 && past != 4 || wait > 0 && past != 0 {
				t.Fatalf("%d went past", past)
			}
			if b.Stats().Held != 1 {
				t.Errorf("%+v", b.Stats())
			}
			for i, w := range small {
				b.waits(big)
				w.place.Give(0)
				if i < len(small)-1 && big.place != nil {
					t.Fatal("there was no room yet")
				}
			}
			b.runs(big)
			big.place.Give(0)
			if s := b.Stats(); s.Held != 0 || s.Waiting != 0 || s.Running != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Who gives up while room is gathered for it keeps nobody out any longer.
func TestHeldOneLeaves(t *testing.T) {
	b := newBench(t, Config{All: Share{Places: 4, Memory: 100}})
	first := b.in(memory("a", 50))
	big := b.in(memory("b", 100))
	b.after(2 * time.Duration(passWithin))
	next := b.in(memory("a", 50))
	b.waits(big, next)
	b.leave(big)
	b.runs(first, next)
	if s := b.Stats(); s.Held != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTake(t *testing.T) {
	stop := make(chan struct{})
	l := New(Config{Stop: stop})
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	p, err := l.Take(ctx, of("a"))
	if err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(ctx)
	ends := make(chan error)
	take := func(ctx context.Context) {
		p, err := l.Take(ctx, of("a"))
		if p != nil {
			p.Give(0)
		}
		ends <- err
	}
	go take(gone)
	go take(ctx)
	for l.Stats().Waiting < 2 {
		time.Sleep(time.Millisecond)
	}
	leave()
	if err := <-ends; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	p.Give(0)
	p.Give(0)
	if err := <-ends; err != nil {
		t.Error(err)
	}
	if s := l.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	if _, err := l.Take(gone, of("a")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if p, err = l.Take(ctx, of("a")); err != nil {
		t.Fatal(err)
	}
	go take(ctx)
	for l.Stats().Waiting < 1 {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	if err := <-ends; !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
	p.Give(0)
}

// Many that come, give up and end at once leave nothing behind, and never have more than
// there is.
func TestManyAtOnce(t *testing.T) {
	l := New(Config{All: Share{Places: 3, Memory: 10}, Queued: 2, Tenants: func(string) Share { return Share{Places: 2} }})
	var inside sync.WaitGroup
	var has, ran atomic.Int64
	for i := range 50 {
		inside.Go(func() {
			for k := range 40 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(i+k)%5)*time.Millisecond)
				want := Want{Tenant: string(rune('a' + i%4)), Memory: int64(1 + (i*k)%10), Queued: i%2 == 0}
				p, err := l.Take(ctx, want)
				cancel()
				if err != nil {
					continue
				}
				if has.Add(want.Memory) > 10 {
					t.Error("too much is promised")
				}
				ran.Add(1)
				time.Sleep(50 * time.Microsecond)
				has.Add(-want.Memory)
				p.Give(time.Millisecond)
			}
		})
	}
	inside.Wait()
	if s := l.Stats(); s.Running != 0 || s.Waiting != 0 || s.Memory != 0 || s.WaitingTenants != 0 || s.Held != 0 || ran.Load() == 0 {
		t.Errorf("%d ran: %+v", ran.Load(), s)
	}
}

// Room that is gathered is not given where its tenant may have less by then, and the queue's last
// place is kept with it.
func TestHeldOneMayNotYet(t *testing.T) {
	share := Share{}
	b := newBench(t, Config{All: Share{Places: 4, Memory: 100}, Queued: 1, Tenants: func(name string) Share {
		if name == "big" {
			return share
		}
		return Share{}
	}})
	first, own := b.in(memory("a", 50)), b.in(memory("big", 10))
	big := b.in(memory("big", 60))
	b.waits(big)
	share = Share{Places: 1}
	b.Reconsider()
	first.place.Give(0)
	b.waits(big)
	if b.Stats().Held != 0 {
		t.Error("room is gathered for one that may not come in")
	}
	own.place.Give(0)
	b.runs(big)
	big.place.Give(0)

	share = Share{}
	first = b.in(memory("a", 50))
	big = b.in(Want{Tenant: "big", Memory: 60, Queued: true})
	past := b.in(Want{Tenant: "a", Memory: 10, Queued: true})
	b.waits(big, past) // it would have the queue's last place
	first.place.Give(0)
	b.runs(big)
	big.place.Give(0)
	b.runs(past)
}
