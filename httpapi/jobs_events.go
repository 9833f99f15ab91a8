package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
	"unicode/utf8"

	"cordon/queue"
	"cordon/sandbox"
)

const (
	eventsPath = "/v1/jobs/{id}/events"
	// eventBytes is what one event has of an output, at most.
	eventBytes = 16 << 10
	// beat keeps proxies from closing a connection on which nothing happens.
	beat = 15 * time.Second
)

var streamNames = [2]string{"stdout", "stderr"}

// cursor is how far a reader has come. It is the id of every event: a reader that comes
// again with it goes on there, whether the job still runs or has ended.
type cursor struct {
	attempt int
	state   queue.State // that was told; closing once all was
	offset  [2]int      // in stdout and stderr, of the attempt
}

const (
	// untold stands in a cursor before any state was told.
	untold queue.State = "new"
	// closing stands there behind the last event.
	closing queue.State = "end"
)

// String is the cursor as an id.
func (c cursor) String() string {
	return fmt.Sprintf("%d-%s-%d-%d", c.attempt, c.state, c.offset[0], c.offset[1])
}

// parseCursor reads an id of ours; "" is the beginning.
func parseCursor(id string) (c cursor, p *Problem) {
	if id == "" {
		return cursor{state: untold}, nil
	}
	text := bytes.ReplaceAll([]byte(id), []byte("-"), []byte(" "))
	var state string
	n, err := fmt.Sscanf(string(text), "%d %s %d %d", &c.attempt, &state, &c.offset[0], &c.offset[1])
	c.state = queue.State(state)
	if err != nil || n != 4 || c.String() != id || c.attempt < 0 || c.offset[0] < 0 || c.offset[1] < 0 {
		return c, problem(CodeInvalidField, "Last-Event-ID", fmt.Sprintf("%q given, the id of an event of this job is wanted", clip(id)))
	}
	return c, nil
}

// events is GET /v1/jobs/{id}/events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	at, p := parseCursor(r.Header.Get("Last-Event-ID"))
	if p != nil {
		turnAway(w, r, p)
		return
	}
	every, p := usageEvery(r.URL.Query())
	if p != nil {
		turnAway(w, r, p)
		return
	}
	if s.draining.Load() {
		turnAway(w, r, refusal(sandbox.ErrShuttingDown))
		return
	}
	leave, p := s.among(r.Context(), s.readers, "readers follow jobs")
	if p != nil {
		turnAway(w, r, p)
		return
	}
	defer leave()
	id := r.PathValue("id")
	if _, err := s.own(r.Context(), id); err != nil {
		turnAway(w, r, s.queueProblem(err))
		return
	}
	if at.state == closing { // a browser comes again after every end, until it is told this
		w.WriteHeader(http.StatusNoContent)
		return
	}
	reader := &eventReader{server: s, id: id, at: at, every: every, keyEnds: s.keyEnds(r.Context()), to: w, connection: http.NewResponseController(w)}
	_ = reader.connection.SetReadDeadline(time.Time{}) // of the request: it is read
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = reader.connection.Flush() // there may be nothing to tell for long; one that is gone is noticed below
	if err := reader.serve(r.Context()); err != nil {
		s.droppedReader(id, r, err)
	}
}

// droppedReader tells why somebody does not follow a job any more. It cannot be told to
// a connection that takes nothing.
func (s *Server) droppedReader(id string, r *http.Request, err error) {
	var late net.Error
	reason := "gone"
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		reason = "slow"
	}
	s.metrics.droppedReaders.WithLabelValues(reason).Inc()
	s.config.Logger.Info("a reader of events was dropped", "job", id, "reason", reason, "from", r.RemoteAddr, "error", err)
}

// eventReader is somebody who follows a job.
type eventReader struct {
	server     *Server
	id         string
	at         cursor
	samples    int           // of usage that were told
	every      time.Duration // between two of them
	marks      int           // of the life that were told in whole
	life       *life         // that is followed; nil: the job does not run
	mirror     *mirror
	keyEnds    <-chan struct{} // closed when it may not read any more
	to         http.ResponseWriter
	connection *http.ResponseController
}

// serve tells until the job has ended, the service ends, or the reader is gone.
func (e *eventReader) serve(ctx context.Context) error {
	changed, stop := e.server.config.Jobs.Queue.Follow(e.id)
	defer stop()
	defer func() { e.server.mirrors.leave(e.mirror) }()
	heart := time.NewTicker(beat)
	defer heart.Stop()
	look := time.NewTicker(e.every)
	defer look.Stop()
	for {
		news, over, err := e.tell(ctx)
		if errors.Is(err, errKeyEnded) {
			return e.event("closing", object{"reason": string(CodeUnauthorized)})
		}
		if err != nil || over {
			return err
		}
		select {
		case <-changed:
		case <-news:
		case <-look.C:
			if e.life != nil {
				e.life.sample(e.every)
			}
		case <-heart.C:
			err = e.write([]byte(":\n\n"))
		case <-e.server.ending:
			return e.event("closing", object{"reason": string(CodeShuttingDown)})
		case <-e.keyEnds:
			return e.event("closing", object{"reason": string(CodeUnauthorized)})
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// errKeyEnded: the key is not good any more, before all was told.
var errKeyEnded = errors.New("the key is not good any more")

// object is JSON of an event.
type object map[string]any

// tell sends all there is. news is closed when there is more of a job that runs here.
func (e *eventReader) tell(ctx context.Context) (news <-chan struct{}, over bool, err error) {
	q := e.server.config.Jobs.Queue
	r, err := q.Get(ctx, e.id)
	if errors.Is(err, queue.ErrNotFound) {
		return nil, true, e.event("closing", object{"reason": string(CodeUnknownJob)})
	}
	if err != nil {
		return nil, true, err
	}
	if r.Attempts != e.at.attempt {
		e.at, e.marks = cursor{attempt: r.Attempts, state: untold}, 0
	}
	e.life = nil
	if r.State != e.at.state && !r.State.Final() {
		e.at.state = r.State
		if err := e.event("state", e.server.jobStatus(&r)); err != nil {
			return nil, true, err
		}
	}
	if r.State.Final() {
		return nil, true, e.last(ctx, &r)
	}
	l, began := e.server.live.get(e.id, r.Attempts)
	if l != nil {
		return e.live(l)
	}
	if r.State == queue.Running && !q.Here(&r) {
		e.mirror = e.server.mirrored(&r, e.mirror)
		e.mirror.life.want(e.every)
		return e.live(e.mirror.life)
	}
	if r.State == queue.Running { // its state is known before its life begins
		return began, false, nil
	}
	return nil, false, nil
}

// live tells of a job that runs here, or is mirrored.
func (e *eventReader) live(l *life) (<-chan struct{}, bool, error) {
	if e.life = l; e.samples == 0 {
		l.sample(e.every)
	}
	now := l.look()
	if err := e.printed(now.out, now.order, false); err != nil {
		return nil, true, err
	}
	if now.samples != e.samples {
		e.samples = now.samples
		if err := e.event("usage", now.usage); err != nil {
			return nil, true, err
		}
	}
	return now.news, false, nil
}

// last tells how a job has ended: what was not told of its output, and its result.
func (e *eventReader) last(ctx context.Context, r *queue.Record) error {
	text, err := e.server.config.Jobs.Queue.Result(ctx, r)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	if r.State != queue.Failed && text != nil {
		streams, order, err := printed(text)
		if err != nil {
			return err
		}
		e.marks = 0
		if err := e.printed(streams, order, true); err != nil {
			return err
		}
	}
	status := newJobStatus(r)
	if e.at.state != r.State {
		e.at.state = r.State
		if err := e.event("state", status); err != nil {
			return err
		}
	}
	e.at.state = closing
	status.withResult(text)
	return e.event("result", status)
}

// torn is how many bytes at the end are the beginning of a letter.
func torn(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if !utf8.FullRune(last) {
				return n
			}
			return 0
		}
	}
	return 0
}

func (e *eventReader) event(name string, data any) error {
	text, err := json.Marshal(data) // without line breaks
	if err != nil {
		return err
	}
	return e.write(fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", e.at, name, text))
}

// write gives up on a reader that takes nothing for long.
func (e *eventReader) write(b []byte) error {
	if err := e.connection.SetWriteDeadline(time.Now().Add(e.server.patience.reader)); err != nil {
		return err
	}
	if _, err := e.to.Write(b); err != nil {
		return err
	}
	return e.connection.Flush()
}
