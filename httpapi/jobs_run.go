package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
)

// runJobs begins queued jobs, and tells of those that have ended, until ctx is done. ended is
// closed when those that run have ended: by themselves, or because running is done.
func (s *Server) runJobs(ctx, running context.Context) (ended <-chan struct{}) {
	over := make(chan struct{})
	var inside sync.WaitGroup
	defer func() { go wait(&inside, over) }()
	jobs := s.config.Jobs
	if jobs != nil && jobs.Hooks != nil {
		inside.Go(func() { s.couriers().Serve(ctx, running) })
	}
	if jobs == nil || jobs.Reserve == nil { // they run elsewhere
		return over
	}
	w := queue.Workers{Queue: jobs.Queue, Most: jobs.Most, Logger: s.config.Logger,
		Place: func(ctx context.Context, r *queue.Record) (queue.Place, error) {
			if err := s.rested(ctx, r.Tenant); err != nil {
				return nil, err
			}
			if err := s.config.Audit.Wait(ctx); err != nil { // what cannot be written down is not begun
				return nil, err
			}
			return jobs.reserve(ctx, r)
		},
		Run: func(c *queue.Claim, place queue.Place) queue.End {
			return s.runClaim(c, place.(Place))
		},
		Ended: func(c *queue.Claim) {
			s.live.end(c.ID)
			s.recordClaim(c)
		}}
	silence, err := jobs.Queue.AnswerLive(s.tellLive)
	if err != nil {
		s.config.Logger.Error("other services cannot follow the jobs that run here", "error", err)
		silence = func() {}
	}
	inside.Go(func() { defer silence(); w.Serve(ctx, running) })
	return over
}

// wait closes over when all of inside have ended.
func wait(inside *sync.WaitGroup, over chan<- struct{}) {
	inside.Wait()
	close(over)
}

// runClaim runs a queued job in its place.
func (s *Server) runClaim(c *queue.Claim, place Place) queue.End {
	defer place.Give()
	result, p := s.tryClaim(c, place)
	c.Note = accountOf(result, p)
	log := s.config.Logger.With("id", c.ID, "tenant", c.Tenant, "attempt", c.Attempts)
	if p != nil {
		log.Warn("queued job could not be run", "code", p.Code, "detail", p.Detail)
		return queue.End{State: queue.Failed, Result: mustJSON(p)}
	}
	if result == nil {
		return queue.End{State: stopped(c.Context())}
	}
	c.CPU += time.Duration(result.CPUNanos)
	result.Timings.QueuedNanos = c.Started.Sub(c.Created).Nanoseconds()
	s.metrics.finished(result)
	s.charge(c.Tenant, result)
	log.Info("job", "policy", result.Policy, "verdict", result.Verdict, "cpu_ns", result.Usage.CPUNanos,
		"memory_peak_bytes", result.Usage.MemoryPeakBytes, "queued_ns", result.Timings.QueuedNanos, "setup_ns", result.Timings.SetupNanos,
		"run_ns", result.Timings.RunNanos, "teardown_ns", result.Timings.TeardownNanos)
	end := queue.End{State: queue.Done, Result: mustJSON(NewResult(result))}
	switch result.Verdict {
	case sandbox.InternalError:
		p := problem(CodeInternal, "", "the job could not be run, and that is not its fault: "+result.Message)
		p.Job = c.ID
		end = queue.End{State: queue.Failed, Result: mustJSON(p)}
	case sandbox.Cancelled:
		end.State = queue.Cancelled
	case sandbox.Interrupted:
		end.State = queue.Interrupted
	}
	return end
}

// tryClaim: neither a result nor a problem is a job that was stopped before it began.
func (s *Server) tryClaim(c *queue.Claim, place Place) (*sandbox.Result, *Problem) {
	if c.Damage != nil {
		return nil, problem(CodeInternal, "", "what was submitted cannot be read any more: "+c.Damage.Error())
	}
	request, p := decodeJob(c.Request)
	if p != nil {
		return nil, p
	}
	k := s.keptFor(c.Tenant)
	defer k.release()
	job, p := s.queuedJob(request, k)
	if p != nil {
		p.Job = c.ID
		return nil, p
	}
	job.ID, job.Tenant = c.ID, c.Tenant
	s.config.Audit.Add(audit.Event{Event: audit.JobStarted, Actor: audit.Actor{Tenant: c.Tenant}, Job: c.ID, Policy: job.Policy, Attempt: c.Attempts})
	var input *liveInput
	if job.Interactive != nil {
		input = newLiveInput(request.Interactive.idle())
		input.listen(job)
	}
	s.live.begin(c.ID, c.Attempts, input).follow(job)
	defer s.insiders.enter(job, request.Language, true)()
	ctx, stop := endedBy(c.Context())
	defer stop()
	result, err := place.Run(ctx, job)
	switch {
	case err == nil:
		return result, nil
	case c.Context().Err() != nil, errors.Is(err, sandbox.ErrShuttingDown):
		return nil, nil
	}
	return nil, s.failed(c.Context(), c.ID, err)
}

// endedBy is a claim's context for the runner: a job that nobody has cancelled is ended
// because its service must not run it any more.
func endedBy(claim context.Context) (context.Context, func()) {
	ctx, end := context.WithCancelCause(context.WithoutCancel(claim))
	stop := context.AfterFunc(claim, func() {
		cause := context.Cause(claim)
		if !errors.Is(cause, queue.ErrCancelled) && !errors.Is(cause, sandbox.ErrShuttingDown) {
			cause = fmt.Errorf("%w: %w", sandbox.ErrShuttingDown, cause)
		}
		end(cause)
	})
	return ctx, func() { stop(); end(nil) }
}

// stopped is the state of a job that was stopped before it had a result.
func stopped(ctx context.Context) queue.State {
	if errors.Is(context.Cause(ctx), queue.ErrCancelled) {
		return queue.Cancelled
	}
	return queue.Interrupted
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // these types have nothing that could fail
	}
	return text
}
