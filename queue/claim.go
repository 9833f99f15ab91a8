package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrCancelled is why the context of a claim ends whose job somebody wants to end.
var ErrCancelled = errors.New("the job was cancelled")

// errLost: the job is no longer this claim's.
var errLost = errors.New("the job was settled by somebody else")

// Claim is a job that runs here. Who runs it adds to its CPU what it has used.
type Claim struct {
	Record
	Request []byte // nil where it could not be read: Damage says why
	Damage  error
	Note    any // what who runs it keeps with it

	queue   *Queue
	ctx     context.Context
	cancel  context.CancelCauseFunc
	running context.Context // ends when this service does
}

// Context ends when the job is to be ended, with the reason as its cause.
func (c *Claim) Context() context.Context { return c.ctx }

// Wake is signalled when a job waits that did not before.
func (q *Queue) Wake() <-chan struct{} { return q.wake }

// Waiting is how many jobs wait that can be begun here.
func (q *Queue) Waiting() int64 {
	if !q.leased() {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.ready
}

// Claim begins a job, or gives nil where it does not wait any more, or this service may
// not run any. Its context is ctx's child.
func (q *Queue) Claim(ctx context.Context, id string) (*Claim, error) {
	if ctx.Err() != nil || q.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if !q.leased() {
		return nil, nil
	}
	q.mu.Lock()
	e := q.index.jobs[id]
	if e == nil || e.State != Queued || e.taken {
		q.mu.Unlock()
		return nil, nil
	}
	e.taken = true
	r, version := e.Record, e.version
	if l := q.index.lanes[e.Tenant]; l != nil {
		l.turn++
	}
	q.mu.Unlock()
	return q.begin(ctx, e, r, version)
}

// begin writes down that a job runs; nil where it does not wait any more.
func (q *Queue) begin(ctx context.Context, e *entry, r Record, version uint64) (*Claim, error) {
	if !q.now().Before(r.Expires) {
		return nil, q.expire(ctx, e, r, version)
	}
	r.State, r.Worker, r.Boot, r.Started = Running, q.config.Worker, q.config.Boot, q.now().UTC().Truncate(time.Microsecond)
	r.Attempts++
	number, err := q.j.Put(ctx, subject(stateOf, r.ID), encode(&r), nil, version)
	q.rivals.learn(err)
	if err != nil {
		return nil, q.failed(ctx, e, err)
	}
	c := &Claim{Record: r, queue: q, running: ctx}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	q.mu.Lock()
	e.taken, e.claim = false, c
	q.applied(stateOf, &r, number)
	if e.Cancel { // since it was written down
		c.cancel(ErrCancelled)
	}
	q.mu.Unlock()
	if !q.leased() { // it took so long to write it down
		c.cancel(errFenced)
	}
	c.Request, c.Damage = q.Request(ctx, &r)
	for errors.Is(c.Damage, ErrUnavailable) { // that says nothing of the request
		select {
		case <-c.ctx.Done(): // it was not begun: the next sweep queues it again
			q.mu.Lock()
			defer q.mu.Unlock()
			e.claim = nil
			return nil, fmt.Errorf("job %s: %w: %w", r.ID, context.Cause(c.ctx), c.Damage)
		case <-time.After(journalRetry):
			c.Request, c.Damage = q.Request(ctx, &r)
		}
	}
	return c, nil
}

// failed gives a job back whose state could not be changed. Where somebody else was
// first that is no error.
func (q *Queue) failed(ctx context.Context, e *entry, err error) error {
	if errors.Is(err, errConflict) {
		_, err = q.lookUp(ctx, q.idOf(e))
		if errors.Is(err, ErrNotFound) {
			q.mu.Lock()
			defer q.mu.Unlock()
			if q.index.jobs[e.ID] == e {
				q.index.drop(e)
			}
			return nil
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.taken = false
	q.index.back(e)
	return err
}

// idOf is the id of an entry whose record may change just now.
func (q *Queue) idOf(e *entry) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return e.ID
}

// End says how a claim has ended.
type End struct {
	State  State // final; Interrupted becomes Queued where the job may be run again
	Result []byte
}

// farewellWithin is how long a service that ends tries to reach a journal that others
// have, too.
const farewellWithin = 10 * time.Second

// Finish writes down how a job has ended. It tries until that is done, or the queue is
// closed, and the job is settled by the next start. A service that ends and cannot reach
// a journal elsewhere leaves it to those who look for the dead.
func (c *Claim) Finish(end End) error {
	q := c.queue
	left := false // it stays this claim's: a sweep would take it for one that was not begun
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if e := q.index.jobs[c.ID]; e != nil && e.claim == c && !left {
			e.claim = nil
		}
		c.cancel(nil)
	}()
	var late <-chan time.Time
	for wait, told := journalRetry, false; ; {
		err := c.finish(end)
		if err == nil {
			return nil
		}
		if errors.Is(err, errLost) || q.ctx.Err() != nil {
			return fmt.Errorf("job %s: %w", c.ID, err)
		}
		if errors.Is(err, errConflict) { // the record is now known as it is
			continue
		}
		if !told {
			q.log.Error("the result of a job cannot be written down; trying until it can", "id", c.ID, "error", err)
			told = true
		}
		if late == nil && q.bus != nil && c.running.Err() != nil {
			late = time.After(q.within)
		}
		select {
		case <-q.ctx.Done():
		case <-late:
			left = true
			return fmt.Errorf("job %s: %w; it is settled by the next start, or by another service", c.ID, err)
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		}
	}
}

func (c *Claim) finish(end End) error {
	q := c.queue
	q.mu.Lock()
	e := q.index.jobs[c.ID]
	if e == nil || !c.same(&e.Record) {
		q.mu.Unlock()
		return errLost
	}
	r, version := e.Record, e.version
	q.mu.Unlock()
	r.State = end.State
	r.CPU = c.CPU
	if end.State == Interrupted {
		r.State = r.afterCut()
	}
	r.Finished = q.now().UTC().Truncate(time.Microsecond)
	if r.State == Queued {
		r.again(q.now())
		end.Result = nil
	}
	err := q.writeDown(q.ctx, e, &r, version, end.Result)
	if err == nil {
		c.Record = r
	}
	if errors.Is(err, errConflict) { // as by who asks for its end
		if _, err := q.lookUp(q.ctx, c.ID); err != nil {
			return err
		}
	}
	return err
}

// same: it is still this claim's.
func (c *Claim) same(r *Record) bool {
	return r.State == Running && r.Worker == c.Worker && r.Boot == c.Boot && r.Attempts == c.Attempts
}

// afterCut is the state of a job that was cut off.
func (r *Record) afterCut() State {
	switch {
	case r.Cancel:
		return Cancelled
	case r.RetrySafe && r.Attempts < MaxAttempts:
		return Queued
	}
	return Interrupted
}

// again has a job wait once more, for as long as at first.
func (r *Record) again(now time.Time) {
	r.Worker, r.Boot, r.Started, r.Finished = "", "", time.Time{}, time.Time{}
	r.Expires = now.UTC().Add(time.Duration(r.Wait) * time.Millisecond).Truncate(time.Microsecond)
}

// settleAs is writeDown for whoever does not run the job.
func (q *Queue) settleAs(ctx context.Context, e *entry, r Record, version uint64, result []byte) error {
	err := q.writeDown(ctx, e, &r, version, result)
	if err == nil && r.State.Final() && q.config.Settled != nil {
		q.config.Settled(&r)
	}
	return err
}

// writeDown writes a record down that follows a version, with a result, and removes what
// nobody needs any more.
func (q *Queue) writeDown(ctx context.Context, e *entry, r *Record, version uint64, result []byte) error {
	r.ResultBytes = int64(len(result))
	if r.State.Final() {
		r.Names = nil
	}
	parts, rest, err := putParts(ctx, q.j, resultPart, r.ID, result)
	if err != nil {
		return err
	}
	r.ResultParts = parts
	number, err := q.j.Put(ctx, subject(stateOf, r.ID), encode(r), rest, version)
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.applied(stateOf, r, number)
	q.mu.Unlock()
	if r.State.Final() {
		q.tidy(ctx, e)
	}
	return nil
}

// tidy removes the request of a job that has ended. Where that fails, a later look does.
func (q *Queue) tidy(ctx context.Context, e *entry) {
	q.mu.Lock()
	id, parts := e.ID, e.Parts
	q.mu.Unlock()
	if q.j.Remove(ctx, subject(submission, id)) != nil || parts > 0 && q.j.Remove(ctx, subject(requestPart, id)+".>") != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.order = 0
	delete(q.index.untidy, e)
}

// expire ends a job that has waited too long.
func (q *Queue) expire(ctx context.Context, e *entry, r Record, version uint64) error {
	r.State, r.Finished = Expired, q.now().UTC().Truncate(time.Microsecond)
	err := q.settleAs(ctx, e, r, version, nil)
	if err != nil {
		return q.failed(ctx, e, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.taken = false
	return nil
}

// Cancel ends a job: one that waits is not begun, and one that runs is ended soon, which
// its record does not yet say when Cancel returns. To cancel it again, or when it has
// ended, changes nothing.
func (q *Queue) Cancel(ctx context.Context, id string) (Record, error) {
	for {
		r, err := q.Get(ctx, id)
		if err != nil || r.State.Final() {
			return r, err
		}
		q.mu.Lock()
		e := q.index.jobs[id]
		if e == nil {
			q.mu.Unlock()
			continue
		}
		r, version, claim := e.Record, e.version, e.claim
		q.mu.Unlock()
		writing := context.WithoutCancel(ctx) // whoever asked for it may be gone meanwhile: it is done, and told
		switch {
		case r.State == Queued:
			r.State, r.Finished = Cancelled, q.now().UTC().Truncate(time.Microsecond)
			err = q.settleAs(writing, e, r, version, nil)
		case r.State == Running && !r.Cancel:
			r.Cancel = true
			err = q.settleAs(writing, e, r, version, nil) // so that no later start runs it again
		}
		if errors.Is(err, errConflict) {
			if _, err = q.lookUp(ctx, id); err == nil {
				continue
			}
		}
		if claim != nil { // also where it could not be written down
			claim.cancel(ErrCancelled)
		}
		return r, err
	}
}
