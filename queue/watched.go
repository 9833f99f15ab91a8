package queue

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"
)

// watched is what is known here of the services that share the journal.
type watched struct {
	elapsed  func() time.Duration
	patience time.Duration
	follows  bool // all of their beats; else only those are looked at that are suspected

	mu  sync.Mutex
	all map[runner]*sighting
}

// runner is one start of a service.
type runner struct{ worker, boot string }

// sighting is the last beat of one.
type sighting struct {
	number uint64
	since  time.Duration // it was there then, and no other has been seen
	note   note
	known  bool // note is
}

func newWatched(elapsed func() time.Duration, lease time.Duration, follows bool) *watched {
	return &watched{elapsed: elapsed, patience: patienceOf(lease), follows: follows, all: map[runner]*sighting{}}
}

// saw takes over a beat that is there now.
func (w *watched) saw(b *Beat) {
	var n note
	if json.Unmarshal(b.Data, &n) != nil || n.Boot == "" {
		return // of another version, perhaps: then it is nobody's
	}
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	key := runner{b.Name, n.Boot}
	if s := w.all[key]; s == nil || s.number != b.Number {
		w.all[key] = &sighting{b.Number, now, n, true}
	}
}

// silent: nothing is known of this one for longer than it may run jobs. One of whom was
// never heard is given as long from now on.
func (w *watched) silent(of runner) bool {
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.all[of]
	if s == nil {
		w.all[of] = &sighting{since: now}
		return false
	}
	return s.note.Over || now-s.since >= w.patience
}

// gone: there is no note of one any more. Where there was one its servers have lost it,
// and with it perhaps a later one: he is given his time anew.
func (w *watched) gone(worker string) {
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, s := range w.all {
		if of.worker == worker && s.number != 0 {
			s.number, s.since = 0, now
		}
	}
}

// forget what is known of those who have been silent for long and have nothing left.
func (w *watched) forget(busy map[runner]bool) {
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, s := range w.all {
		if !busy[of] && now-s.since >= 2*w.patience {
			delete(w.all, of)
		}
	}
}

// Worker is a service that runs jobs of the queue.
type Worker struct {
	Name      string
	Abilities Abilities
	Most      int // jobs that it runs at once
	Running   int
}

// living are those that have been heard of.
func (w *watched) living() (out []Worker) {
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, s := range w.all {
		if s.known && !s.note.Over && now-s.since < w.patience {
			out = append(out, Worker{of.worker, s.note.Abilities, s.note.Most, s.note.Running})
		}
	}
	return out
}

// able says whether one that has been heard of can run a job; if not, how many there are.
func (w *watched) able(needs *Needs) (able bool, n int) {
	now := w.elapsed()
	w.mu.Lock()
	defer w.mu.Unlock()
	for of, s := range w.all {
		if !s.known || s.note.Over || now-s.since >= w.patience {
			continue
		}
		if n++; s.note.Abilities.suits(of.worker, needs) {
			return true, n
		}
	}
	return false, n
}

// Living are the services that run jobs of this queue, as far as this one follows them.
// A queue that nobody shares has one.
func (q *Queue) Living() []Worker {
	if q.watched == nil {
		if q.config.Abilities == nil {
			return nil
		}
		return []Worker{{Name: q.config.Worker, Abilities: *q.config.Abilities, Most: q.config.Most}}
	}
	return q.watched.living()
}

// mourning looks for services that have died with jobs.
func (q *Queue) mourning() {
	if q.watched.follows {
		q.inside.Go(func() { _ = q.bus.Beats(q.ctx, q.watched.saw) })
	}
	every := q.config.Lease / 5
	for {
		select {
		case <-q.ctx.Done():
			return
		case <-time.After(every/2 + rand.N(every)): // not all at the same time
			q.mourn(q.ctx)
		}
	}
}

// sample is how many others are looked at at once by one who does not follow all.
const sample = 3

// mourn settles the jobs of those who have died.
func (q *Queue) mourn(ctx context.Context) {
	jobs := q.owners()
	busy := map[runner]bool{}
	looked := 0
	for of := range jobs { // in any order
		busy[of] = true
		if !q.watched.follows {
			if known := q.watched.has(of); !known {
				if looked++; looked > sample {
					continue
				}
			}
			if !q.look(ctx, of) {
				continue
			}
		}
		if !q.watched.silent(of) || !q.look(ctx, of) || !q.watched.silent(of) {
			continue
		}
		q.log.Warn("a service is silent for longer than its lease; its jobs are settled", "worker", of.worker, "silent_for", q.watched.patience, "jobs", len(jobs[of]))
		for _, e := range jobs[of] {
			if err := q.bury(ctx, e, of); err != nil {
				q.log.Warn("a job whose service has died could not be settled", "id", q.idOf(e), "error", err)
				break
			}
		}
	}
	q.watched.forget(busy)
}

func (w *watched) has(of runner) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all[of] != nil
}

// look asks for the last beat of one. It says whether there was an answer: without one
// nobody is dead.
func (q *Queue) look(ctx context.Context, of runner) bool {
	ctx, stop := context.WithTimeout(ctx, q.config.Lease)
	defer stop()
	b, err := q.bus.LastBeat(ctx, of.worker)
	if err != nil {
		return false
	}
	if b == nil {
		q.watched.gone(of.worker)
	} else {
		q.watched.saw(b)
	}
	return true
}

// owners are the others that have jobs, with these.
func (q *Queue) owners() map[runner][]*entry {
	out := map[runner][]*entry{}
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := range q.index.active[Running] {
		if of := (runner{e.Worker, e.Boot}); e.Worker != q.config.Worker {
			out[of] = append(out[of], e)
		}
	}
	return out
}

// bury settles a job of a service that is dead, unless somebody has done so.
func (q *Queue) bury(ctx context.Context, e *entry, of runner) error {
	q.mu.Lock()
	id := e.ID
	still := q.index.jobs[id] == e && e.State == Running && runner{e.Worker, e.Boot} == of
	q.mu.Unlock()
	if !still {
		return nil
	}
	err := q.cutOff(ctx, e)
	if err == errConflict { //nolint:errorlint // Put gives it as it is
		_, err = q.lookUp(ctx, id)
		if err == ErrNotFound { //nolint:errorlint // likewise
			err = nil
		}
	}
	return err
}
