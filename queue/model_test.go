package queue

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// expected is what has to be known of a job.
type expected struct {
	state     State
	attempts  int
	retrySafe bool
	cancelled bool
	result    string
	expires   time.Time
}

// machine does what services do to a queue, and knows what must come of it.
type machine struct {
	t      *testing.T
	home   home
	clock  *clock
	q      *opened
	jobs   map[string]*expected
	claims map[string]*Claim
}

// TestAnyOrder does everything in any order, with restarts in between, and holds every
// job against what must be known of it.
func TestAnyOrder(t *testing.T) {
	for name, make := range map[string]func() home{
		"memory":   func() home { return inMemory{NewMemory()} },
		"embedded": func() home { return inProcess{t.TempDir(), slog.New(slog.DiscardHandler)} },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				m := &machine{t: t, home: make(), clock: newClock(), jobs: map[string]*expected{}, claims: map[string]*Claim{}}
				m.q = open(t, m.home, m.clock, nil)
				defer func() { m.q.close() }()
				r.Repeat(map[string]func(*rapid.T){"submit": m.submit, "claim": m.claim, "finish": m.finish, "cut": m.cut, "cancel": m.cancel,
					"restart": m.restart, "wait": m.wait, "": m.check})
			})
		})
	}
}

func (m *machine) submit(r *rapid.T) {
	id := fmt.Sprintf("job%04d", len(m.jobs))
	e := &expected{state: Queued, retrySafe: rapid.Bool().Draw(r, "retry safe"), expires: m.clock.Now().Add(time.Hour)}
	m.q.submit(id, func(s *Submission) {
		s.RetrySafe = e.retrySafe
		s.Priority = rapid.SampledFrom(Priorities).Draw(r, "priority")
	})
	m.jobs[id] = e
}

func (m *machine) claim(r *rapid.T) {
	m.expire()
	c, err := m.q.claimNext(m.t.Context())
	if err != nil {
		r.Fatal(err)
	}
	if c == nil {
		for id, e := range m.jobs {
			if e.state == Queued {
				r.Fatalf("%s waits, and nothing can be claimed", id)
			}
		}
		return
	}
	e := m.jobs[c.ID]
	if e == nil || e.state != Queued || string(c.Request) != "request of "+c.ID {
		r.Fatalf("claimed %+v, which is %+v", c.Record, e)
	}
	e.state = Running
	e.attempts++
	m.claims[c.ID] = c
}

// one draws a job of some.
func one[T any](r *rapid.T, all map[string]T) string {
	var ids []string
	for i := range 10000 {
		id := fmt.Sprintf("job%04d", i)
		if _, ok := all[id]; ok {
			ids = append(ids, id)
		}
		if len(ids) == len(all) {
			break
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return rapid.SampledFrom(ids).Draw(r, "job")
}

func (m *machine) finish(r *rapid.T) {
	id := one(r, m.claims)
	if id == "" {
		return
	}
	state := rapid.SampledFrom([]State{Done, Failed, Cancelled}).Draw(r, "state")
	m.q.finish(m.claims[id], End{state, []byte("result of " + id)})
	m.jobs[id].state, m.jobs[id].result = state, "result of "+id
	delete(m.claims, id)
}

func (m *machine) cut(r *rapid.T) {
	id := one(r, m.claims)
	if id == "" {
		return
	}
	m.q.finish(m.claims[id], End{Interrupted, []byte("half")})
	delete(m.claims, id)
	if e := m.jobs[id]; !m.cutOff(e) {
		e.result = "half"
	}
}

// cutOff says whether a job waits again that was cut off.
func (m *machine) cutOff(e *expected) bool {
	switch {
	case e.cancelled:
		e.state = Cancelled
	case e.retrySafe && e.attempts < MaxAttempts:
		e.state, e.expires = Queued, m.clock.Now().Add(time.Hour)
	default:
		e.state = Interrupted
	}
	return e.state == Queued
}

func (m *machine) cancel(r *rapid.T) {
	m.expire()
	id := one(r, m.jobs)
	if id == "" {
		return
	}
	if _, err := m.q.Cancel(m.t.Context(), id); err != nil {
		r.Fatal(err)
	}
	switch e := m.jobs[id]; e.state {
	case Queued:
		e.state = Cancelled
	case Running:
		e.cancelled = true
		<-m.claims[id].Context().Done()
	}
}

// restart is an end at which nobody finishes anything.
func (m *machine) restart(*rapid.T) {
	m.q.close()
	m.q = open(m.t, m.home, m.clock, nil)
	for id := range m.claims {
		m.cutOff(m.jobs[id])
	}
	m.claims = map[string]*Claim{}
}

func (m *machine) wait(r *rapid.T) {
	m.clock.add(time.Duration(rapid.IntRange(1, 40).Draw(r, "minutes")) * time.Minute)
	m.expire()
}

// expire does what a sweep does, by its own sweep and in what is expected.
func (m *machine) expire() {
	for _, e := range m.jobs {
		if e.state == Queued && !m.clock.Now().Before(e.expires) {
			e.state = Expired
		}
	}
	m.q.sweep(m.t.Context())
}

func (m *machine) check(r *rapid.T) {
	counts := map[State]int64{}
	for id, e := range m.jobs {
		got, err := m.q.Get(m.t.Context(), id)
		if err != nil || got.State != e.state || got.Attempts != e.attempts {
			r.Fatalf("%s: %s after %d attempts, want %s after %d: %v", id, got.State, got.Attempts, e.state, e.attempts, err)
		}
		if e.state.Final() {
			if result, err := m.q.Result(m.t.Context(), &got); err != nil || string(result) != e.result {
				r.Fatalf("%s: result %q, want %q: %v", id, result, e.result, err)
			}
		}
		counts[e.state]++
	}
	for state, n := range m.q.Stats().Jobs {
		if n != counts[state] {
			r.Fatalf("%d jobs are %s, counted are %d", counts[state], state, n)
		}
	}
}
