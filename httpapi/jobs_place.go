package httpapi

import (
	"context"
	"errors"

	"cordon/queue"
	"cordon/sandbox"
)

// reserve waits for a queued job's place. One that could never be let in is begun all the
// same, and told why: what may be promised was more when it was queued.
func (j *Jobs) reserve(ctx context.Context, r *queue.Record) (queue.Place, error) {
	p, err := j.Reserve(ctx, r)
	var wrong *sandbox.InvalidError
	if errors.As(err, &wrong) {
		return noPlace{err}, nil
	}
	return p, err
}

// noPlace is that of a job that has none.
type noPlace struct{ why error }

func (p noPlace) Run(context.Context, *sandbox.Job) (*sandbox.Result, error) { return nil, p.why }
func (noPlace) Give()                                                        {}

// promised tells what a job will be promised, and refuses one that could never be let in.
func (j *Jobs) promised(job *sandbox.Job, s *queue.Submission) *Problem {
	if j.Promise == nil {
		return nil
	}
	p, err := j.Promise(job)
	if err != nil {
		if refused := refusal(err); refused != nil {
			return refused
		}
		return problem(CodeInternal, "", err.Error())
	}
	s.Memory, s.CPUs = p.Memory, p.CPUs
	if !j.Queue.Alone() { // one that is alone says when it begins the job that there is not as much
		s.Needs.Memory = p.Memory
	}
	return nil
}
