package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// strays are messages without a job, found when the journal was read: a process that
// ended at the wrong moment has left them.
type strays struct {
	mu    sync.Mutex
	over  bool
	found map[string]map[string]time.Time // by kind and id
}

func newStrays() *strays { return &strays{found: map[string]map[string]time.Time{}} }

func (s *strays) add(kind, id string, m *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if s.found[kind] == nil {
		s.found[kind] = map[string]time.Time{}
	}
	s.found[kind][id] = m.Time
}

func (s *strays) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *strays) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// forget gives up what was found, which the follower of the journal would hold for ever.
func (s *strays) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found = nil
}

// strayAfter is when a part without a job is nobody's: others may be submitting one.
const strayAfter = time.Hour

// settle is what a start begins with.
func (q *Queue) settle(ctx context.Context, found *strays) error {
	q.mu.Lock()
	var cut, ended []*entry
	for e := range q.index.active[Running] {
		if e.Worker == q.config.Worker && e.Boot != q.config.Boot {
			cut = append(cut, e)
		}
	}
	for e := range q.index.untidy {
		ended = append(ended, e)
	}
	q.mu.Unlock()
	for _, e := range cut {
		if err := q.cutOff(ctx, e); err != nil {
			return err
		}
	}
	for _, e := range ended {
		q.tidy(ctx, e)
	}
	if len(cut) > 0 {
		q.log.Info("jobs were settled that an earlier start had begun", "jobs", len(cut))
	}
	defer found.forget()
	return q.removeStrays(ctx, found)
}

// cutOff settles a job that ran when its service ended.
func (q *Queue) cutOff(ctx context.Context, e *entry) error {
	q.mu.Lock()
	r, version := e.Record, e.version
	q.mu.Unlock()
	r.State, r.Finished = r.afterCut(), q.now().UTC().Truncate(time.Microsecond)
	if r.State == Queued {
		r.again(q.now())
	}
	err := q.settleAs(ctx, e, r, version, nil)
	if err == nil && r.State == Queued && q.config.Settled != nil { // this attempt has ended
		q.config.Settled(&r)
	}
	return err
}

func (q *Queue) removeStrays(ctx context.Context, found *strays) error {
	for _, kind := range []string{requestPart, resultPart} {
		for id, when := range found.found[kind] {
			q.mu.Lock()
			e := q.index.jobs[id]
			needed := e != nil && (kind == requestPart && !e.State.Final() || kind == resultPart && e.ResultParts > 0)
			q.mu.Unlock()
			if needed || !q.j.Alone() && q.now().Sub(when) < strayAfter {
				continue
			}
			if err := q.j.Remove(ctx, subject(kind, id)+".>"); err != nil {
				return err
			}
		}
	}
	q.mu.Lock()
	keys := map[string]bool{}
	for _, e := range q.index.jobs {
		keys[e.Key] = true
	}
	q.mu.Unlock()
	for id, when := range found.found[deliveryOf] {
		q.mu.Lock()
		needed := q.index.jobs[id] != nil
		q.mu.Unlock()
		if needed || !q.j.Alone() && q.now().Sub(when) < strayAfter {
			continue
		}
		if err := q.j.Remove(ctx, subject(deliveryOf, id)); err != nil {
			return err
		}
	}
	for key, when := range found.found[keyOf] {
		if keys[key] || q.now().Sub(when) < strayAfter { // its client may still come again
			continue
		}
		if err := q.j.Remove(ctx, subject(keyOf, key)); err != nil {
			return err
		}
	}
	return nil
}

const sweepEvery = time.Second

func (q *Queue) sweeping() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-q.ctx.Done():
			return
		case <-ticker.C:
			q.sweep(q.ctx)
		}
	}
}

// sweep ends what has waited too long, and removes what has been kept long enough. What
// fails is tried again the next time.
func (q *Queue) sweep(ctx context.Context) {
	late, old, stranded, untidy := q.due()
	q.expireAll(ctx, late)
	for _, e := range stranded {
		if err := q.unbegin(ctx, e); err != nil {
			q.log.Warn("a job that was not begun could not be queued again", "id", q.idOf(e), "error", err)
			break
		}
	}
	for _, e := range untidy {
		q.tidy(ctx, e)
	}
	for i, e := range old {
		if err := q.forget(ctx, e); err != nil {
			q.log.Warn("the record of a job could not be removed", "id", e.ID, "error", err)
			q.stay(old[i:])
			break
		}
	}
	if q.bus != nil {
		q.mu.Lock()
		missed := q.index.missed(q.now())
		q.mu.Unlock()
		q.askAgain(ctx, missed)
	}
	if q.Waiting() > 0 { // should a wake-up have been lost to a write that failed
		signal(q.wake)
	}
}

// expireAll ends jobs that due has taken.
func (q *Queue) expireAll(ctx context.Context, late []*entry) {
	for i, e := range late {
		q.mu.Lock()
		r, version := e.Record, e.version
		q.mu.Unlock()
		err := q.expire(ctx, e, r, version)
		if err == nil {
			continue
		}
		q.log.Warn("a job that has waited too long could not be ended", "id", r.ID, "error", err)
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, e := range late[i+1:] {
			e.taken = false
			q.index.back(e)
		}
		return
	}
}

// due are the jobs that a sweep is for.
func (q *Queue) due() (late, old, stranded, untidy []*entry) {
	now := q.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := range q.index.active[Queued] {
		if !e.taken && q.keeps() && !now.Before(e.Expires) {
			e.taken = true
			late = append(late, e)
		}
	}
	for e := range q.index.active[Running] {
		if e.Boot == q.config.Boot && e.Worker == q.config.Worker && e.claim == nil && !e.taken {
			stranded = append(stranded, e)
		}
	}
	for e := range q.index.untidy {
		untidy = append(untidy, e)
	}
	old = q.index.oldest(func(e *entry) bool { return q.config.ResultsTTL > 0 && now.Sub(e.Finished) >= q.config.ResultsTTL },
		q.index.results-q.config.ResultsBytes)
	old = append(old, q.index.read(now)...)
	for _, e := range old {
		e.leaving = true
	}
	return late, old, stranded, untidy
}

// stay keeps jobs for now that were to be forgotten.
func (q *Queue) stay(all []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range all {
		e.leaving = false
		if q.index.jobs[e.ID] == e {
			q.index.hook(e)
		}
	}
}

// unbegin queues a job again whose beginning was written down, though that was answered
// with an error: it was not begun.
func (q *Queue) unbegin(ctx context.Context, e *entry) error {
	q.mu.Lock()
	r, version := e.Record, e.version
	q.mu.Unlock()
	r.State = Queued
	r.Attempts--
	r.again(q.now())
	if r.Cancel {
		r.State, r.Finished = Cancelled, q.now().UTC().Truncate(time.Microsecond)
	}
	return q.settleAs(ctx, e, r, version, nil)
}

// forget removes a job that has ended. The record goes last: so long as it is there,
// this is done again. What came of its webhook is a stray without it.
func (q *Queue) forget(ctx context.Context, e *entry) error {
	if gone, err := q.forgotten(ctx, e); gone || err != nil {
		return err
	}
	names := []string{subject(submission, e.ID)}
	if e.Parts > 0 {
		names = append(names, subject(requestPart, e.ID)+".>")
	}
	if e.Key != "" {
		names = append(names, subject(keyOf, e.Key))
	}
	if e.ResultParts > 0 {
		names = append(names, subject(resultPart, e.ID)+".>")
	}
	names = append(names, subject(stateOf, e.ID))
	if e.Hook != nil { // behind the record, or its webhook would be sent again
		names = append(names, subject(deliveryOf, e.ID))
	}
	for _, name := range names {
		if err := q.j.Remove(ctx, name); err != nil {
			return err
		}
	}
	if r, was := q.dropped(e); was && r.Untold() {
		q.undelivered(r)
	}
	return nil
}

// forgotten: another service has removed a job, or will.
func (q *Queue) forgotten(ctx context.Context, e *entry) (bool, error) {
	if q.keeps() {
		if q.bus == nil {
			return false, nil
		}
		switch _, err := q.j.Get(ctx, subject(stateOf, e.ID)); {
		case err == nil:
			return false, nil
		case !errors.Is(err, errNone):
			return false, err
		}
	}
	q.dropped(e)
	return true, nil
}

// dropped forgets a job here.
func (q *Queue) dropped(e *entry) (r Record, was bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, was = e.Record, q.index.jobs[e.ID] == e
	if was {
		q.index.drop(e)
	}
	return r, was
}
