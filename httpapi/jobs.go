package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
	"cordon/tenants"
)

const (
	jobsPath = "/v1/jobs"
	jobPath  = "/v1/jobs/{id}"
)

// Place is one among the running jobs.
type Place interface {
	Run(ctx context.Context, job *sandbox.Job) (*sandbox.Result, error)
	Give()
}

// Jobs is what the routes of queued jobs stand on.
type Jobs struct {
	Queue   *queue.Queue
	Reserve func(context.Context, *queue.Record) (Place, error) // waits for a place for a job; an *sandbox.InvalidError: there can be none
	Promise func(*sandbox.Job) (sandbox.Promise, error)         // what a job will be promised; nil: that is found out when it runs
	Most    int                                                 // queued jobs of one tenant that are begun at once
	TTL     time.Duration                                       // how long a job may wait at most
	Hooks   *Hooks                                              // nil: nobody is told here when jobs have ended
}

// maxSubmissions is how many jobs come in at once: their bodies are in memory until they
// are on the disk.
const maxSubmissions = 64

type submitInput struct {
	Key     string `header:"Idempotency-Key" doc:"Names this submission: the same key with the same body is the same job, however often it is sent. Up to 255 visible characters"`
	RawBody []byte `contentType:"application/json"`
}

// submitted is the answer to a job that was taken.
type submitted struct {
	Location string `header:"Location" doc:"Where the job is"`
	Body     JobStatus
}

// submit is POST /v1/jobs. A job that /v1/run would not take is refused at once.
func (s *Server) submit(ctx context.Context, in *submitInput) (*submitted, error) {
	r, p := s.enqueue(ctx, in)
	s.done(ctx)
	if p != nil {
		return nil, s.refusedFor(ctx, p)
	}
	return &submitted{jobsPath + "/" + r.ID, s.jobStatus(&r)}, nil
}

func (s *Server) enqueue(ctx context.Context, in *submitInput) (queue.Record, *Problem) {
	if p := checkKey(in.Key); p != nil {
		return queue.Record{}, p
	}
	request, p := decodeJob(in.RawBody)
	if p != nil {
		return queue.Record{}, p
	}
	tenant := tenantOf(ctx)
	k := s.namedFor(ctx, tenant)
	job, p := s.queuedJob(request, k)
	if p == nil {
		p = s.checkPlace(request)
	}
	if p != nil {
		k.release()
		return queue.Record{}, p
	}
	submission := queue.Submission{ID: job.ID, Tenant: tenant, Request: in.RawBody, Priority: queue.Normal, RetrySafe: request.RetrySafe,
		TTL: s.config.Jobs.TTL, Files: len(k.held) + len(k.names), Key: in.Key, Most: s.queueOf(tenant),
		Needs: s.needs(job, &request.RunRequest, request.Arch), Names: k.names}
	if request.Interactive != nil { // clients attach to the service that took it in
		submission.Needs.Service = s.config.Jobs.Queue.Service()
	}
	if request.Priority != "" {
		submission.Priority = queue.Priority(request.Priority)
	}
	if request.QueueTTL != nil {
		submission.TTL = time.Duration(*request.QueueTTL) * time.Millisecond
	}
	p = s.checkWait(&submission)
	if p == nil {
		p = s.config.Jobs.promised(job, &submission)
	}
	if p == nil {
		submission.Hook, p = s.hook(request.Webhook)
	}
	if p != nil {
		k.release()
		return queue.Record{}, p
	}
	s.pins.hold(job.ID, k) // before it can end
	r, created, err := s.config.Jobs.Queue.Submit(ctx, submission)
	switch {
	case err != nil, !created:
		s.pins.release(job.ID)
	case r.ID != job.ID: // which its key had already
		s.pins.rename(job.ID, r.ID)
		s.unpinEnded(ctx, r.ID)
	}
	if err != nil {
		return r, s.queueProblem(err)
	}
	if created {
		s.metrics.submitted.WithLabelValues(string(r.Priority)).Inc()
		s.recordJob(ctx, &request.RunRequest, audit.Event{Job: r.ID, Queued: true, Priority: string(r.Priority), Files: r.Files, Host: hostOf(submission.Hook)})
		s.config.Logger.Info("job queued", "id", r.ID, "tenant", r.Tenant, "priority", r.Priority, "bytes", r.Bytes)
	}
	return r, nil
}

// checkKey: a key is what a header can carry without being written otherwise.
func checkKey(key string) *Problem {
	if len(key) > 255 {
		return problem(CodeInvalidField, "Idempotency-Key", fmt.Sprintf("%d characters given, 255 are allowed", len(key)))
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return problem(CodeInvalidField, "Idempotency-Key", "visible ASCII characters without spaces are wanted")
		}
	}
	return nil
}

// checkWait holds what says how a job waits.
func (s *Server) checkWait(q *queue.Submission) *Problem {
	known := false
	for _, p := range queue.Priorities {
		known = known || p == q.Priority
	}
	if !known {
		return problem(CodeInvalidField, "priority", fmt.Sprintf("%q given, allowed are high, normal and low", clip(string(q.Priority))))
	}
	if q.TTL <= 0 || q.TTL > s.config.Jobs.TTL {
		return problem(CodeInvalidField, "queue_ttl_ms", fmt.Sprintf("%d given, allowed is 1 to %d, which is --queue-ttl", q.TTL.Milliseconds(), s.config.Jobs.TTL.Milliseconds()))
	}
	return nil
}

// queueProblem is the answer to what a queue has against a request.
func (s *Server) queueProblem(err error) *Problem {
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return problem(CodeUnknownJob, "", "there is no job with this id: there never was, or its record was kept as long as --results-ttl and --results-bytes allow")
	case errors.Is(err, queue.ErrTenantFull):
		return tenantQueueFull(err.Error())
	case errors.Is(err, queue.ErrFull):
		p := problem(CodeQueueFull, "", err.Error()+"; try again later")
		p.wait = 5 * time.Second
		return p
	case errors.Is(err, queue.ErrNoSpace):
		return problem(CodeDiskFull, "", err.Error())
	case errors.Is(err, queue.ErrMismatch):
		return problem(CodeKeyMismatch, "Idempotency-Key", "this key came before, with another body; a new job wants a new key")
	case errors.Is(err, queue.ErrClosed):
		return refusal(sandbox.ErrShuttingDown)
	case errors.Is(err, queue.ErrUnavailable):
		s.config.Logger.Error("the queue cannot be used", "error", err)
		return problem(CodeQueueUnavailable, "", "the queue cannot be reached now: "+err.Error()+"; whether a job that was sent is queued is not known: send it again with the same Idempotency-Key")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return problem(CodeCancelled, "", "the client went away")
	}
	s.config.Logger.Error("the queue has failed", "error", err)
	return problem(CodeInternal, "", "the queue has failed, and that is not the job's fault: "+err.Error())
}

type jobInput struct {
	ID string `path:"id" doc:"As POST /v1/jobs has answered"`
}

// own is a job that the caller may know of. That of another tenant is not there.
func (s *Server) own(ctx context.Context, id string) (queue.Record, error) {
	r, err := s.config.Jobs.Queue.Get(ctx, id)
	if who := callerOf(ctx); err == nil && !who.operator && (who.Tenant == "" || who.Tenant != r.Tenant) {
		return queue.Record{}, queue.ErrNotFound
	}
	return r, err
}

// getJob is GET /v1/jobs/{id}.
func (s *Server) getJob(ctx context.Context, in *jobInput) (*answer[JobStatus], error) {
	r, err := s.own(ctx, in.ID)
	if err == nil {
		return s.status(ctx, &r)
	}
	return nil, s.queueProblem(err)
}

func (s *Server) status(ctx context.Context, r *queue.Record) (*answer[JobStatus], error) {
	result, err := s.config.Jobs.Queue.Result(ctx, r)
	if err != nil {
		return nil, s.queueProblem(err)
	}
	out := s.jobStatus(r)
	out.withResult(result)
	return &answer[JobStatus]{out}, nil
}

// ended is the status of a job that was cancelled. Its result is for who may read it.
func (s *Server) ended(ctx context.Context, r *queue.Record) (*answer[JobStatus], error) {
	if who := callerOf(ctx); !who.operator && !who.May(tenants.JobsRead) {
		return &answer[JobStatus]{newJobStatus(r)}, nil
	}
	return s.status(ctx, r)
}

type listInput struct {
	State  string `query:"state" doc:"Only jobs in this state"`
	Tenant string `query:"tenant" doc:"Only jobs of this tenant; the operator's token lists those of all"`
	Limit  string `query:"limit" doc:"Jobs in the answer, at most; 100 when absent"`
	After  string `query:"after" doc:"Only jobs behind the one with this id, as next of the page before"`
}

// maxPage is how many jobs a page may have.
const maxPage = 1000

// listJobs is GET /v1/jobs.
func (s *Server) listJobs(ctx context.Context, in *listInput) (*answer[JobList], error) {
	state := queue.State(in.State)
	known := state == ""
	for _, one := range queue.States {
		known = known || one == state
	}
	if !known {
		return nil, problem(CodeInvalidField, "state", fmt.Sprintf("%q given, allowed are %v", clip(in.State), queue.States))
	}
	limit := 100
	if in.Limit != "" {
		var err error
		if limit, err = strconv.Atoi(in.Limit); err != nil || limit < 1 || limit > maxPage {
			return nil, problem(CodeInvalidField, "limit", fmt.Sprintf("%q given, allowed is 1 to %d", clip(in.Limit), maxPage))
		}
	}
	page, more, p := s.page(ctx, in, state, limit)
	if p != nil {
		return nil, p
	}
	out := JobList{Jobs: make([]JobStatus, 0, len(page))}
	for i := range page {
		out.Jobs = append(out.Jobs, s.jobStatus(&page[i]))
	}
	if more {
		out.Next = page[len(page)-1].ID
	}
	return &answer[JobList]{out}, nil
}

// page has the caller's own jobs, or for the operator those of whom it asks for.
func (s *Server) page(ctx context.Context, in *listInput, state queue.State, limit int) (page []queue.Record, more bool, p *Problem) {
	who := callerOf(ctx)
	switch {
	case who.operator && in.Tenant == "":
		page, more = s.config.Jobs.Queue.List(state, in.After, limit)
	case who.operator:
		page, more = s.config.Jobs.Queue.ListOf(in.Tenant, state, in.After, limit)
	case in.Tenant != "" && in.Tenant != who.Tenant:
		p = problem(CodeInvalidField, "tenant", fmt.Sprintf("%q given; a key lists the jobs of its own tenant, %q", clip(in.Tenant), who.Tenant))
	default:
		page, more = s.config.Jobs.Queue.ListOf(who.Tenant, state, in.After, limit)
	}
	return page, more, p
}

// cancelWithin is how long DELETE waits for the end of a job that runs. It takes a few
// milliseconds; a job that cannot be ended at once is ended all the same.
const cancelWithin = 10 * time.Second

// cancelJob is DELETE /v1/jobs/{id}.
func (s *Server) cancelJob(ctx context.Context, in *jobInput) (*answer[JobStatus], error) {
	q := s.config.Jobs.Queue
	if _, err := s.own(ctx, in.ID); err != nil {
		return nil, s.queueProblem(err)
	}
	changed, stop := q.Follow(in.ID)
	defer stop()
	before, err := q.Get(ctx, in.ID)
	if err == nil {
		_, err = q.Cancel(ctx, in.ID)
	}
	if err != nil {
		return nil, s.queueProblem(err)
	}
	if !before.State.Final() {
		s.record(ctx, audit.Event{Event: audit.JobCancelled, Job: in.ID, State: string(before.State)})
	}
	enough := time.NewTimer(cancelWithin)
	defer enough.Stop()
	for {
		r, err := q.Get(ctx, in.ID)
		if err != nil {
			return nil, s.queueProblem(err)
		}
		if r.State.Final() {
			return s.ended(ctx, &r)
		}
		select {
		case <-changed:
		case <-enough.C:
			return s.ended(ctx, &r)
		case <-ctx.Done():
			return nil, s.queueProblem(ctx.Err())
		}
	}
}
