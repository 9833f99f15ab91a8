package queue

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// mortal is a journal of a process that dies: after so many writes it takes no more, and
// the next start finds what was written until then.
type mortal struct {
	*Memory
	left int // writes
}

var errDead = fmt.Errorf("%w: the process is dead", ErrUnavailable)

func (m *mortal) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	if m.left == 0 {
		return 0, errDead
	}
	number, err := m.Memory.Put(ctx, subject, meta, data, last)
	if err == nil {
		m.left--
	}
	return number, err
}

func (m *mortal) Remove(ctx context.Context, subject string) error {
	if m.left == 0 {
		return errDead
	}
	m.left--
	return m.Memory.Remove(ctx, subject)
}

type mortalHome struct{ m *mortal }

func (h mortalHome) open(testing.TB) Journal { return h.m }

// life is what a service does with three jobs; what it returns was acknowledged. It ends
// where its journal does.
func life(t *testing.T, q *Queue) (acknowledged map[string]bool, begun map[string]int, ended map[string]State) {
	t.Helper()
	acknowledged, begun, ended = map[string]bool{}, map[string]int{}, map[string]State{}
	large := make([]byte, 2*partBytes+1)
	for _, s := range []Submission{{ID: "once", Request: large, Key: "k"}, {ID: "again", Request: []byte("r"), RetrySafe: true}, {ID: "unwanted", Request: []byte("r")}} {
		s.Priority, s.TTL = Normal, time.Hour
		if r, _, err := q.Submit(t.Context(), s); err == nil {
			acknowledged[r.ID] = true
		}
	}
	if r, err := q.Cancel(t.Context(), "unwanted"); err == nil {
		ended[r.ID] = Cancelled
	}
	for range 2 {
		c, err := q.claimNext(t.Context())
		if err != nil || c == nil {
			break
		}
		begun[c.ID]++
		if len(c.Request) == 0 {
			t.Errorf("%s has no request: %v", c.ID, c.Damage)
		}
		if c.finish(End{Done, large}) == nil { // without trying again: the process is dead
			ended[c.ID] = Done
		}
	}
	return acknowledged, begun, ended
}

// TestDeathBetweenAnyTwoWrites ends the process after each of its writes. Whatever was
// acknowledged is known to the next start, in a state that fits what was done; nothing
// else is left of it.
func TestDeathBetweenAnyTwoWrites(t *testing.T) {
	for writes := 0; ; writes++ {
		h := mortalHome{&mortal{NewMemory(), writes}}
		q := open(t, h, newClock(), nil)
		acknowledged, begun, ended := life(t, q.Queue)
		dead := h.m.left == 0
		h.m.left = -1 // for ever
		q.close()
		q = open(t, h, newClock(), nil)
		told := fmt.Sprintf("after %d writes, acknowledged %v, begun %v, ended %v", writes, acknowledged, begun, ended)
		for id := range acknowledged {
			r, err := q.Get(t.Context(), id)
			if err != nil {
				t.Fatalf("%s: %s is lost: %v", told, id, err)
			}
			if ended[id] != "" && r.State != ended[id] {
				t.Errorf("%s: %s is %s", told, id, r.State)
			}
			if r.Attempts < begun[id] || r.Attempts > begun[id]+1 {
				t.Errorf("%s: %s has %d attempts", told, id, r.Attempts)
			}
			if r.State == Queued && begun[id] > 0 && !r.RetrySafe {
				t.Errorf("%s: %s would run twice", told, id)
			}
			if r.State == Done && len(q.result(id)) != 2*partBytes+1 {
				t.Errorf("%s: the result of %s is not whole", told, id)
			}
			if r.State == Queued {
				if text, err := q.Request(t.Context(), &r); err != nil || len(text) == 0 {
					t.Errorf("%s: the request of %s: %v", told, id, err)
				}
			}
		}
		// The client of the first comes again, with its key: it is the same job.
		r, created, err := q.Submit(t.Context(), Submission{ID: "other", Request: make([]byte, 2*partBytes+1), Key: "k", Priority: Normal, TTL: time.Hour})
		if err != nil || writes > 0 && acknowledged["once"] && (created || r.ID != "once") {
			t.Errorf("%s: again with the key: %+v, %t, %v", told, r, created, err)
		}
		q.noStrays(told)
		q.close()
		if !dead {
			t.Logf("%d writes", writes)
			break
		}
	}
}

// noStrays: every message belongs to a job that needs it.
func (o *opened) noStrays(told string) {
	o.t.Helper()
	m := o.j.(*mortal).Memory
	m.mu.Lock()
	defer m.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for name := range m.all {
		kind, id := parseSubject(name)
		e := o.index.jobs[id]
		switch {
		case kind == keyOf:
		case e == nil,
			(kind == submission || kind == requestPart) && e.State.Final(),
			kind == resultPart && !e.State.Final(),
			kind == deliveryOf && (e.Hook == nil || !e.State.Final()):
			o.t.Errorf("%s: %s is left", told, name)
		}
	}
}
