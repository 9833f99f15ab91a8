package queue

import "fmt"

// told takes over a message of the journal.
func (q *Queue) told(m *Message, found *strays) {
	kind, id := parseSubject(m.Subject)
	if kind != submission && kind != stateOf {
		found.add(kind, id, m)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.index.seen = m.Number
		if kind == deliveryOf {
			q.toldDelivery(id, m)
		}
		return
	}
	r, err := decode(m.Meta)
	if err == nil && r.ID != id {
		err = fmt.Errorf("it is the record of %s", r.ID)
	}
	if err != nil {
		q.log.Error("a message of the queue's journal cannot be read and is left out", "subject", m.Subject, "error", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.seen = m.Number
	if err != nil {
		return
	}
	q.applied(kind, r, m.Number)
	if q.bus != nil && r.State.Final() && found.stopped() { // who has ended it removes the request
		delete(q.index.untidy, q.index.jobs[r.ID])
	}
}

// toldDelivery takes over what came of telling of a job's end. One that cannot be read
// counts as not begun. The caller holds mu.
func (q *Queue) toldDelivery(id string, m *Message) {
	d, err := decodeDelivery(m.Meta)
	if err != nil {
		q.log.Error("a message of the queue's journal cannot be read; the webhook is sent again", "subject", m.Subject, "error", err)
		d = &Delivery{State: Pending}
	}
	q.index.applyDelivery(id, d, m.Number)
}

// applied brings a record into memory. The caller holds mu.
func (q *Queue) applied(kind string, r *Record, number uint64) {
	var before Record
	if e := q.index.jobs[r.ID]; e != nil {
		before = e.Record
	}
	if !q.index.apply(kind, r, number) {
		return
	}
	e := q.index.jobs[r.ID]
	if e.State == Queued {
		signal(q.wake)
	}
	if e.State.Final() && q.onEnd != nil {
		q.onEnd(e.ID)
	}
	q.ran(&before, &e.Record)
	if e.claim != nil && e.State == Running && e.Cancel { // by another service
		e.claim.cancel(ErrCancelled)
	}
	if e.claim != nil && !e.claim.same(&e.Record) { // others thought that this service was dead
		e.claim.cancel(errLost)
	}
}

// OnEnd has f called when a job ends. f may not call the queue, and has to be quick.
func (q *Queue) OnEnd(f func(id string)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.onEnd = f
}
