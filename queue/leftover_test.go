package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// messages are the subjects of a kind in a journal.
func (m *Memory) messages(kind string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.all {
		if strings.HasPrefix(name, subject(kind, "")) {
			n++
		}
	}
	return n
}

// What is not taken leaves nothing: no key, so that refusals do not fill the disk, above all
// not the room that is kept for the ends of jobs.
func TestRefusedJobsLeaveNothing(t *testing.T) {
	m := NewMemory()
	q := open(t, inMemory{m}, newClock(), func(c *Config) { c.MaxJobs = 1 })
	submit := func(key string) (Record, bool, error) {
		return q.Submit(t.Context(), Submission{ID: "id-" + key, Request: []byte("r"), Key: key, Priority: Normal, TTL: time.Hour})
	}
	if _, created, err := submit("first"); err != nil || !created {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, _, err := submit(fmt.Sprint("full", i)); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	m.Fill(ErrNoSpace)
	for i := range 10 {
		if _, _, err := submit(fmt.Sprint("disk", i)); !errors.Is(err, ErrNoSpace) {
			t.Fatal(err)
		}
	}
	if n := m.messages(keyOf); n != 1 {
		t.Errorf("%d keys are in the journal, want that of the one job", n)
	}
	// Whoever sends the same again is answered all the same.
	if r, created, err := submit("first"); err != nil || created || r.ID != "id-first" {
		t.Errorf("%+v, %t, %v", r, created, err)
	}
	m.Fill(nil)
	q.finish(q.claim("id-first"), End{Done, nil})
	if r, created, err := submit("full1"); err != nil || !created || r.ID != "id-full1" {
		t.Errorf("%+v, %t, %v", r, created, err)
	}
}

// leaving is a client that goes away at the n-th write of its submission. Like a server's, the
// write it does not wait for is done all the same.
type leaving struct {
	*Memory
	after int
	gone  context.CancelFunc
}

func (l *leaving) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	if l.after--; l.after == 0 {
		l.gone()
	}
	n, err := l.Memory.Put(context.WithoutCancel(ctx), subject, meta, data, last)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	return n, err
}

// A client that goes away while its job is written down leaves a job, or nothing.
func TestClientsThatLeaveLeaveNoParts(t *testing.T) {
	for after := 1; after <= 5; after++ { // four parts, and the job
		m := NewMemory()
		ctx, gone := context.WithCancel(t.Context())
		q := open(t, inMemory{m}, newClock(), func(c *Config) { c.Journal = &leaving{Memory: m, after: after, gone: gone} })
		s := Submission{ID: "a", Request: bytes.Repeat([]byte("x"), 4*partBytes), Priority: Normal, TTL: time.Hour}
		_, _, err := q.Submit(ctx, s)
		if parts, jobs := m.messages(requestPart), m.messages(submission); jobs == 0 && parts > 0 || jobs == 1 && parts != 4 {
			t.Errorf("gone at write %d: %v; %d parts and %d jobs are in the journal", after, err, parts, jobs)
		}
		gone()
	}
}
