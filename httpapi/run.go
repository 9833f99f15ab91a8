package httpapi

import (
	"context"
	"errors"
	"fmt"

	"cordon/audit"
	"cordon/sandbox"
)

// runInput is the raw body: it is decoded by decodeRun, which is stricter than
// the library.
type runInput struct {
	RawBody []byte `contentType:"application/json"`
}

// run is POST /v1/run.
func (s *Server) run(ctx context.Context, in *runInput) (*answer[*RunResult], error) {
	if s.config.Runner == nil {
		result, p := s.runElsewhere(ctx, in.RawBody)
		s.done(ctx)
		if p != nil {
			return nil, s.refusedFor(ctx, p)
		}
		return &answer[*RunResult]{result}, nil
	}
	result, p := s.runJob(ctx, in.RawBody)
	s.done(ctx)
	if p != nil {
		return nil, s.refusedFor(ctx, p)
	}
	return &answer[*RunResult]{NewResult(result)}, nil
}

func (s *Server) runJob(ctx context.Context, body []byte) (*sandbox.Result, *Problem) {
	request, p := decodeRun(body)
	if p != nil {
		return nil, p
	}
	k := s.keptFor(tenantOf(ctx))
	defer k.release()
	job, p := s.job(request, k)
	if p != nil {
		return nil, p
	}
	trace := sandbox.TraceOf(ctx)
	trace.Mark("decoded")
	defer s.insiders.enter(job, request.Language, false)()
	s.recordJob(ctx, request, audit.Event{Job: job.ID, Files: len(k.held)})
	result, err := s.config.Runner.Run(ctx, job)
	trace.Mark("result")
	answer, p := s.runEnded(ctx, job, result, err)
	s.record(ctx, accountOf(result, p).event(job.ID, "", 0))
	return answer, p
}

// runEnded is the answer to a job that came to the runner.
func (s *Server) runEnded(ctx context.Context, job *sandbox.Job, result *sandbox.Result, err error) (*sandbox.Result, *Problem) {
	switch {
	case err != nil:
		return nil, s.failed(ctx, job.ID, err)
	case result.Verdict == sandbox.InternalError:
		s.metrics.finished(result)
		s.charge(job.Tenant, result)
		p := problem(CodeInternal, "", fmt.Sprintf("the job could not be run, and that is not its fault: %s", result.Message))
		p.Job = job.ID
		return nil, p
	}
	s.metrics.finished(result)
	s.charge(job.Tenant, result)
	s.config.Logger.Info("job", "id", job.ID, "tenant", job.Tenant, "policy", result.Policy, "verdict", result.Verdict, "cpu_ns", result.Usage.CPUNanos,
		"memory_peak_bytes", result.Usage.MemoryPeakBytes, "queued_ns", result.Timings.QueuedNanos, "setup_ns", result.Timings.SetupNanos,
		"run_ns", result.Timings.RunNanos, "teardown_ns", result.Timings.TeardownNanos)
	return result, nil
}

// failed answers for a job without a result.
func (s *Server) failed(ctx context.Context, id string, err error) *Problem {
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && errors.Is(cause, sandbox.ErrShuttingDown) {
		err = cause // it waited until the drain was over, and its client is still there
	}
	if p := refusal(err); p != nil {
		p.Job = id
		return p
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		p := problem(CodeCancelled, "", "the client went away while the job waited")
		p.Job = id
		return p
	}
	s.config.Logger.Error("job failed", "id", id, "error", err)
	p := problem(CodeInternal, "", "the job could not be run, and that is not its fault: "+err.Error())
	p.Job = id
	return p
}
