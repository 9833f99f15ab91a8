package httpapi

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cordon/queue"
)

// JobRequest is the body of POST /v1/jobs: that of POST /v1/run, and how it is to wait.
type JobRequest struct {
	RunRequest
	Priority  string `json:"priority,omitempty" enum:"high,normal,low" doc:"Which of the jobs that wait is begun first; normal when absent"`
	RetrySafe bool   `json:"retry_safe,omitempty" doc:"The job may be run again where the service ended while it ran; else it is interrupted then"`
	Arch      string `json:"arch,omitempty" enum:"amd64,arm64,riscv64,ppc64le,s390x,loong64" doc:"The architecture that the job has to run on, as for binaries among its files; any when absent"`
	// Interactive is not of POST /v1/run: there is nothing to attach to.
	Interactive *InteractiveRequest `json:"interactive,omitempty" doc:"The input is written while the program runs, by a client that is attached: GET /v1/jobs/{id}/attach"`
	QueueTTL    *int64              `json:"queue_ttl_ms,omitempty" doc:"How long the job may wait; then it is expired. The service's own limit when absent" minimum:"1"`

	Webhook *WebhookRequest `json:"webhook,omitempty" doc:"Who is told when the job has ended, however that comes"`
}

// JobStatus is what is known of a job.
type JobStatus struct {
	ID              string             `json:"id" doc:"UUID, version 7"`
	Tenant          string             `json:"tenant,omitempty" doc:"Whose job it is; absent: the operator's"`
	State           string             `json:"state" enum:"queued,running,done,failed,cancelled,expired,interrupted" doc:"done: it has a result; failed: it could not be run, and problem says why; interrupted: the service ended while it ran. The last five are final"`
	Priority        string             `json:"priority" enum:"high,normal,low"`
	RetrySafe       bool               `json:"retry_safe"`
	Attempts        int                `json:"attempts" doc:"How often it was begun"`
	WaitingFor      string             `json:"waiting_for,omitempty" doc:"What is missing: no service that is there can run the job, and it waits for one that can, until it expires. Absent where it only waits for its turn"`
	CancelRequested bool               `json:"cancel_requested" doc:"It runs, and is about to be ended"`
	Created         time.Time          `json:"created_at"`
	Expires         *time.Time         `json:"expires_at,omitempty" doc:"When it is expired if it still waits"`
	Started         *time.Time         `json:"started_at,omitempty" doc:"The last attempt"`
	Finished        *time.Time         `json:"finished_at,omitempty"`
	Result          *stored[RunResult] `json:"result,omitempty" doc:"As POST /v1/run would have answered; of a job that was cancelled or interrupted as far as it came"`
	Problem         *stored[Problem]   `json:"problem,omitempty" doc:"Why the job could not be run"`
	Webhook         *WebhookStatus     `json:"webhook,omitempty" doc:"How far the telling of its end has come, where that was asked for"`
}

// JobList is a page of jobs, without their results.
type JobList struct {
	Jobs []JobStatus `json:"jobs" doc:"In the order in which they came"`
	Next string      `json:"next,omitempty" doc:"There are more: give this as after"`
}

// stored is JSON of a type, as it was written down.
type stored[T any] json.RawMessage

// MarshalJSON gives it as it is.
func (s stored[T]) MarshalJSON() ([]byte, error) { return s, nil }

// UnmarshalJSON takes it as it is.
func (s *stored[T]) UnmarshalJSON(b []byte) error { *s = append((*s)[:0], b...); return nil }

// Schema is that of the type.
func (stored[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(typeOf[T](), true, "") }

func newJobStatus(r *queue.Record) JobStatus {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	out := JobStatus{ID: r.ID, Tenant: r.Tenant, State: string(r.State), Priority: string(r.Priority), RetrySafe: r.RetrySafe, Attempts: r.Attempts,
		CancelRequested: r.Cancel && r.State == queue.Running, Created: r.Created, Started: at(r.Started), Finished: at(r.Finished)}
	if r.State == queue.Queued {
		out.Expires = at(r.Expires)
	}
	out.Webhook = newWebhookStatus(r)
	return out
}

// jobStatus also tells what a job waits for that nobody can run.
func (s *Server) jobStatus(r *queue.Record) JobStatus {
	out := newJobStatus(r)
	out.WaitingFor = s.config.Jobs.Queue.WaitingFor(r)
	return out
}

// withResult adds what the job has left.
func (j *JobStatus) withResult(text []byte) {
	switch {
	case text == nil:
	case j.State == string(queue.Failed):
		p := stored[Problem](text)
		j.Problem = &p
	default:
		r := stored[RunResult](text)
		j.Result = &r
	}
}
