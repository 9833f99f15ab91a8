package queue

import (
	"context"
	"errors"
)

// Get is a job's record. One that another service has just taken in is looked up in the
// journal.
func (q *Queue) Get(ctx context.Context, id string) (Record, error) {
	q.mu.Lock()
	e := q.index.jobs[id]
	if e != nil {
		defer q.mu.Unlock()
		return e.Record, nil
	}
	q.mu.Unlock()
	if q.j.Alone() || !isID(id) {
		return Record{}, ErrNotFound
	}
	return q.lookUp(ctx, id)
}

// maxID is more than the id of any job has.
const maxID = 64

// isID: what has another form is the id of no job, and would be more than a name in the
// journal's subjects: one for many, or so long that servers hang up.
func isID(id string) bool {
	good := id != "" && len(id) <= maxID
	for _, c := range []byte(id) {
		good = good && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_')
	}
	return good
}

func (q *Queue) lookUp(ctx context.Context, id string) (Record, error) {
	for _, kind := range []string{stateOf, submission} {
		m, err := q.j.Get(ctx, subject(kind, id))
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return Record{}, err
		}
		r, err := decode(m.Meta)
		if err != nil {
			return Record{}, err
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		q.applied(kind, r, m.Number)
		return *r, nil
	}
	return Record{}, ErrNotFound
}

// Result is what a job that has ended has left; nil where it has left nothing.
func (q *Queue) Result(ctx context.Context, r *Record) ([]byte, error) {
	if !r.State.Final() || r.ResultBytes == 0 {
		return nil, nil
	}
	m, err := q.j.Get(ctx, subject(stateOf, r.ID))
	if err == nil {
		m.Data, err = getParts(ctx, q.j, resultPart, r.ID, r.ResultParts, r.ResultBytes, m.Data)
		if err == nil {
			return m.Data, nil
		}
	}
	if errors.Is(err, errNone) {
		return nil, ErrNotFound // it was time
	}
	return nil, err
}

// Request is what was submitted, of a job that has not ended.
func (q *Queue) Request(ctx context.Context, r *Record) ([]byte, error) {
	m, err := q.j.Get(ctx, subject(submission, r.ID))
	if err == nil {
		var submitted *Record
		if submitted, err = decode(m.Meta); err == nil {
			m.Data, err = getParts(ctx, q.j, requestPart, r.ID, submitted.Parts, submitted.Bytes, m.Data)
		}
	}
	if err != nil {
		return nil, err
	}
	return m.Data, nil
}

// List gives records in the order in which their jobs came, behind the one with the id
// after; state "" is any. more: there are others behind them.
func (q *Queue) List(state State, after string, limit int) (page []Record, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.page(state, nil, after, limit)
}

// ListOf is List with the jobs of one tenant only.
func (q *Queue) ListOf(tenant string, state State, after string, limit int) (page []Record, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.page(state, &tenant, after, limit)
}

// WaitingOf is how many jobs of a tenant wait.
func (q *Queue) WaitingOf(tenant string) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.part(tenant).waiting + q.comingOf[tenant].jobs
}

// Follow signals every change of a job, until stop is called.
func (q *Queue) Follow(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.watchers[id] = append(q.index.watchers[id], c)
	return c, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		all := q.index.watchers[id]
		for i, one := range all {
			if one == c {
				all = append(all[:i:i], all[i+1:]...)
			}
		}
		if q.index.watchers[id] = all; len(all) == 0 {
			delete(q.index.watchers, id)
		}
	}
}

// Stats say how full a queue is.
type Stats struct {
	Jobs         map[State]int64
	RequestBytes int64 // of jobs that have not ended
	ResultBytes  int64
}

// Stats are those of now.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Jobs: map[State]int64{}, RequestBytes: q.index.requests, ResultBytes: q.index.results}
	for state, n := range q.index.count {
		s.Jobs[state] = n
	}
	return s
}
