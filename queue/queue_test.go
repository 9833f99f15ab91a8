package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWayOfAJob(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.claim("")
		q.submit("a", func(s *Submission) { s.Files = 2 })
		select {
		case <-q.Wake():
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was woken")
		}
		q.wants("a", Queued, 0)
		changed, stop := q.Follow("a")
		defer stop()
		one := q.claim("a")
		if string(one.Request) != "request of a" || one.Damage != nil || one.Files != 2 {
			t.Errorf("claimed %+v", one)
		}
		<-changed
		q.claim("")
		if r := q.wants("a", Running, 1); r.Started.IsZero() || r.Worker != "here" {
			t.Errorf("record %+v", r)
		}
		c.add(time.Second)
		q.finish(one, End{Done, []byte("result")})
		if r := q.wants("a", Done, 1); r.Finished.Sub(r.Started) != time.Second || q.result("a") != "result" {
			t.Errorf("record %+v, result %q", r, q.result("a"))
		}
		if err := one.Context().Err(); err == nil {
			t.Error("the claim's context goes on")
		}
		s := q.Stats()
		if s.Jobs[Done] != 1 || s.Jobs[Queued] != 0 || s.RequestBytes != 0 || s.ResultBytes != recordBytes+6 {
			t.Errorf("stats %+v", s)
		}
		q.close()
		q = open(t, h, c, nil)
		q.wants("a", Done, 1)
		if q.result("a") != "result" {
			t.Errorf("result %q", q.result("a"))
		}
		q.gone("b")
	})
}

func TestSurvivesARestart(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		for _, id := range []string{"a", "b", "c", "d"} {
			q.submit(id, func(s *Submission) { s.RetrySafe = id == "b" })
		}
		q.claim("a")
		q.claim("b")
		q.finish(q.claim("c"), End{Done, []byte("3")})
		q.close() // the two that run are cut off: nobody calls Finish
		q = open(t, h, c, nil)
		q.wants("a", Interrupted, 1)
		q.wants("b", Queued, 1)
		q.wants("c", Done, 1)
		q.wants("d", Queued, 0)
		two := q.claim("b")
		if string(two.Request) != "request of b" {
			t.Errorf("the request of a job that is run again: %q", two.Request)
		}
		q.finish(two, End{Done, nil})
		q.wants("b", Done, 2)
		q.finish(q.claim("d"), End{Done, nil})
		q.claim("")
	})
}

// A job that may be run again is not run for ever.
func TestAttemptsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.submit("a", func(s *Submission) { s.RetrySafe = true })
		for i := 1; i < MaxAttempts; i++ {
			c.add(50 * time.Minute) // the time it may wait begins anew
			q.finish(q.claim("a"), End{State: Interrupted, Result: []byte("half")})
			if r := q.wants("a", Queued, i); r.Expires.Sub(c.Now()).Round(time.Second) != time.Hour {
				t.Errorf("it may wait for %v", r.Expires.Sub(c.Now()))
			}
		}
		q.finish(q.claim("a"), End{State: Interrupted, Result: []byte("half")})
		q.wants("a", Interrupted, MaxAttempts)
		if q.result("a") != "half" {
			t.Errorf("result %q", q.result("a"))
		}
		q.claim("")
	})
}

func TestCancel(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.submit("a", nil)
		q.submit("b", func(s *Submission) { s.RetrySafe = true })
		q.submit("c", func(s *Submission) { s.RetrySafe = true })
		for range 2 {
			if r, err := q.Cancel(t.Context(), "a"); err != nil || r.State != Cancelled && r.State != Queued {
				t.Errorf("%+v, %v", r, err)
			}
			q.wants("a", Cancelled, 0)
		}
		one := q.claim("b")
		for range 2 {
			if r, err := q.Cancel(t.Context(), "b"); err != nil || r.State != Running || !r.Cancel {
				t.Errorf("%+v, %v", r, err)
			}
		}
		if !errors.Is(context.Cause(one.Context()), ErrCancelled) {
			t.Errorf("cause %v", context.Cause(one.Context()))
		}
		q.finish(one, End{Cancelled, []byte("partly")})
		q.wants("b", Cancelled, 1)
		q.claim("c")
		if _, err := q.Cancel(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		q.close() // before it has ended: no later start runs it again
		q = open(t, h, c, nil)
		q.wants("c", Cancelled, 1)
		q.claim("")
		if _, err := q.Cancel(t.Context(), "d"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

func TestPriorities(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		for i := range 40 {
			for _, p := range Priorities {
				q.submit(fmt.Sprintf("%s-%02d", p, i), func(s *Submission) { s.Priority = p })
			}
		}
		var got []string
		for range 32 {
			c, err := q.claimNext(context.Background())
			if err != nil || c == nil {
				t.Fatal(err)
			}
			got = append(got, c.ID)
		}
		count := map[string]int{}
		for _, id := range got {
			p, number, _ := strings.Cut(id, "-")
			if number != fmt.Sprintf("%02d", count[p]) {
				t.Errorf("%s is not the oldest of its priority: %v", id, got)
			}
			count[p]++
		}
		if count["high"] != 24 || count["normal"] != 6 || count["low"] != 2 {
			t.Errorf("of 32: %v", count)
		}
	})
}

func TestExpiry(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.submit("a", func(s *Submission) { s.TTL = time.Minute })
		q.submit("b", func(s *Submission) { s.TTL = 2 * time.Minute })
		q.submit("c", nil)
		one := 59 * time.Second
		c.add(one)
		q.sweep(t.Context())
		q.wants("a", Queued, 0)
		c.add(time.Minute - one)
		q.sweep(t.Context())
		q.wants("a", Expired, 0)
		c.add(time.Minute)
		q.claim("c") // b is too late, though no sweep has seen it
		q.wants("b", Expired, 0)
	})
}

func TestRetention(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, func(c *Config) { c.ResultsTTL, c.ResultsBytes = time.Hour, 3*(recordBytes+1000) })
		end := func(id string) {
			q.submit(id, func(s *Submission) { s.Key = "key of " + id })
			q.finish(q.claim(id), End{Done, bytes.Repeat([]byte("x"), 1000)})
			c.add(time.Second)
			for seen := uint64(0); seen < q.jobVersion(id); time.Sleep(time.Millisecond) {
				q.mu.Lock()
				seen = q.index.seen
				q.mu.Unlock()
			}
		}
		for _, id := range []string{"a", "b", "c"} {
			end(id)
		}
		q.sweep(t.Context())
		q.wants("a", Done, 1)
		end("d")
		q.sweep(t.Context())
		q.gone("a")
		q.wants("b", Done, 1)
		c.add(time.Hour - 2*time.Second)
		q.sweep(t.Context())
		q.gone("b")
		q.gone("c")
		q.wants("d", Done, 1)
		end("a") // neither the id nor the key is taken any more
		q.close()
		q = open(t, h, c, nil)
		q.gone("b")
		q.wants("a", Done, 1)
		if s := q.Stats(); s.Jobs[Done] != 2 || s.ResultBytes != 2*(recordBytes+1000) {
			t.Errorf("stats %+v", s)
		}
	})
}

func (o *opened) jobVersion(id string) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.index.jobs[id].version
}

func TestBounds(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), func(c *Config) { c.MaxJobs, c.MaxBytes = 3, 100 })
		big := func(n int) func(*Submission) {
			return func(s *Submission) { s.Request = bytes.Repeat([]byte("y"), n) }
		}
		q.submit("a", big(40))
		q.submit("b", big(40))
		full := func(id string, n int) {
			t.Helper()
			s := Submission{ID: id, Priority: Normal, TTL: time.Hour}
			big(n)(&s)
			if _, _, err := q.Submit(t.Context(), s); !errors.Is(err, ErrFull) {
				t.Errorf("%v", err)
			}
			q.gone(id)
		}
		full("c", 21)
		q.submit("c", big(20))
		full("d", 0)
		one := q.claim("a")
		full("d", 1) // the requests of those that run count
		q.submit("d", big(0))
		q.finish(one, End{Done, nil})
		q.claim("b")
		q.submit("e", big(40))
	})
}

func TestIdempotencyKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		keyed := func(s *Submission) { s.Key, s.Request = "k", []byte("the same") }
		q.submit("a", keyed)
		again := func() {
			t.Helper()
			s := Submission{ID: "b", Priority: Normal, TTL: time.Hour}
			keyed(&s)
			if r, created, err := q.Submit(t.Context(), s); err != nil || created || r.ID != "a" {
				t.Fatalf("%+v, %t, %v", r, created, err)
			}
			q.gone("b")
		}
		again()
		other := Submission{ID: "b", Priority: Normal, TTL: time.Hour, Key: "k", Request: []byte("another")}
		if _, _, err := q.Submit(t.Context(), other); !errors.Is(err, ErrMismatch) {
			t.Errorf("%v", err)
		}
		q.finish(q.claim("a"), End{Done, []byte("r")})
		again()
		q.close()
		q = open(t, h, c, nil)
		again()
	})
}

// A service that ends between a key and its job: the job is made by whoever comes again.
func TestKeyWithoutAJob(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		if _, err := q.j.Put(t.Context(), subject(keyOf, sum([]byte("k"))), []byte("first "+sum([]byte("r"))), nil, 0); err != nil {
			t.Fatal(err)
		}
		r, created, err := q.Submit(t.Context(), Submission{ID: "second", Request: []byte("r"), Key: "k", Priority: Normal, TTL: time.Hour})
		if err != nil || !created || r.ID != "first" {
			t.Fatalf("%+v, %t, %v", r, created, err)
		}
		q.claim("first")
	})
}

func TestLargeOnes(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		request, result := bytes.Repeat([]byte("0123456789"), 200_000), bytes.Repeat([]byte("abcdefg"), 300_000)
		q.submit("a", func(s *Submission) { s.Request = request })
		q.close()
		q = open(t, h, c, nil)
		one := q.claim("a")
		if !bytes.Equal(one.Request, request) {
			t.Errorf("%d bytes of %d came back: %v", len(one.Request), len(request), one.Damage)
		}
		q.finish(one, End{Done, result})
		if q.result("a") != string(result) {
			t.Error("another result came back")
		}
		if _, err := q.j.Get(t.Context(), subject(requestPart, "a")+".0"); !errors.Is(err, errNone) {
			t.Errorf("a part of the request is left: %v", err)
		}
		c.add(2000 * time.Hour)
		q.close()
		q = open(t, h, c, nil)
		q.sweep(t.Context())
		q.gone("a")
		if _, err := q.j.Get(t.Context(), subject(resultPart, "a")+".0"); !errors.Is(err, errNone) {
			t.Errorf("a part of the result is left: %v", err)
		}
	})
}

// Parts without a job are what an end in the middle of a submission leaves.
func TestStrays(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		c := newClock()
		q := open(t, h, c, nil)
		q.submit("here", func(s *Submission) { s.Request, s.TTL = make([]byte, 2*partBytes), 1000*time.Hour })
		if !q.j.Alone() {
			c.add(2 * strayAfter) // others may be in the middle of theirs
		}
		names := []string{subject(requestPart, "lost") + ".0", subject(requestPart, "lost") + ".1", subject(resultPart, "here") + ".0"}
		for _, name := range names {
			if _, err := q.j.Put(t.Context(), name, nil, []byte("x"), 0); err != nil {
				t.Fatal(err)
			}
		}
		q.close()
		q = open(t, h, c, nil)
		for _, name := range names {
			if _, err := q.j.Get(t.Context(), name); !errors.Is(err, errNone) {
				t.Errorf("%s is left: %v", name, err)
			}
		}
		if one := q.claim("here"); len(one.Request) != 2*partBytes {
			t.Errorf("%d bytes, %v", len(one.Request), one.Damage)
		}
	})
}

func TestPages(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		for i := range 10 {
			q.submit(fmt.Sprint("job", i), nil)
		}
		q.claim("job0")
		var got []string
		after := ""
		for pages := 1; ; pages++ {
			page, more := q.List(Queued, after, 4)
			for _, r := range page {
				got = append(got, r.ID)
				after = r.ID
			}
			if more != (pages < 3) {
				t.Errorf("page %d, more %t", pages, more)
			}
			if !more {
				break
			}
		}
		if len(got) != 9 || !slices.IsSorted(got) || got[0] != "job1" {
			t.Errorf("%v", got)
		}
		if page, more := q.List("", "", 10); len(page) != 10 || more {
			t.Errorf("%d, %t", len(page), more)
		}
	})
}
