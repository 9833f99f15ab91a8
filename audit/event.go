package audit

import (
	"context"
	"encoding/json"
	"time"
)

// Kind says what has happened.
type Kind string

// The kinds. docs/audit.md has an example of each.
const (
	ServiceStarted   Kind = "service.started"
	ServiceStopped   Kind = "service.stopped"
	AuthFailed       Kind = "auth.failed"
	SessionOpened    Kind = "session.opened"
	SessionClosed    Kind = "session.closed"
	JobSubmitted     Kind = "job.submitted"
	JobRefused       Kind = "job.refused"
	JobStarted       Kind = "job.started"
	JobEnded         Kind = "job.ended"
	JobCancelled     Kind = "job.cancelled"
	JobAttached      Kind = "job.attached"
	FilePut          Kind = "file.put"
	FileDeleted      Kind = "file.deleted"
	WebhookDelivered Kind = "webhook.delivered"
	WebhookFailed    Kind = "webhook.failed"
	LogReopened      Kind = "log.reopened"
	LogRecovered     Kind = "log.recovered"
)

// Kinds are all of them.
var Kinds = []Kind{ServiceStarted, ServiceStopped, AuthFailed, SessionOpened, SessionClosed, JobSubmitted, JobRefused, JobStarted, JobEnded, JobCancelled, JobAttached, FilePut, FileDeleted,
	WebhookDelivered, WebhookFailed, LogReopened, LogRecovered}

// Actor is who asked.
type Actor struct {
	Tenant  string `json:"tenant,omitempty"`
	Key     string `json:"key,omitempty"`     // id of the key that was shown, never the key
	Remote  string `json:"remote,omitempty"`  // address of the connection; unix: a unix socket
	Request string `json:"request,omitempty"` // as X-Request-Id of the answer
}

// Event is a line. Which fields it has depends on its kind.
type Event struct {
	Time  time.Time `json:"time"`
	Start string    `json:"start"` // which start of the service
	Seq   uint64    `json:"seq"`   // of the lines of this start, from 1
	Event Kind      `json:"event"`
	Actor

	Version  string   `json:"version,omitempty"`
	Settings []string `json:"settings,omitempty"` // names of those that are not as they are by default

	Until time.Time `json:"until,omitzero"` // when a session ends by itself

	Job      string `json:"job,omitempty"`
	Policy   string `json:"policy,omitempty"`
	Language string `json:"language,omitempty"`
	Queued   bool   `json:"queued,omitempty"`
	Priority string `json:"priority,omitempty"`
	Files    int    `json:"files,omitempty"` // of the store, that are named
	Source   *Text  `json:"source,omitempty"`

	Watch bool `json:"watch,omitempty"` // only to read

	Attempt int    `json:"attempt,omitempty"`
	State   string `json:"state,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	CPU     int64  `json:"cpu_ns,omitempty"`
	Wall    int64  `json:"wall_ns,omitempty"`
	Memory  int64  `json:"memory_peak_bytes,omitempty"`

	Route  string `json:"route,omitempty"`
	Code   string `json:"code,omitempty"`   // of a problem
	Status int    `json:"status,omitempty"` // of HTTP: ours, or that of a webhook's receiver
	Reason string `json:"reason,omitempty"`
	Count  int64  `json:"count,omitempty"` // that the line stands for

	SHA256  string `json:"sha256,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Created bool   `json:"created,omitempty"` // it was not there before

	Host     string `json:"host,omitempty"`
	Attempts int    `json:"attempts,omitempty"`

	Since *time.Time `json:"since,omitempty"`
}

// Text is a program's text.
type Text struct {
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
	Text   string `json:"text,omitempty"` // only where --audit-source asks for it
	Cut    bool   `json:"cut,omitempty"`  // text is only its beginning
}

// line is the event as it is written.
func (e *Event) line() []byte {
	text, err := json.Marshal(e) // without line breaks: those in texts are escaped
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return append(text, '\n')
}

type actorKey struct{}

// WithActor has a context's events be those of an actor, of whom more may become known.
func WithActor(ctx context.Context, a *Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf is the context's; nobody's where it has none. Whoever finds out whose key was
// shown fills in Tenant and Key, before anybody else looks.
func ActorOf(ctx context.Context) *Actor {
	if a, ok := ctx.Value(actorKey{}).(*Actor); ok {
		return a
	}
	return &Actor{}
}
