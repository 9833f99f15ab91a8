package queue

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// sharedHome is a journal in memory that several services have at once.
type sharedHome struct {
	m   *Memory
	bus *MemoryBus
}

func newSharedHome() sharedHome { return sharedHome{NewMemory(), NewMemoryBus()} }

type sharedJournal struct {
	*Memory
	bus *MemoryBus
}

func (j sharedJournal) Alone() bool { return false }
func (j sharedJournal) Bus() Bus    { return j.bus }

func (h sharedHome) open(testing.TB) Journal { return sharedJournal{h.m, h.bus} }

// passing is time that passes by hand.
type passing struct {
	mu  sync.Mutex
	now time.Duration
}

func (p *passing) elapsed() time.Duration { p.mu.Lock(); defer p.mu.Unlock(); return p.now }

func (p *passing) pass(d time.Duration) { p.mu.Lock(); defer p.mu.Unlock(); p.now += d }

// until waits for what has to become so.
func until(t testing.TB, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("after %v: %s is not so", time.Since(began), what)
		}
	}
}

// everything is what most services of these tests can do.
var everything = Abilities{Policies: []string{"default"}, Languages: []string{"c", "python"}, Arch: "amd64"}

// member opens a queue as a service among others. Each has a time of its own, which
// passes only by hand, so that no lease ends by itself.
func member(t testing.TB, h home, name string, change func(*Config)) (*opened, *passing) {
	t.Helper()
	p := &passing{}
	return open(t, h, newClock(), func(c *Config) {
		c.Worker, c.Abilities, c.Follow, c.Lease, c.Elapsed = name, &everything, false, 50*time.Millisecond, p.elapsed
		if change != nil {
			change(c)
		}
	}), p
}

// frontend opens one that runs no jobs.
func frontend(t testing.TB, h home, name string, change func(*Config)) (*opened, *passing) {
	t.Helper()
	return member(t, h, name, func(c *Config) {
		c.Abilities, c.Follow = nil, true
		if change != nil {
			change(c)
		}
	})
}

func (o *opened) sees(id string, state State, attempts int) {
	o.t.Helper()
	until(o.t, id+" is "+string(state), func() bool {
		r, err := o.Get(o.t.Context(), id)
		return err == nil && r.State == state && r.Attempts == attempts
	})
}

// next claims a job when the index knows of it.
func (o *opened) next(id string) (c *Claim) {
	o.t.Helper()
	until(o.t, id+" can be claimed", func() bool {
		var err error
		if c, err = o.claimNext(context.Background()); err != nil {
			o.t.Fatal(err)
		}
		return c != nil
	})
	if c.ID != id {
		o.t.Fatalf("claimed %s, want %s", c.ID, id)
	}
	return c
}

// TestDeathOfAService: a service that is silent for longer than others wait has its jobs
// settled, once, also when two look; one that still beats, and one whose watchers were cut
// off themselves, keeps them.
func TestDeathOfAService(t *testing.T) {
	h := newSharedHome()
	api, time1 := frontend(t, h, "api", nil)
	other, time2 := frontend(t, h, "other", nil)
	worker, _ := member(t, h, "worker", nil)
	living, _ := member(t, h, "living", nil)
	api.submit("once", nil)
	api.submit("again", func(s *Submission) { s.RetrySafe = true })
	once, again := worker.next("once"), worker.next("again")
	api.submit("kept", nil)
	kept := living.next("kept")
	api.sees("kept", Running, 1)
	other.sees("kept", Running, 1)
	until(t, "both are known", func() bool { return len(api.Living()) == 2 && len(other.Living()) == 2 })

	// Who hears nothing at all takes nobody for dead.
	h.bus.Deafen(true)
	time1.pass(time.Hour)
	time.Sleep(50 * time.Millisecond)
	for _, id := range []string{"once", "again", "kept"} {
		api.wants(id, Running, 1)
	}
	h.bus.Deafen(false)
	until(t, "they are heard again", func() bool {
		api.watched.mu.Lock()
		defer api.watched.mu.Unlock()
		all := 0
		for _, s := range api.watched.all {
			if s.since == time.Hour {
				all++
			}
		}
		return all == 2
	})

	h.bus.Cut("worker", true) // its journal can still be written: only the beats fail
	beats := func(name string) uint64 { b, _ := h.bus.LastBeat(t.Context(), name); return b.Number }
	for range 30 { // longer than they wait, in steps in which the living one is heard
		before := beats("living")
		until(t, "a beat", func() bool { return beats("living") != before })
		time1.pass(5 * time.Millisecond)
		time2.pass(5 * time.Millisecond)
	}
	api.sees("once", Interrupted, 1)
	api.sees("again", Queued, 1)
	other.sees("again", Queued, 1)
	api.wants("kept", Running, 1)
	if all := api.Living(); len(all) != 1 || all[0].Name != "living" {
		t.Errorf("living: %+v", all)
	}

	// What it says afterwards counts for nothing, and it is told that it is to stop.
	<-once.Context().Done()
	<-again.Context().Done()
	if err := context.Cause(again.Context()); !errors.Is(err, errLost) {
		t.Errorf("the cause is %v", err)
	}
	if err := again.Finish(End{Done, []byte("late")}); !errors.Is(err, errLost) {
		t.Errorf("a late end: %v", err)
	}
	if err := once.Finish(End{Done, []byte("late")}); !errors.Is(err, errLost) {
		t.Errorf("a late end: %v", err)
	}
	second := living.next("again")
	if second.Attempts != 2 {
		t.Errorf("attempts: %d", second.Attempts)
	}
	living.finish(second, End{Done, []byte("result")})
	living.finish(kept, End{Done, nil})
	api.sees("again", Done, 2)
	if r := api.result("again"); r != "result" {
		t.Errorf("result %q", r)
	}
	api.wants("once", Interrupted, 1)
}

// TestFencing: a service that cannot beat ends what it runs when its lease is over, which
// is before anybody may settle it, and begins nothing until it is heard again.
func TestFencing(t *testing.T) {
	h := newSharedHome()
	worker, passed := member(t, h, "worker", func(c *Config) { c.Lease = 100 * time.Millisecond })
	worker.submit("a", func(s *Submission) { s.RetrySafe = true })
	worker.submit("b", nil)
	a := worker.next("a")
	h.bus.Cut("worker", true)
	passed.pass(99 * time.Millisecond)
	time.Sleep(30 * time.Millisecond) // in which nothing may happen
	if err := a.Context().Err(); err != nil {
		t.Errorf("ended within the lease: %v", context.Cause(a.Context()))
	}
	passed.pass(time.Millisecond)
	<-a.Context().Done()
	if err := context.Cause(a.Context()); !errors.Is(err, errFenced) {
		t.Errorf("the cause is %v", err)
	}
	if n := worker.Waiting(); n != 0 {
		t.Errorf("%d jobs can be begun", n)
	}
	worker.claim("")
	worker.finish(a, End{State: Interrupted})
	worker.wants("a", Queued, 1)
	h.bus.Cut("worker", false)
	until(t, "it may begin jobs", func() bool { return worker.Waiting() == 2 })
	worker.finish(worker.next("a"), End{Done, nil})
	if patience := patienceOf(100 * time.Millisecond); patience <= 100*time.Millisecond {
		t.Errorf("others wait %v", patience)
	}
}

// TestDeathWithoutAFrontend: the workers see each other's death where nobody else is
// there to look.
func TestDeathWithoutAFrontend(t *testing.T) {
	h := newSharedHome()
	one, time1 := member(t, h, "one", nil)
	two, _ := member(t, h, "two", nil)
	two.submit("a", func(s *Submission) { s.RetrySafe = true })
	two.next("a")
	one.sees("a", Running, 1)
	h.bus.Cut("two", true)
	for range 200 {
		if r, _ := one.Get(t.Context(), "a"); r.State != Running {
			break
		}
		time1.pass(10 * time.Millisecond)
		if err := one.beat(t.Context()); err != nil { // its own lease goes on
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	one.sees("a", Queued, 1)
}

// TestOrderlyEnd: a service that ends tells so, and nobody waits for its silence.
func TestOrderlyEnd(t *testing.T) {
	h := newSharedHome()
	api, _ := frontend(t, h, "api", nil) // whose time stands still
	worker, _ := member(t, h, "worker", nil)
	worker.submit("a", func(s *Submission) { s.RetrySafe = true })
	worker.next("a")
	until(t, "it is known", func() bool { return len(api.Living()) == 1 })
	worker.close() // with a job of which nobody has written the end
	api.sees("a", Queued, 1)
	if all := api.Living(); len(all) != 0 {
		t.Errorf("living: %+v", all)
	}
}

// TestNeeds: only who can run a job begins it, and its status says what is missing.
func TestNeeds(t *testing.T) {
	h := newSharedHome()
	api, _ := frontend(t, h, "api", nil)
	needs := func(n Needs) func(*Submission) { return func(s *Submission) { s.Needs = n } }
	api.submit("rust", needs(Needs{Policy: "default", Languages: []string{"rust"}, Arch: "amd64"}))
	api.submit("arm", needs(Needs{Arch: "arm64"}))
	api.submit("python", needs(Needs{Policy: "default", Languages: []string{"python"}, Arch: "amd64"}))
	api.submit("ci", needs(Needs{Policy: "ci"}))
	waits := func(id string) string { r := api.wants(id, Queued, 0); return api.WaitingFor(&r) }
	if got := waits("python"); got != "a worker: none is there" {
		t.Errorf("%q", got)
	}
	worker, _ := member(t, h, "worker", nil)
	until(t, "it is known", func() bool { return len(api.Living()) == 1 })
	for id, want := range map[string]string{"python": "",
		"rust": "a worker that has policy default, language rust, architecture amd64: the one that is there has not",
		"arm":  "a worker that has architecture arm64: the one that is there has not"} {
		if got := waits(id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
	worker.finish(worker.next("python"), End{Done, nil})
	worker.claim("")
	if n := worker.Waiting(); n != 0 {
		t.Errorf("%d wait for this one", n)
	}
	able, _ := member(t, h, "able", func(c *Config) {
		c.Abilities = &Abilities{Policies: []string{"default", "ci"}, Languages: []string{"rust"}, Arch: "amd64"}
	})
	until(t, "it is known", func() bool { return len(api.Living()) == 2 })
	if got := waits("rust"); got != "" {
		t.Errorf("%q", got)
	}
	if got, want := waits("arm"), "a worker that has architecture arm64: none of the 2 that are there has all of it"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	able.finish(able.next("rust"), End{Done, nil})
	able.finish(able.next("ci"), End{Done, nil})
	able.claim("")
	// One that has to run in a service of this name, and one that wants more than there is.
	api.submit("pinned", needs(Needs{Service: "able"}))
	api.submit("large", needs(Needs{Memory: 4 << 30}))
	until(t, "both know of it", func() bool { return able.Waiting() == 2 && worker.Waiting() == 1 })
	worker.finish(worker.claim("large"), End{Done, nil})
	able.finish(able.next("pinned"), End{Done, nil})
	small, _ := member(t, h, "small", func(c *Config) { c.Abilities = &Abilities{Arch: "amd64", Memory: 1 << 30} })
	api.submit("larger", needs(Needs{Memory: 2 << 30, Service: "small"}))
	if got, want := waits("larger"), "the service that took it in: it is not there, or cannot run it any more"; got != want {
		until(t, "it is known", func() bool { return len(api.Living()) == 3 })
		if got = waits("larger"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	small.claim("")
	if r := api.wants("larger", Queued, 0); !api.Away(&r) || small.Away(&r) || !worker.Away(&r) {
		t.Errorf("%+v is not away from %q", r, api.Service())
	}
	// One that waits for what never comes ends like any other, in its time.
	api.clock.add(2 * time.Hour)
	api.sees("arm", Expired, 0)
}

// TestClocksDiffer: a job waits as long as it may by the clock of the journal's servers,
// however wrong those of the services are.
func TestClocksDiffer(t *testing.T) {
	h := newSharedHome()
	truth := newClock()
	h.bus.now = truth.Now
	wrong := func(by time.Duration) func(*Config) {
		return func(c *Config) {
			c.OwnClock, c.Now = false, func() time.Time { return truth.Now().Add(by) }
		}
	}
	api, _ := frontend(t, h, "api", wrong(-25*time.Hour))
	ahead, its := frontend(t, h, "ahead", wrong(30*time.Hour))
	worker, _ := member(t, h, "worker", wrong(1000*time.Hour))
	for _, id := range []string{"a", "b"} {
		if r := api.submit(id, nil); r.Created.Sub(truth.Now()).Abs() > time.Second {
			t.Errorf("made at %v, which is %v", r.Created, truth.Now())
		}
	}
	ahead.sees("b", Queued, 0)
	ahead.sweep(t.Context())
	a := worker.next("a")
	worker.finish(a, End{Done, nil})
	if r := worker.wants("a", Done, 1); r.Finished.Sub(r.Created).Abs() > time.Minute {
		t.Errorf("%+v", r)
	}
	ahead.wants("b", Queued, 0)
	truth.add(59 * time.Minute)
	its.pass(59 * time.Minute)
	ahead.sweep(t.Context())
	ahead.wants("b", Queued, 0)
	truth.add(2 * time.Minute)
	its.pass(2 * time.Minute)
	ahead.sweep(t.Context())
	api.sees("b", Expired, 0)
}

// TestDateJumps: a machine's date is set while its service runs, as when it first hears of a
// server of time. No job expires for that, and none is kept for longer.
func TestDateJumps(t *testing.T) {
	h := newSharedHome()
	truth, date := newClock(), newClock()
	h.bus.now = truth.Now
	set := func(c *Config) { c.OwnClock, c.Now = false, date.Now }
	api, passes := frontend(t, h, "api", set)
	worker, _ := member(t, h, "worker", set)
	api.submit("a", nil)
	api.submit("b", nil)
	date.add(20 * 365 * 24 * time.Hour)
	a := worker.next("a")
	worker.finish(a, End{Done, nil})
	if r := worker.wants("a", Done, 1); r.Finished.Sub(truth.Now()).Abs() > time.Minute {
		t.Errorf("it is %v: %+v", truth.Now(), r)
	}
	api.sweep(t.Context())
	api.wants("b", Queued, 0)
	date.add(-40 * 365 * 24 * time.Hour)
	truth.add(61 * time.Minute)
	passes.pass(61 * time.Minute)
	api.sweep(t.Context())
	api.sees("b", Expired, 0)
}

// TestOneName: a second service with the name of one that lives is refused, and one after
// its death is not.
func TestOneName(t *testing.T) {
	h := newSharedHome()
	worker, _ := member(t, h, "worker", nil)
	until(t, "it has beaten", func() bool { b, _ := h.bus.LastBeat(t.Context(), "worker"); return b != nil })
	config := worker.config
	config.Boot = "another"
	if q, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "another service has the name worker") {
		t.Errorf("%+v, %v", q, err)
	}
	h.bus.Cut("worker", true) // as if it were dead
	time.Sleep(config.Lease)
	q, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// TestBriefRecords: what a client was waiting for goes soon, in every service.
func TestBriefRecords(t *testing.T) {
	h := newSharedHome()
	api, _ := frontend(t, h, "api", nil)
	worker, _ := member(t, h, "worker", nil)
	api.submit("long", nil)
	worker.finish(worker.next("long"), End{Done, nil})
	api.submit("brief", func(s *Submission) { s.Brief = true })
	worker.finish(worker.next("brief"), End{Done, nil})
	api.sees("brief", Done, 1)
	if err := api.Forget(t.Context(), "brief"); err != nil {
		t.Fatal(err)
	}
	api.gone("brief")
	worker.clock.add(2 * briefFor)
	worker.sweep(t.Context())
	if page, _ := worker.List("", "", 10); len(page) != 1 || page[0].ID != "long" {
		t.Errorf("the worker knows %+v", page)
	}
	api.clock.add(2 * briefFor)
	api.sweep(t.Context())
	api.wants("long", Done, 1)
}

// TestMissedEnd: a record that went before its end was told somewhere does not stay there.
func TestMissedEnd(t *testing.T) {
	h := newSharedHome()
	api, _ := frontend(t, h, "api", nil)
	other, _ := frontend(t, h, "other", nil)
	worker, _ := member(t, h, "worker", nil)
	api.submit("a", func(s *Submission) { s.Brief, s.Names = true, []string{"file"} })
	c := worker.next("a")
	other.sees("a", Running, 1)
	running := other.wants("a", Running, 1)
	worker.finish(c, End{Done, nil})
	other.sees("a", Done, 1)
	api.sees("a", Done, 1)
	if err := api.Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	other.mu.Lock() // as if the end had never been told
	other.index.drop(other.index.jobs["a"])
	other.index.apply(stateOf, &running, 1)
	other.mu.Unlock()
	other.sweep(t.Context())
	if !other.Needed()["file"] {
		t.Error("it was given up at once")
	}
	other.clock.add(2 * briefFor)
	other.sweep(t.Context())
	if n := other.Stats().Jobs[Running]; n != 0 || other.Needed()["file"] {
		t.Errorf("%d jobs run", n)
	}
}
