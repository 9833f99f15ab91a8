package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
)

// nowhere stands in for a runner in a service whose jobs run elsewhere.
type nowhere struct{}

// errNowhere: nobody comes to it, for POST /v1/run goes through the queue there.
var errNowhere = errors.New("no jobs run in this service")

func (nowhere) Run(context.Context, *sandbox.Job) (*sandbox.Result, error) { return nil, errNowhere }
func (nowhere) Stats() sandbox.Stats                                       { return sandbox.Stats{} }

// runnerOf is the runner of a service, or what stands in for it.
func runnerOf(c *Config) Runner {
	if c.Runner == nil {
		return nowhere{}
	}
	return c.Runner
}

// directWait is how long a job of POST /v1/run waits for a service that begins it: its
// client is waiting, too.
const directWait = time.Minute

// runElsewhere is POST /v1/run in a service that runs no jobs: the job goes through the
// queue, before others, is ended when its client goes, and leaves no record.
func (s *Server) runElsewhere(ctx context.Context, body []byte) (*RunResult, *Problem) {
	request, p := decodeRun(body)
	if p != nil {
		return nil, p
	}
	tenant := tenantOf(ctx)
	k := s.namedFor(ctx, tenant)
	defer k.release()
	job, p := s.job(request, k)
	if p != nil {
		return nil, p
	}
	submission := queue.Submission{ID: job.ID, Tenant: tenant, Request: body, Priority: queue.High, TTL: min(directWait, s.config.Jobs.TTL),
		Files: len(k.held) + len(k.names), Names: k.names, Needs: s.needs(job, request, ""), Brief: true, Most: s.queueOf(tenant)}
	if p := s.config.Jobs.promised(job, &submission); p != nil {
		return nil, p
	}
	q := s.config.Jobs.Queue
	changed, stop := q.Follow(job.ID)
	defer stop()
	if _, _, err := q.Submit(ctx, submission); err != nil {
		return nil, s.queueProblem(err)
	}
	s.recordJob(ctx, request, audit.Event{Job: job.ID, Queued: true, Priority: string(queue.High), Files: submission.Files})
	r, err := s.awaited(ctx, job.ID, changed)
	if err != nil {
		return nil, s.abandoned(ctx, job.ID, err)
	}
	text, err := q.Result(ctx, &r)
	if err != nil {
		return nil, s.abandoned(ctx, job.ID, err)
	}
	defer s.forget(job.ID)
	return s.directEnd(&r, text)
}

// awaited waits for the end of a job.
func (s *Server) awaited(ctx context.Context, id string, changed <-chan struct{}) (queue.Record, error) {
	for {
		r, err := s.config.Jobs.Queue.Get(ctx, id)
		if err != nil || r.State.Final() {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}

// abandoned ends a job for whose result nobody waits any more.
func (s *Server) abandoned(ctx context.Context, id string, err error) *Problem {
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelWithin)
	defer stop()
	if _, wrong := s.config.Jobs.Queue.Cancel(last, id); wrong != nil {
		s.config.Logger.Warn("a job could not be cancelled whose client has gone", "id", id, "error", wrong)
	}
	if errors.Is(err, sandbox.ErrShuttingDown) {
		return refusal(sandbox.ErrShuttingDown)
	}
	p := s.queueProblem(err)
	p.Job = id
	return p
}

// forget removes the record of a job whose result was handed over. What fails is removed
// in its time.
func (s *Server) forget(id string) {
	ctx, stop := context.WithTimeout(context.Background(), cancelWithin)
	defer stop()
	if err := s.config.Jobs.Queue.Forget(ctx, id); err != nil {
		s.config.Logger.Info("the record of a job that was not queued by its client stays for a while", "id", id, "error", err)
	}
}

// directEnd is the answer to a job that has ended.
func (s *Server) directEnd(r *queue.Record, text []byte) (*RunResult, *Problem) {
	var p Problem
	var result RunResult
	switch {
	case r.State == queue.Failed:
		if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
			return nil, problem(CodeInternal, "", fmt.Sprintf("the job could not be run, and why cannot be read: %v", err))
		}
		return nil, problemLike(&p)
	case len(text) > 0:
		if err := json.Unmarshal(text, &result); err != nil {
			return nil, problem(CodeInternal, "", "the result cannot be read: "+err.Error())
		}
		return &result, nil
	case r.State == queue.Expired:
		busy := problem(CodeQueueFull, "", fmt.Sprintf("no service has begun the job within %v; try again later, or queue it with POST %s", directWait, jobsPath))
		busy.Job, busy.wait = r.ID, 5*time.Second
		return nil, busy
	case r.State == queue.Cancelled:
		gone := problem(CodeCancelled, "", "the job was cancelled")
		gone.Job = r.ID
		return nil, gone
	}
	cut := problem(CodeShuttingDown, "", "the service that ran the job has ended, or could not be reached any more; try again")
	cut.Job = r.ID
	return nil, cut
}

// problemLike is a problem as it was written down elsewhere.
func problemLike(from *Problem) *Problem {
	p := problem(from.Code, from.Path, from.Detail)
	p.Job, p.Denials = from.Job, from.Denials
	return p
}
