package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cordon/queue"
	"cordon/webhook"
)

// Hooks tell of jobs that have ended.
type Hooks struct {
	Hosts  *webhook.Hosts
	Sender *webhook.Sender
	For    time.Duration                   // how long attempts are made, from the job's end on
	Delay  func(attempt int) time.Duration // behind an attempt that has failed; nil: webhook.Delay
}

const (
	// noticeBytes is what a result may have to go along: messages that are being sent are
	// in memory, and receivers want small ones.
	noticeBytes = 256 << 10

	hooksGrace = 2 * time.Second
)

// hookPlaces: a quarter is always left to other tenants.
var hookPlaces = queue.Places{All: 128, PerHost: 4, PerTenant: 96}

// WebhookRequest says who is to be told of a job's end.
type WebhookRequest struct {
	URL           string `json:"url" doc:"Where a POST is sent to when the job has ended, signed as Standard Webhooks has it; https, at a host that the operator allows" maxLength:"1024"`
	IncludeResult bool   `json:"include_result,omitempty" doc:"The result goes along, where it has no more than 256 KiB"`
}

// WebhookStatus is how far the telling has come.
type WebhookStatus struct {
	URL       string     `json:"url"`
	State     string     `json:"state" enum:"waiting,pending,delivered,failed" doc:"waiting: the job has not ended; pending: it is tried until it is delivered, or failed: given up"`
	Attempts  int        `json:"attempts" doc:"That were begun"`
	Status    int        `json:"last_status,omitempty" doc:"What the receiver has answered last"`
	Error     string     `json:"last_error,omitempty" doc:"Why the last attempt failed: host_not_allowed, address_not_allowed, name_unknown, cannot_connect, tls, timeout, bad_answer, status, gone, interrupted, tenant_removed, unavailable, or forgotten"`
	Next      *time.Time `json:"next_attempt_at,omitempty" doc:"When the next one is made, or this one is over at the latest"`
	EndedTime *time.Time `json:"ended_at,omitempty" doc:"When it was delivered, or given up"`
}

// Notice is the body of a webhook.
type Notice struct {
	Type      string    `json:"type" doc:"job. and the state: job.done, job.failed, job.cancelled, job.expired, job.interrupted" pattern:"^job\\.[a-z]+$"`
	Timestamp time.Time `json:"timestamp" doc:"When the job ended"`
	Data      JobStatus `json:"data" doc:"The job as GET /v1/jobs/{id} has it; with its result or problem only where include_result was set"`
	LeftOut   bool      `json:"result_left_out,omitempty" doc:"The result is too large to go along; GET /v1/jobs/{id} has it"`
}

func newWebhookStatus(r *queue.Record) *WebhookStatus {
	if r.Hook == nil {
		return nil
	}
	out := &WebhookStatus{URL: r.Hook.URL, State: "waiting"}
	if r.State.Final() {
		out.State = string(queue.Pending)
	}
	if d := r.Delivery; d != nil {
		out.State, out.Attempts, out.Status, out.Error = string(d.State), d.Attempts, d.Status, d.Reason
		if !d.Ended.IsZero() {
			out.EndedTime = &d.Ended
		} else if !d.Next.IsZero() {
			out.Next = &d.Next
		}
	}
	return out
}

// hook checks who is to be told; nil is nobody.
func (s *Server) hook(r *WebhookRequest) (*queue.Hook, *Problem) {
	if r == nil {
		return nil, nil
	}
	hooks := s.config.Jobs.Hooks
	if hooks == nil || hooks.Hosts.Len() == 0 {
		return nil, problem(CodeWebhookRefused, "webhook", "this service sends no webhooks: no host is listed in --webhook-hosts; follow the job at "+eventsPath+" instead")
	}
	target, err := hooks.Hosts.Check(r.URL)
	switch {
	case errors.Is(err, webhook.ErrHost):
		return nil, problem(CodeWebhookRefused, "webhook.url", err.Error()+"; the service sends webhooks only to hosts that are listed in --webhook-hosts")
	case err != nil:
		return nil, problem(CodeInvalidField, "webhook.url", err.Error())
	}
	return &queue.Hook{URL: target.URL, Host: target.Host, Result: r.IncludeResult}, nil
}

// hostOf is whom a hook tells; the rest of its URL may be a secret.
func hostOf(h *queue.Hook) string {
	if h == nil {
		return ""
	}
	return h.Host
}

// couriers deliver what is to be told.
func (s *Server) couriers() *queue.Couriers {
	return &queue.Couriers{Queue: s.config.Jobs.Queue, Send: s.tell, Lease: webhook.Within + 5*time.Second, Places: hookPlaces, Grace: hooksGrace, Logger: s.config.Logger}
}

// tell makes an attempt.
func (s *Server) tell(ctx context.Context, t *queue.Telling) queue.Attempt {
	if !s.known(t.Tenant) {
		return s.judged(t, webhook.Outcome{Reason: webhook.ReasonTenant})
	}
	body, err := s.notice(ctx, &t.Record)
	if err != nil {
		s.config.Logger.Warn("what a webhook is to tell cannot be read", "id", t.ID, "error", err)
		return s.judged(t, webhook.Outcome{Reason: "unavailable"})
	}
	return s.judged(t, s.config.Jobs.Hooks.Sender.Send(ctx, webhook.Message{ID: t.ID, Tenant: t.Tenant, URL: t.Hook.URL, Body: body}))
}

// known: there is a tenant of this name. One that this service has never had may be known to
// another, or come with a file that is on its way: its webhooks are tried again.
func (s *Server) known(tenant string) bool {
	return tenant == "" || s.config.Tenancy == nil || s.config.Tenancy.Keys.Has(tenant)
}

// judged says what follows from the outcome of an attempt.
func (s *Server) judged(t *queue.Telling, o webhook.Outcome) queue.Attempt {
	hooks := s.config.Jobs.Hooks
	outcome := string(o.Reason)
	if o.Reason == webhook.ReasonNone {
		outcome = "delivered"
	}
	s.metrics.tellings.WithLabelValues(outcome).Inc()
	delay := hooks.Delay
	if delay == nil {
		delay = webhook.Delay
	}
	out := queue.Attempt{State: queue.Pending, Status: o.Status, Reason: string(o.Reason), Next: time.Now().Add(max(delay(t.Delivery.Attempts), o.After))}
	switch {
	case o.Reason == webhook.ReasonNone:
		out.State = queue.Delivered
	case o.Reason == webhook.ReasonStopped:
		out.Next = time.Now()
	case o.Reason == webhook.ReasonGone, o.Reason == webhook.ReasonTenant && s.config.Tenancy.Keys.Removed(t.Tenant), out.Next.After(t.Finished.Add(hooks.For)):
		out.State = queue.Undelivered
	}
	s.config.Logger.Info("webhook", "id", t.ID, "host", t.Hook.Host, "attempt", t.Delivery.Attempts, "state", out.State, "status", o.Status, "reason", outcome)
	return out
}

// notice is what is told of a job.
func (s *Server) notice(ctx context.Context, r *queue.Record) ([]byte, error) {
	n := Notice{Type: "job." + string(r.State), Timestamp: r.Finished, Data: newJobStatus(r)}
	n.Data.Webhook = nil // who reads it has it
	switch {
	case !r.Hook.Result || r.ResultBytes == 0:
	case r.ResultBytes > noticeBytes:
		n.LeftOut = true
	default:
		result, err := s.config.Jobs.Queue.Result(ctx, r)
		if err != nil {
			return nil, err
		}
		n.Data.withResult(result)
	}
	return json.Marshal(n)
}

// describeWebhook puts what receivers get into openapi.yaml.
func (s *Server) describeWebhook(registry huma.Registry) {
	header := func(name, doc string) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	s.api.OpenAPI().Webhooks = map[string]*huma.PathItem{"jobEnded": {Post: &huma.Operation{
		OperationID: "jobEnded", Method: http.MethodPost, Summary: "A job has ended",
		Description: "Sent to the webhook of the job, at least once. Signed as Standard Webhooks 1.0.0 has it; see docs/webhooks.md.",
		Security:    []map[string][]string{},
		Parameters: []*huma.Param{header("webhook-id", "The job's id: the same at every attempt"), header("webhook-timestamp", "Seconds since 1970: when the attempt was made"),
			header("webhook-signature", "v1, and base64 of the HMAC-SHA256 of id.timestamp.body; two of them, with a space between, while the secret is changed")},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(typeOf[Notice](), true, "")}}},
		Responses: map[string]*huma.Response{"2XX": {Description: "Delivered"}, "410": {Description: "Not wanted: there are no further attempts"},
			"default": {Description: "Tried again later; Retry-After of 429 and 503 counts"}},
	}}}
}
