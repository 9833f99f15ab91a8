package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Submission is a job that is to be queued.
type Submission struct {
	ID        string
	Tenant    string
	Request   []byte
	Priority  Priority
	RetrySafe bool
	TTL       time.Duration // how long it may wait
	Files     int
	Key       string // its Idempotency-Key; "": none. Two tenants may have the same
	Most      int64  // jobs of this tenant that may wait; 0: any number

	Memory int64 // that the job is promised while it runs
	CPUs   float64
	Hook   *Hook // nil: nobody is told of its end

	Needs Needs
	Brief bool     // its client waits for the result, and the record goes soon
	Names []string // of the files that it needs, where services share them
}

// Submit queues a job. When it returns without an error, the job would survive the loss
// of power. created is false where the key has a job already.
func (q *Queue) Submit(ctx context.Context, s Submission) (r Record, created bool, err error) {
	now := q.now().UTC().Truncate(time.Microsecond)
	r = Record{ID: s.ID, Tenant: s.Tenant, State: Queued, Priority: s.Priority, RetrySafe: s.RetrySafe, Created: now, Expires: now.Add(s.TTL), Wait: s.TTL.Milliseconds(),
		Files: s.Files, Hook: s.Hook, Bytes: int64(len(s.Request)), Memory: s.Memory, CPUs: s.CPUs, Needs: s.Needs, Brief: s.Brief, Names: s.Names}
	if err := ctx.Err(); err != nil {
		return r, false, err
	}
	// What is begun is done, though its client may be gone meanwhile: else there would be
	// parts and keys without a job, or a job of which its caller does not know.
	ctx = context.WithoutCancel(ctx)
	full := q.reserve(&s)
	if full == nil {
		defer q.unreserve(&s)
	}
	if s.Key != "" {
		r.Key = sum([]byte(keyText(&s)))
		known, err := q.keyed(ctx, &r, sum(s.Request), full == nil)
		if err != nil || known != nil {
			return deref(known), false, err
		}
	}
	if full != nil {
		return r, false, full
	}
	var rest []byte
	if r.Parts, rest, err = putParts(ctx, q.j, requestPart, r.ID, s.Request); err != nil {
		if r.Key == "" { // with one, somebody else may be sending the same
			_ = q.j.Remove(ctx, subject(requestPart, r.ID)+".>") // else the next start does
		}
		return r, false, err
	}
	number, err := q.j.Put(ctx, subject(submission, r.ID), encode(&r), rest, 0)
	if errors.Is(err, errConflict) && r.Key != "" { // the same at the same time
		known, err := q.Get(ctx, r.ID)
		return known, false, err
	}
	if err != nil {
		return r, false, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.applied(submission, &r, number)
	return r, true, nil
}

// keyText tells the keys of tenants apart: no key, and no name of a tenant, has a NUL.
func keyText(s *Submission) string {
	if s.Tenant == "" {
		return s.Key
	}
	return s.Tenant + "\x00" + s.Key
}

func deref(r *Record) Record {
	if r == nil {
		return Record{}
	}
	return *r
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// keyed gives the job of a key. Where there is none yet, and r may come in, the key is r's
// from now on; where the key was taken but its job never came, r is to be that job.
func (q *Queue) keyed(ctx context.Context, r *Record, request string, room bool) (*Record, error) {
	name := subject(keyOf, r.Key)
	if room {
		_, err := q.j.Put(ctx, name, []byte(r.ID+" "+request), nil, 0)
		if !errors.Is(err, errConflict) {
			return nil, err
		}
	}
	m, err := q.j.Get(ctx, name)
	if errors.Is(err, errNone) && room { // its job was removed just now
		return q.keyed(ctx, r, request, room)
	}
	if errors.Is(err, errNone) { // what is refused leaves no key
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var id, of string
	if _, err := fmt.Sscan(string(m.Meta), &id, &of); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.Key, err)
	}
	if of != request {
		return nil, ErrMismatch
	}
	r.ID = id
	known, err := q.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return &known, err
}
