package httpapi

import (
	"context"
	"fmt"
	"time"

	"cordon/sandbox"
)

// An interactive job waits for its client, and a service that ends would wait with it for all
// of --drain. So when a service begins to end, a job to which nobody is attached who could
// write ends at once, and one to which somebody is goes on as long as that one stays, but no
// longer than every other job. One whose input was closed waits for nobody.

// errUnattended is why such a job is ended.
var errUnattended = fmt.Errorf("%w, and nobody was attached to the interactive job", sandbox.ErrShuttingDown)

const unattendedMessage = "the service ended, and nobody was attached to this interactive job"

// whileAttended ends with the claim's context, or when the service ends and nobody is attached.
func (s *Server) whileAttended(claim context.Context, id string, input *liveInput) (ctx context.Context, stop func()) {
	ctx, end := context.WithCancelCause(claim)
	go func() {
		select {
		case <-s.ending:
		case <-ctx.Done():
			return
		}
		for !input.closed() {
			left := s.writers.leaves(id)
			if left == nil {
				end(errUnattended)
				return
			}
			select {
			case <-left:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { end(nil) }
}

// explained says in the account of a job that was ended so why.
func explained(ctx context.Context, r *sandbox.Result) {
	if r != nil && r.Verdict == sandbox.Interrupted && context.Cause(ctx) == errUnattended { //nolint:errorlint // it is this one
		r.Message = unattendedMessage
	}
}

// leaves is closed when who may write into a job leaves; nil: nobody may.
func (w *writers) leaves(id string) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[id]
}

// stays: the service ends, but this client has a job that runs here, and all of the time that
// jobs have. It is told how much that is.
func (a *attacher) stays() (bool, *closed) {
	if a.watch || !a.given {
		return false, closedShutting
	}
	a.staying.Store(true)
	left := max(0, time.Until(a.server.drained))
	return true, a.say(object{"type": "shutting_down", "left_ms": left.Milliseconds()})
}

// hurry cuts off a client to which a message is still on its way when the service ends, or
// its key is not good any more.
func (a *attacher) hurry(over <-chan struct{}) {
	select {
	case <-a.server.ending:
		if !a.late(over, lastWords) {
			return
		}
		if a.staying.Load() {
			select {
			case <-a.server.over:
			case <-a.keyEnds:
			case <-over:
				return
			}
			if !a.late(over, 2*lastWords) { // its job is being ended, of which it is told
				return
			}
		}
	case <-a.keyEnds:
		if !a.late(over, lastWords) {
			return
		}
	case <-over:
		return
	}
	_ = a.below.Close() // CloseNow does nothing to a connection that is being closed
}

// late waits; false: it is over before.
func (a *attacher) late(over <-chan struct{}, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
		return false
	}
}
