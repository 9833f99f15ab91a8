package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"
)

// EventType is what an event tells.
type EventType string

// The types of events.
const (
	EventState  EventType = "state"  // Job is the job, without a result
	EventStdout EventType = "stdout" // Output is a part of what was printed
	EventStderr EventType = "stderr" // likewise
	EventUsage  EventType = "usage"  // Usage is what was used so far
	EventResult EventType = "result" // Job is the job with its result or problem. The last event
)

// Event is what a job tells of itself.
type Event struct {
	ID     string // goes on behind this event: see EventsAfter
	Type   EventType
	Job    *JobStatus
	Output *Output
	Usage  *UsageSample
}

// Output is a part of a stream. A job that is begun again (RetrySafe) prints anew, from
// the offset 0.
type Output struct {
	Offset int64
	Data   []byte
	At     time.Duration // since the program was started; 0 where that is not known
}

// Events follows a job until its result, which is the last event. Where the connection
// breaks or the service is started anew it goes on behind the last event that came; so none
// is missing, and none comes twice. It gives up when it gets nowhere as often in a row as
// [WithRetries] says. An error is the last that is given.
func (c *Client) Events(ctx context.Context, id string) iter.Seq2[*Event, error] {
	return c.EventsAfter(ctx, id, "")
}

// EventsAfter is Events behind an event that came before. Behind the last one there is none.
func (c *Client) EventsAfter(ctx context.Context, id, after string) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		f := &following{client: c, id: id, after: after, yield: yield}
		for failures := 0; ; failures++ {
			came := f.events
			err := f.once(ctx)
			if f.over {
				return
			}
			if f.events != came {
				failures = 0
			}
			wait, again := c.comesBack(err, failures)
			if again && ctx.Err() == nil {
				if err = sleep(ctx, wait); err == nil {
					continue
				}
			}
			yield(nil, fmt.Errorf("events of job %s: %w", id, err))
			return
		}
	}
}

// comesBack: a stream that broke is taken up again, and one that the service refuses when
// it says that this will pass.
func (c *Client) comesBack(err error, failures int) (wait time.Duration, again bool) {
	wait = c.pause(failures)
	var p *Problem
	if errors.As(err, &p) {
		wait = max(wait, p.RetryAfter)
		passes := p.Status == http.StatusTooManyRequests || p.Status == http.StatusBadGateway || p.Status == http.StatusServiceUnavailable || p.Status == http.StatusGatewayTimeout
		return wait, passes && failures < c.retries && wait <= c.most
	}
	return wait, !errors.Is(err, errBadEvent) && failures < c.retries
}

// following is somebody who follows a job.
type following struct {
	client    *Client
	id, after string
	yield     func(*Event, error) bool
	events    int  // that came
	over      bool // nobody wants more, or there is none
}

var (
	errSilent   = errors.New("nothing has come for too long")
	errBadEvent = errors.New("an event is not what the service tells")
	errClosed   = errors.New("the service has closed the stream")
)

// once follows the job over one connection.
func (f *following) once(ctx context.Context) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.after != "" {
		header.Set("Last-Event-Id", f.after)
	}
	r, err := f.client.send(ctx, call{method: http.MethodGet, path: jobPath(f.id) + "/events", header: header, once: true, // see comesBack
		want: []int{http.StatusOK, http.StatusNoContent}})
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusNoContent {
		f.over = true
		return nil
	}
	// A connection whose other end is gone without a word would be waited for for ever.
	quiet := time.AfterFunc(f.client.silence, func() { cut(errSilent) })
	defer quiet.Stop()
	from := &frames{bufio.NewReaderSize(r.Body, 64<<10), func() { quiet.Reset(f.client.silence) }}
	for !f.over {
		one, err := from.next()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return err
		}
		quiet.Stop() // what is done with it may take its time
		if err := f.take(&one); err != nil {
			return err
		}
		quiet.Reset(f.client.silence)
	}
	return nil
}

// take hands an event on.
func (f *following) take(one *frame) error {
	e := &Event{ID: one.id, Type: EventType(one.event)}
	var to any
	switch e.Type {
	case EventState, EventResult:
		e.Job = &JobStatus{}
		to = e.Job
	case EventUsage:
		e.Usage = &UsageSample{}
		to = e.Usage
	case EventStdout, EventStderr:
		to = &e.Output
	case "closing":
		return f.closing(one)
	default: // of a newer service
		f.after = one.id
		return nil
	}
	if err := json.Unmarshal(one.data, to); err != nil {
		return fmt.Errorf("%w: %s: %w", errBadEvent, one.event, err)
	}
	f.after = one.id
	f.events++
	f.over = !f.yield(e, nil) || e.Type == EventResult
	return nil
}

// closing: there is no more here.
func (f *following) closing(one *frame) error {
	var why struct{ Reason string }
	if err := json.Unmarshal(one.data, &why); err != nil {
		return fmt.Errorf("%w: closing: %w", errBadEvent, err)
	}
	if code := Code(why.Reason); code == ErrUnknownJob {
		return &Problem{Type: "about:blank", Title: "Not Found", Status: http.StatusNotFound, Code: string(code), Job: f.id,
			Detail: "the job's record is not kept any more"}
	}
	return fmt.Errorf("%w: %s", errClosed, why.Reason)
}

// UnmarshalJSON reads text or bytes.
func (o *Output) UnmarshalJSON(text []byte) error {
	var chunk struct {
		Offset int64
		At     int64 `json:"at_ns"`
		Text   string
		Base64 string
	}
	if err := json.Unmarshal(text, &chunk); err != nil {
		return err
	}
	o.Offset, o.At, o.Data = chunk.Offset, time.Duration(chunk.At), []byte(chunk.Text)
	if chunk.Base64 == "" {
		return nil
	}
	var err error
	o.Data, err = base64.StdEncoding.DecodeString(chunk.Base64)
	return err
}

// Wait follows a job until it has ended, and gives it with its result.
func (c *Client) Wait(ctx context.Context, id string) (*JobStatus, error) {
	for e, err := range c.Events(ctx, id) {
		if err != nil {
			return nil, err
		}
		if e.Type == EventResult {
			return e.Job, nil
		}
	}
	return c.Job(ctx, id)
}

// Chunk is a part of what a job prints.
type Chunk struct {
	Stream  EventType // EventStdout or EventStderr
	Attempt int64     // of the job; a further one prints anew
	Output
}

// LogsFrom says from which byte of each stream on.
type LogsFrom struct{ Stdout, Stderr int64 }

// Logs is what a job has printed and prints, from offsets on, until it has ended. An error
// is the last that is given.
func (c *Client) Logs(ctx context.Context, id string, from LogsFrom) iter.Seq2[*Chunk, error] {
	return func(yield func(*Chunk, error) bool) {
		attempt := int64(0)
		for e, err := range c.Events(ctx, id) {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.Job != nil {
				attempt = e.Job.Attempts
			}
			if e.Output == nil {
				continue
			}
			begin := from.Stdout
			if e.Type == EventStderr {
				begin = from.Stderr
			}
			chunk := &Chunk{e.Type, attempt, *e.Output}
			if chunk.cut(begin) && !yield(chunk, nil) {
				return
			}
		}
	}
}

// cut drops what lies before an offset, and says whether there is anything left.
func (c *Chunk) cut(begin int64) bool {
	if before := begin - c.Offset; before > 0 {
		c.Data = c.Data[min(before, int64(len(c.Data))):]
		c.Offset = begin
	}
	return len(c.Data) > 0
}
