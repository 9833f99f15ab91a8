package httpapi

import (
	"context"
	"sync"

	"cordon/queue"
)

// pins hold the files that jobs name for as long as these wait or run: a file that is in
// use stays in the store.
type pins struct {
	mu   sync.Mutex
	held map[string]*kept // by job
}

// hold keeps k's files until release.
func (p *pins) hold(id string, k *kept) {
	if len(k.held) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[id] = k
}

// release gives a job's files back.
func (p *pins) release(id string) {
	p.mu.Lock()
	k := p.held[id]
	delete(p.held, id)
	p.mu.Unlock()
	if k != nil {
		k.release()
	}
}

// rename: a job has another id than was thought.
func (p *pins) rename(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.held[from]; k != nil {
		delete(p.held, from)
		p.held[to] = k
	}
}

// unpinEnded is for a job that may have ended before its files were held under its id.
func (s *Server) unpinEnded(ctx context.Context, id string) {
	if r, err := s.config.Jobs.Queue.Get(ctx, id); err != nil || r.State.Final() {
		s.pins.release(id)
	}
}

// pinAll holds the files of the jobs that an earlier start has left, before anything can
// make room in the store. What is gone already is told when the job begins.
func (s *Server) pinAll(ctx context.Context) error {
	if s.config.Shared != nil { // they stay because records name them
		return nil
	}
	q := s.config.Jobs.Queue
	for after, more := "", true; more; {
		var page []queue.Record
		page, more = q.List("", after, maxPage)
		for i := range page {
			r := &page[i]
			after = r.ID
			if r.Files == 0 || r.State.Final() {
				continue
			}
			text, err := q.Request(ctx, r)
			if err != nil {
				return err
			}
			request, p := decodeJob(text)
			if p != nil {
				continue // of another version; likewise
			}
			k := s.keptFor(r.Tenant)
			_, _ = s.job(&request.RunRequest, k) // what it has found it holds
			s.pins.hold(r.ID, k)
			s.unpinEnded(ctx, r.ID)
		}
	}
	return nil
}
