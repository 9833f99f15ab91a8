package queue

import "fmt"

// reserve takes room for a job that is on its way in.
func (q *Queue) reserve(s *Submission) error {
	if err := q.j.Room(); err != nil {
		return err
	}
	bytes := int64(len(s.Request))
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, own, coming := q.index.count[Queued]+q.coming, q.index.part(s.Tenant), q.comingOf[s.Tenant]
	if err := q.tenantFits(s, own.waiting+coming.jobs, own.requests+coming.bytes+bytes); err != nil {
		return err
	}
	switch {
	case q.ctx.Err() != nil:
		return ErrClosed
	case waiting >= q.config.MaxJobs:
		return fmt.Errorf("%w: %d jobs wait already, %d may", ErrFull, waiting, q.config.MaxJobs)
	case q.index.requests+q.incoming+bytes > q.config.MaxBytes:
		return fmt.Errorf("%w: the requests of the jobs that wait or run have %d bytes, and with this one's %d they would have more than %d",
			ErrFull, q.index.requests+q.incoming, bytes, q.config.MaxBytes)
	}
	q.coming++
	q.incoming += bytes
	q.comingOf[s.Tenant] = amount{coming.jobs + 1, coming.bytes + bytes}
	return nil
}

// amount is a number of jobs, and the bytes of their requests.
type amount struct{ jobs, bytes int64 }

// tenantFits holds a tenant to its limit, and to three quarters of the queue: the rest is
// always for others. The operator's own jobs have all of it. bytes has the job that comes.
func (q *Queue) tenantFits(s *Submission, waiting, bytes int64) error {
	switch most := q.config.MaxJobs * 3 / 4; {
	case s.Most > 0 && waiting >= s.Most:
		return fmt.Errorf("%w: %d jobs of this tenant wait already, %d may", ErrTenantFull, waiting, s.Most)
	case s.Tenant != "" && waiting >= max(most, 1):
		return fmt.Errorf("%w: %d jobs of this tenant wait already, which is three quarters of all that may", ErrTenantFull, waiting)
	case s.Tenant != "" && bytes > q.config.MaxBytes/4*3:
		return fmt.Errorf("%w: with this one, the requests of this tenant's jobs that wait or run would have %d bytes, which is more than three quarters of what all may", ErrTenantFull, bytes)
	}
	return nil
}

func (q *Queue) unreserve(s *Submission) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming--
	own := q.comingOf[s.Tenant]
	if own = (amount{own.jobs - 1, own.bytes - int64(len(s.Request))}); own.jobs == 0 {
		delete(q.comingOf, s.Tenant)
	} else {
		q.comingOf[s.Tenant] = own
	}
	q.incoming -= int64(len(s.Request))
}
