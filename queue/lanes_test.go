package queue

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

func by(tenant string) func(*Submission) { return func(s *Submission) { s.Tenant = tenant } }

func (o *opened) offer(tenant, id string) *Offer {
	o.t.Helper()
	got := o.Offer(o.t.Context(), tenant)
	if got == nil && id != "" || got != nil && got.ID != id {
		o.t.Fatalf("offered %+v, want %q", got, id)
	}
	return got
}

// Each tenant offers its next job, and takes the offer back when that is another one.
func TestOffers(t *testing.T) {
	q := open(t, inMemory{NewMemory()}, newClock(), nil)
	q.offer("a", "")
	q.submit("a1", by("a"))
	q.submit("b1", by("b"))
	q.submit("a2", by("a"))
	names := q.Tenants()
	slices.Sort(names)
	if !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("%q", names)
	}
	a := q.offer("a", "a1")
	b := q.offer("b", "b1")
	stands := func(o *Offer, want bool) {
		t.Helper()
		if got := o.Context().Err() == nil; got != want {
			t.Errorf("the offer of %s stands: %t", o.ID, got)
		}
	}
	q.submit("a3", by("a"))
	stands(a, true)
	q.submit("a4", func(s *Submission) { s.Tenant, s.Priority = "a", High })
	stands(a, false)
	a.End()
	a = q.offer("a", "a4")
	if _, err := q.Cancel(t.Context(), "a4"); err != nil {
		t.Fatal(err)
	}
	stands(a, false)
	a.End()
	a = q.offer("a", "a1")
	stands(b, true)
	c, err := q.Claim(t.Context(), "a1") // as by somebody else
	if err != nil || c == nil {
		t.Fatal(err)
	}
	stands(a, false)
	a.End()
	if again, err := q.Claim(t.Context(), "a1"); again != nil || err != nil {
		t.Errorf("%+v, %v: begun twice", again, err)
	}
	a = q.offer("a", "a2")
	q.clock.add(2 * time.Hour)
	q.sweep(t.Context())
	stands(a, false)
	stands(b, false)
	q.offer("a", "")
	if names := q.Tenants(); len(names) != 0 || len(q.index.lanes) > 1 {
		t.Errorf("%q", names)
	}
	q.finish(c, End{State: Done})
}

// A write that fails leaves an offer as it was, and the job in its place.
func TestOfferAfterAFailedWrite(t *testing.T) {
	m := NewMemory()
	q := open(t, inMemory{m}, newClock(), nil)
	q.submit("a1", nil)
	q.submit("a2", nil)
	for range 3 {
		q.offer("", "a1").End()
		m.Fail(ErrUnavailable)
		if c, err := q.Claim(t.Context(), "a1"); c != nil || err == nil {
			t.Fatalf("%+v, %v", c, err)
		}
		m.Fail(nil)
	}
	if n := q.index.lanes[""].lines[Normal].Len(); n != 2 {
		t.Errorf("%d in line", n)
	}
	q.claim("a1")
	q.claim("a2")
	q.claim("")
}

// What a job is promised, whose it is and what it has used outlasts a start; what was run
// elsewhere, or before, is told with its age.
func TestPromisedAndUsed(t *testing.T) {
	h, clock := inMemory{NewMemory()}, newClock()
	var mu sync.Mutex
	var told []string
	tell := func(c *Config) {
		c.Ran = func(tenant string, cpu, ran, ago time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprint(tenant, " ", cpu, " ", ran.Round(time.Second), " ", ago.Round(time.Second)))
		}
	}
	q := open(t, h, clock, tell)
	q.submit("a", func(s *Submission) { s.Tenant, s.Memory, s.CPUs, s.RetrySafe = "t", 1<<30, 1.5, true })
	c := q.claim("a")
	c.CPU += 2 * time.Second
	q.finish(c, End{State: Interrupted})
	c = q.claim("a")
	clock.add(4 * time.Second)
	c.CPU += 3 * time.Second
	q.finish(c, End{State: Done})
	q.submit("b", nil)
	if _, err := q.Cancel(t.Context(), "b"); err != nil { // it has not run anywhere
		t.Fatal(err)
	}
	if len(told) != 0 {
		t.Errorf("told of its own: %q", told)
	}
	q.close()
	clock.add(time.Minute)
	other := open(t, h, clock, func(c *Config) { c.Worker = "there"; tell(c) })
	r := other.wants("a", Done, 2)
	if r.Tenant != "t" || r.Memory != 1<<30 || r.CPUs != 1.5 || r.CPU != 5*time.Second {
		t.Errorf("%+v", r)
	}
	if want := []string{"t 5s 4s 1m0s"}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
	other.submit("c", nil)
	other.finish(other.claim("c"), End{State: Done})
	if len(told) != 1 {
		t.Errorf("%q", told)
	}
}

// gate gives places as the test says.
type gate struct {
	mu      sync.Mutex
	waiting map[string]chan struct{}
	left    chan string // by whom no place is wanted any more
	asked   chan string
}

type gatePlace struct{}

func (gatePlace) Give() {}

func newGate() *gate {
	return &gate{waiting: map[string]chan struct{}{}, left: make(chan string, 100), asked: make(chan string, 100)}
}

func (g *gate) place(ctx context.Context, r *Record) (Place, error) {
	g.mu.Lock()
	open := make(chan struct{})
	g.waiting[r.ID] = open
	g.mu.Unlock()
	g.asked <- r.ID
	select {
	case <-open:
		return gatePlace{}, nil
	case <-ctx.Done():
		g.left <- r.ID
		return nil, ctx.Err()
	}
}

func (g *gate) open(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.waiting[id])
}

// serving are workers whose jobs end when the test says so.
func serving(t *testing.T, q *opened, g *gate, most int) (begun, end chan string) {
	begun, end = make(chan string, 100), make(chan string)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	w := Workers{Queue: q.Queue, Place: g.place, Most: most, Logger: slog.New(slog.DiscardHandler), Ended: func(*Claim) {},
		Run: func(c *Claim, _ Place) End {
			begun <- c.ID
			select {
			case <-end:
			case <-c.Context().Done():
			}
			return End{State: Done}
		}}
	go func() { defer close(over); w.Serve(ctx, ctx) }()
	t.Cleanup(func() { stop(); <-over })
	return begun, end
}

func receive(t *testing.T, from <-chan string, want ...string) {
	t.Helper()
	var got []string
	for range want {
		select {
		case id := <-from:
			got = append(got, id)
		case <-time.After(time.Minute):
			t.Fatalf("%q came, want %q", got, want)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%q came, want %q", got, want)
	}
}

// A place is for the job that it was asked for. A tenant that gets none keeps no other
// waiting, and a job that is cancelled while it waits for a place wants it no more.
func TestEachTenantWaitsByItself(t *testing.T) {
	q, g := open(t, inMemory{NewMemory()}, newClock(), nil), newGate()
	q.submit("a1", by("a"))
	q.submit("a2", by("a"))
	begun, end := serving(t, q, g, 2)
	receive(t, g.asked, "a1")
	q.submit("b1", by("b"))
	receive(t, g.asked, "b1")
	g.open("b1")
	receive(t, begun, "b1")
	q.wants("a1", Queued, 0)

	if _, err := q.Cancel(t.Context(), "a1"); err != nil {
		t.Fatal(err)
	}
	receive(t, g.left, "a1")
	receive(t, g.asked, "a2")
	q.submit("a3", func(s *Submission) { s.Tenant, s.Priority = "a", High })
	receive(t, g.left, "a2")
	receive(t, g.asked, "a3")
	g.open("a3")
	receive(t, begun, "a3")
	receive(t, g.asked, "a2")
	g.open("a2")
	receive(t, begun, "a2")
	q.submit("a4", by("a")) // two of its run: more may not be begun
	q.submit("b2", by("b"))
	receive(t, g.asked, "b2")
	end <- ""
	end <- ""
	end <- ""
	receive(t, g.asked, "a4")
	g.open("a4")
	receive(t, begun, "a4")
	g.open("b2")
	receive(t, begun, "b2")
}

// TestOffersAmongRivals: where others try for the same jobs one offers any of the first, and
// stays with it while those before it are begun elsewhere; it is withdrawn when it does not
// wait any more, or a more urgent one has come.
func TestOffersAmongRivals(t *testing.T) {
	q := open(t, inMemory{NewMemory()}, newClock(), nil)
	q.rivals.some = 4
	for i := range 5 {
		q.submit(fmt.Sprint("job", i), nil)
	}
	behind := func() *Offer {
		t.Helper()
		var o *Offer
		until(t, "one is offered that is not the first", func() bool {
			o = q.Offer(t.Context(), "")
			if o.ID == "job0" || o.ID == "job1" {
				o.End()
				return false
			}
			return true
		})
		return o
	}
	o := behind()
	for _, id := range []string{"job0", "job1"} {
		if _, err := q.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if o.Context().Err() != nil {
			t.Errorf("%s is withdrawn when %s is begun elsewhere", o.ID, id)
		}
	}
	q.submit("job9", nil)
	if o.Context().Err() != nil {
		t.Error("withdrawn for one that comes behind")
	}
	q.submit("urgent", func(s *Submission) { s.Priority = High })
	if o.Context().Err() == nil {
		t.Error("not withdrawn for one that is more urgent")
	}
	o.End()
	if _, err := q.Cancel(t.Context(), "urgent"); err != nil {
		t.Fatal(err)
	}
	o = behind()
	if _, err := q.Cancel(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	if o.Context().Err() == nil {
		t.Error("not withdrawn when it does not wait any more")
	}
	o.End()
	seen := map[string]bool{}
	for range 200 { // all that wait are in the line still, each once
		o := q.Offer(t.Context(), "")
		seen[o.ID] = true
		o.End()
	}
	if len(seen) != 3 {
		t.Errorf("offered: %v", seen)
	}
}
