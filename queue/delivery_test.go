package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"
)

// anyDoor has a place for everybody.
var anyDoor = Places{1000, 1000, 1000}

const attemptTime = time.Minute

// tell begins an attempt for a job, or must find none for "".
func (o *opened) tell(id string) *Telling {
	o.t.Helper()
	t, _, err := o.Tell(context.Background(), attemptTime, anyDoor)
	if err != nil || t == nil && id != "" || t != nil && t.ID != id {
		o.t.Fatalf("told of %+v, want %q: %v", t, id, err)
	}
	return t
}

func (o *opened) note(t *Telling, a Attempt) {
	o.t.Helper()
	if err := t.Note(a); err != nil {
		o.t.Fatal(err)
	}
}

// hooked submits a job with a webhook.
func (o *opened) hooked(id string) {
	o.t.Helper()
	o.submit(id, func(s *Submission) {
		s.Hook = &Hook{URL: "https://a.example/" + id, Host: "a.example:443", Result: true}
	})
}

// ended is a job that was submitted with a webhook, and has run.
func (o *opened) ended(id string) {
	o.t.Helper()
	o.hooked(id)
	o.finish(o.claim(id), End{Done, []byte("result")})
}

// A webhook is due as soon as its job has ended, whichever way, and not before.
func TestEveryEndIsTold(t *testing.T) {
	clock := newClock()
	q := open(t, inMemory{NewMemory()}, clock, nil)
	q.submit("0-silent", nil)
	q.finish(q.claim("0-silent"), End{Done, nil})
	q.hooked("1-done")
	q.tell("")
	c := q.claim("1-done")
	q.tell("")
	q.finish(c, End{Done, []byte("r")})
	told := q.tell("1-done")
	if told.Hook.URL != "https://a.example/1-done" || told.State != Done || told.Delivery.Attempts != 1 {
		t.Errorf("%+v, %+v", told.Record, told.Delivery)
	}
	q.tell("") // that is under way
	q.note(told, Attempt{State: Delivered, Status: 204})
	r := q.wants("1-done", Done, 1)
	if r.Delivery == nil || r.Delivery.State != Delivered || r.Delivery.Status != 204 || r.Delivery.Ended.IsZero() || r.Untold() {
		t.Errorf("%+v", r.Delivery)
	}
	q.hooked("2-cancelled")
	if _, err := q.Cancel(t.Context(), "2-cancelled"); err != nil {
		t.Fatal(err)
	}
	q.note(q.tell("2-cancelled"), Attempt{State: Undelivered, Status: 410, Reason: "gone"})
	q.hooked("3-expired")
	clock.add(2 * time.Hour)
	q.sweep(t.Context())
	q.note(q.tell("3-expired"), Attempt{State: Delivered})
	q.tell("")
	if n := q.Untold(); n != 0 {
		t.Errorf("%d untold", n)
	}
}

// What is noted outlasts a restart: a failed attempt is made again when its time has come,
// an attempt that a killed service was making at once, and none after success.
func TestDeliveryOutlastsRestarts(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		clock := newClock()
		q := open(t, h, clock, nil)
		q.ended("job")
		next := clock.Now().Add(time.Hour)
		q.note(q.tell("job"), Attempt{State: Pending, Status: 503, Reason: "status", Next: next})
		q.tell("")
		q.close()

		q = open(t, h, clock, nil)
		q.tell("")
		if _, when, err := q.Tell(t.Context(), attemptTime, anyDoor); err != nil || !when.Equal(next.UTC().Truncate(time.Microsecond)) {
			t.Errorf("next at %v, want %v: %v", when, next, err)
		}
		clock.add(time.Hour)
		if told := q.tell("job"); told.Delivery.Attempts != 2 || told.Delivery.Status != 503 {
			t.Errorf("%+v", told.Delivery)
		}
		q.close() // and what came of it is not known

		q = open(t, h, clock, nil)
		told := q.tell("job")
		if told.Delivery.Attempts != 3 {
			t.Errorf("%+v", told.Delivery)
		}
		q.note(told, Attempt{State: Delivered, Status: 200})
		q.close()

		q = open(t, h, clock, nil)
		q.tell("")
		if r := q.wants("job", Done, 1); r.Delivery.State != Delivered || r.Delivery.Attempts != 3 || q.result("job") != "result" {
			t.Errorf("%+v", r.Delivery)
		}
	})
}

// Services that share a journal: one makes an attempt. When it does not come back the
// other does, and what the first says then does not count.
func TestOneServiceTells(t *testing.T) {
	h, clock := startServer(t), newClock()
	a := open(t, h, clock, func(c *Config) { c.Worker = "a" })
	b := open(t, h, clock, func(c *Config) { c.Worker = "b" })
	a.ended("job")
	eventually(t, func() bool { return b.Untold() == 1 })
	first := a.tell("job")
	b.tell("") // also where it has not heard of the attempt yet: the write is refused
	clock.add(attemptTime)
	second := b.tell("job")
	if second.Delivery.Attempts != 2 {
		t.Errorf("%+v", second.Delivery)
	}
	if err := first.Note(Attempt{State: Undelivered, Reason: "timeout"}); !errors.Is(err, errLost) {
		t.Errorf("the first attempt was noted: %v", err)
	}
	b.note(second, Attempt{State: Delivered, Status: 200})
	eventually(t, func() bool { return a.Untold() == 0 })
	a.tell("")
}

func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("it does not come to that within a minute")
		}
	}
}

// A record stays while somebody is to be told, unless its room is needed. That is told.
func TestUntoldRecordsStay(t *testing.T) {
	h, clock := inMemory{NewMemory()}, newClock()
	var lost []Record
	q := open(t, h, clock, func(c *Config) {
		c.ResultsTTL, c.ResultsBytes = time.Hour, 10*recordBytes
		c.Told = func(r *Record) { lost = append(lost, *r) }
	})
	q.ended("1-untold")
	q.submit("2-other", nil)
	q.finish(q.claim("2-other"), End{Done, nil})
	clock.add(2 * time.Hour)
	eventually(t, func() bool { q.sweep(t.Context()); _, err := q.Get(t.Context(), "2-other"); return err != nil })
	q.wants("1-untold", Done, 1)
	q.note(q.tell("1-untold"), Attempt{State: Pending, Status: 500, Next: clock.Now().Add(time.Hour)})
	for i := range 12 { // which fill the room
		id := fmt.Sprintf("3-%02d", i)
		q.submit(id, nil)
		q.finish(q.claim(id), End{Done, make([]byte, 100)})
	}
	if len(lost) != 0 {
		t.Errorf("told too early: %+v", lost)
	}
	eventually(t, func() bool { q.sweep(t.Context()); _, err := q.Get(t.Context(), "1-untold"); return err != nil })
	if len(lost) != 1 || lost[0].ID != "1-untold" || lost[0].Delivery.Reason != Forgotten || lost[0].Delivery.Attempts != 1 || q.Untold() != 0 {
		t.Errorf("%+v", lost)
	}
	q.tell("")
	if _, err := h.m.Get(t.Context(), subject(deliveryOf, "1-untold")); !errors.Is(err, errNone) {
		t.Errorf("its delivery is left: %v", err)
	}
}

// TestDeathWhileTelling ends the process after each of its writes: what was told and
// noted is not told again, and everything else is.
func TestDeathWhileTelling(t *testing.T) {
	for writes := 0; ; writes++ {
		h, clock := mortalHome{&mortal{NewMemory(), writes}}, newClock()
		q := open(t, h, clock, nil)
		_, _, err := q.Submit(t.Context(), Submission{ID: "job", Request: []byte("r"), Priority: Normal, TTL: time.Hour, Hook: &Hook{URL: "u", Host: "h"}})
		submitted, sent, noted := err == nil, 0, false
		if c, err := q.claimNext(t.Context()); err == nil && c != nil && c.finish(End{Done, []byte("r")}) == nil {
			for _, state := range []DeliveryState{Pending, Delivered} {
				told, _, err := q.Tell(t.Context(), attemptTime, anyDoor)
				if err != nil || told == nil {
					break
				}
				sent++
				err = told.note(Attempt{State: state, Next: clock.Now()}) // without trying again: the process is dead
				noted = err == nil && state == Delivered
				q.release(told.e)
			}
		}
		if noted {
			clock.add(2000 * time.Hour)
			q.mu.Lock()
			e := q.index.jobs["job"]
			q.mu.Unlock()
			_ = q.forget(t.Context(), e)
		}
		dead := h.m.left == 0
		h.m.left = -1
		q.close()
		q = open(t, h, clock, nil)
		r, err := q.Get(t.Context(), "job")
		switch {
		case err != nil && submitted && !noted:
			t.Errorf("%d writes: lost: %v", writes, err)
		case err == nil && r.Untold() && noted:
			t.Errorf("%d writes: it would be told again: %+v", writes, r.Delivery)
		case err == nil && r.State.Final() && !noted && r.Delivery != nil && r.Delivery.State == Delivered && sent < 2:
			t.Errorf("%d writes: delivered without having been sent: %+v", writes, r.Delivery)
		case err == nil && r.Untold():
			if told := q.tell("job"); told.Delivery.Attempts <= sent-1 {
				t.Errorf("%d writes: attempt %d after %d", writes, told.Delivery.Attempts, sent)
			}
		}
		q.noStrays(fmt.Sprint(writes, " writes"))
		q.close()
		if !dead {
			t.Logf("%d writes", writes)
			break
		}
	}
}

// A host that does not answer takes its own places and nobody else's.
func TestDeadHostDelaysNobody(t *testing.T) {
	q := open(t, inMemory{NewMemory()}, newClock(), nil)
	const dead = 50
	for i := range dead {
		id := fmt.Sprintf("1-dead%02d", i)
		q.submit(id, func(s *Submission) { s.Hook = &Hook{URL: "https://dead/", Host: "dead:443"} })
		q.finish(q.claim(id), End{Done, nil})
	}
	for i, host := range []string{"live", "other"} {
		id := fmt.Sprintf("2-live%d", i)
		q.submit(id, func(s *Submission) { s.Hook = &Hook{URL: "https://" + host + "/", Host: host + ":443"} })
		q.finish(q.claim(id), End{Done, nil})
	}
	var mu sync.Mutex
	now, most, live := map[string]int{}, map[string]int{}, make(chan string, 2)
	release := make(chan struct{})
	c := Couriers{Queue: q.Queue, Lease: time.Minute, Places: Places{All: 5, PerHost: 3, PerTenant: 5}, Logger: slog.New(slog.DiscardHandler),
		Send: func(ctx context.Context, told *Telling) Attempt {
			host := told.Hook.Host
			mu.Lock()
			for _, key := range []string{host, "all"} {
				now[key]++
				most[key] = max(most[key], now[key])
			}
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				now[host]--
				now["all"]--
			}()
			if host == "dead:443" {
				select {
				case <-ctx.Done():
				case <-release:
				}
				return Attempt{State: Undelivered, Reason: "timeout"}
			}
			live <- host
			return Attempt{State: Delivered, Status: 200}
		}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Serve(ctx, t.Context()) }()
	for range 2 {
		select {
		case <-live:
		case <-time.After(time.Minute):
			t.Fatal("a dead host delays others")
		}
	}
	if n := q.Untold(); n < dead {
		t.Errorf("%d untold: the dead host has answered", n)
	}
	eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return now["dead:443"] == 3 })
	close(release)
	eventually(t, func() bool { return q.Untold() == 0 })
	stop()
	<-ended
	if most["dead:443"] != 3 || most["all"] > 5 {
		t.Errorf("at once: %v", most)
	}
}

// An attempt that is under way when the service ends has the time of grace, and is made
// again by the next start.
func TestCouriersEnd(t *testing.T) {
	h := inMemory{NewMemory()}
	q := open(t, h, newClock(), nil)
	q.ended("job")
	began := make(chan struct{})
	c := Couriers{Queue: q.Queue, Lease: time.Hour, Places: Places{1, 1, 1}, Logger: slog.New(slog.DiscardHandler),
		Send: func(ctx context.Context, told *Telling) Attempt {
			close(began)
			<-ctx.Done()
			return Attempt{State: Pending, Reason: "interrupted", Next: q.now()}
		}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.Serve(ctx, t.Context()) }()
	<-began
	stop()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the couriers do not end")
	}
	q.close()
	q = open(t, h, newClock(), nil)
	if told := q.tell("job"); told.Delivery.Attempts != 2 || told.Delivery.Reason != "interrupted" {
		t.Errorf("%+v", told.Delivery)
	}
}

// Settled tells of the ends that nobody ran to.
func TestSettled(t *testing.T) {
	h, clock := inMemory{NewMemory()}, newClock()
	var all []string
	with := func(c *Config) { c.Settled = func(r *Record) { all = append(all, r.ID+" "+string(r.State)) } }
	q := open(t, h, clock, with)
	for _, id := range []string{"1-run", "2-cancelled", "3-cut"} {
		q.submit(id, nil)
	}
	q.finish(q.claim("1-run"), End{Done, nil})
	if _, err := q.Cancel(t.Context(), "2-cancelled"); err != nil {
		t.Fatal(err)
	}
	q.claim("3-cut")
	q.close()
	open(t, h, clock, with)
	if got := fmt.Sprint(all); got != "[2-cancelled cancelled 3-cut interrupted]" {
		t.Error(got)
	}
}

// FuzzDelivery: what is taken for a delivery means the same when it was written and read
// again.
func FuzzDelivery(f *testing.F) {
	f.Add(encodeDelivery(&Delivery{State: Pending, Attempts: 2, Status: 500, Reason: "status", Next: time.Unix(1, 0).UTC(), Worker: "w", Boot: "b"}))
	f.Add([]byte(`{"state":"delivered","ended":"2026-01-01T00:00:00+25:00"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := decodeDelivery(text)
		if err != nil {
			return
		}
		again, err := decodeDelivery(encodeDelivery(d))
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range []*Delivery{d, again} {
			one.Next, one.Ended = one.Next.UTC(), one.Ended.UTC()
		}
		if *d != *again {
			t.Fatalf("%q: %+v became %+v", text, d, again)
		}
	})
}

// One record that stays for long does not keep those behind it in memory.
func TestForgottenBehindOneThatStays(t *testing.T) {
	clock := newClock()
	q := open(t, inMemory{NewMemory()}, clock, func(c *Config) { c.ResultsTTL = time.Hour })
	q.ended("0-untold")
	for round := range 3 {
		for i := range 600 {
			id := fmt.Sprintf("%d-%04d", round+1, i)
			q.submit(id, nil)
			q.finish(q.claim(id), End{Done, nil})
		}
		clock.add(2 * time.Hour)
		eventually(t, func() bool { q.sweep(t.Context()); return q.Stats().Jobs[Done] == 1 })
	}
	q.sweep(t.Context())
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.index.ended); n > 1002 {
		t.Errorf("%d entries are kept for one job", n)
	}
}
