package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Telling is an attempt to tell of a job's end that is made here.
type Telling struct {
	Record // with the delivery as it is while the attempt is made

	queue *Queue
	e     *entry
}

// Untold is how many jobs have ended of which somebody is still to be told.
func (q *Queue) Untold() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.index.untold)
}

// Tell begins an attempt that is due, in a place of its own, which HangUp gives back.
// lease is within what time it is over. Where none is due, next says when one will be;
// zero: not known.
func (q *Queue) Tell(ctx context.Context, lease time.Duration, places Places) (t *Telling, next time.Time, err error) {
	for ctx.Err() == nil && q.ctx.Err() == nil {
		q.mu.Lock()
		e, next := q.index.nextCall(q.now(), &places)
		if e == nil {
			q.mu.Unlock()
			return nil, next, nil
		}
		r, version := e.Record, e.hookVersion
		q.mu.Unlock()
		d := Delivery{State: Pending}
		if r.Delivery != nil {
			d = *r.Delivery
		}
		d.Attempts++
		d.Worker, d.Boot, d.Next = q.config.Worker, q.config.Boot, q.moment().Add(lease)
		err := q.putDelivery(ctx, e, &d, version)
		if err == nil {
			r.Delivery = &d
			return &Telling{r, q, e}, time.Time{}, nil
		}
		q.hangUp(&r)
		q.release(e)
		if !errors.Is(err, errConflict) {
			return nil, time.Time{}, err
		}
	}
	return nil, time.Time{}, ErrClosed
}

// HangUp gives the place of the attempt back, when what came of it is noted.
func (t *Telling) HangUp() { t.queue.hangUp(&t.Record) }

func (q *Queue) hangUp(r *Record) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.calls.give(callKey{r.Tenant, r.Hook.Host})
}

// moment is now, as records have it.
func (q *Queue) moment() time.Time { return q.now().UTC().Truncate(time.Microsecond) }

// putDelivery writes a delivery down that follows a version. After errConflict it is
// known as it is.
func (q *Queue) putDelivery(ctx context.Context, e *entry, d *Delivery, version uint64) error {
	number, err := q.j.Put(ctx, subject(deliveryOf, e.ID), encodeDelivery(d), nil, version)
	if err == nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.index.applyDelivery(e.ID, d, number)
		return nil
	}
	if !errors.Is(err, errConflict) {
		return err
	}
	m, failed := q.j.Get(ctx, subject(deliveryOf, e.ID))
	if failed != nil && !errors.Is(failed, errNone) {
		return failed
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if failed != nil { // the job is gone, and its record with it
		if q.index.jobs[e.ID] == e {
			q.index.drop(e)
		}
		return err
	}
	known, failed := decodeDelivery(m.Meta)
	if failed != nil {
		return failed
	}
	q.index.applyDelivery(e.ID, known, m.Number)
	return err
}

// release ends an attempt in memory: the delivery is in its line again, if it is to be.
func (q *Queue) release(e *entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e.telling = false
	if q.index.jobs[e.ID] == e {
		q.index.hook(e)
	}
}

// Attempt is what came of an attempt to tell.
type Attempt struct {
	State  DeliveryState
	Status int       // that was answered; 0: none
	Reason string    // why it failed
	Next   time.Time // of the next attempt, where the state is Pending
}

// Note writes down what came of the attempt. It tries until that is done, or the queue is
// closed: the next start makes the attempt again.
func (t *Telling) Note(a Attempt) error {
	q := t.queue
	defer q.release(t.e)
	for wait, told := journalRetry, false; ; {
		err := t.note(a)
		if err == nil {
			q.over(&t.Record)
			return nil
		}
		if errors.Is(err, errLost) || q.ctx.Err() != nil {
			return fmt.Errorf("delivery of job %s: %w", t.ID, err)
		}
		if errors.Is(err, errConflict) { // it is now known as it is
			continue
		}
		if !told {
			q.log.Error("what came of a webhook cannot be written down; trying until it can", "id", t.ID, "error", err)
			told = true
		}
		select {
		case <-q.ctx.Done():
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		}
	}
}

// note tries once.
func (t *Telling) note(a Attempt) error {
	q := t.queue
	q.mu.Lock()
	gone, version, now := q.index.jobs[t.ID] != t.e, t.e.hookVersion, t.e.Delivery
	q.mu.Unlock()
	if gone || now == nil || now.Worker != q.config.Worker || now.Boot != q.config.Boot || now.Attempts != t.Delivery.Attempts {
		return errLost
	}
	d := Delivery{State: a.State, Attempts: now.Attempts, Status: a.Status, Reason: a.Reason}
	if a.State == Pending {
		d.Next = a.Next.UTC().Truncate(time.Microsecond)
	} else {
		d.Ended = q.moment()
	}
	if err := q.putDelivery(q.ctx, t.e, &d, version); err != nil {
		return err
	}
	t.Delivery = &d
	return nil
}

// over tells of a delivery that this service has ended.
func (q *Queue) over(r *Record) {
	if q.config.Told != nil && r.Delivery.State != Pending {
		q.config.Told(r)
	}
}

// Forgotten is why a delivery failed whose job's record had to make room.
const Forgotten = "forgotten"

// undelivered tells of a delivery that will not come: its record is removed.
func (q *Queue) undelivered(r Record) {
	d := Delivery{State: Undelivered, Reason: Forgotten, Ended: q.moment()}
	if r.Delivery != nil {
		d.Attempts, d.Status = r.Delivery.Attempts, r.Delivery.Status
	}
	r.Delivery = &d
	q.log.Warn("a webhook will not be delivered: the results of later jobs needed the room of its job's", "id", r.ID, "host", r.Hook.Host, "attempts", d.Attempts)
	q.over(&r)
}
