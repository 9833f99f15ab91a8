package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cordon/sandbox"
)

// admission bounds the jobs inside the service, running or waiting: beyond that
// an answer comes at once, before the body is read.
type admission struct{ places chan struct{} }

func newAdmission(places int) *admission { return &admission{make(chan struct{}, places)} }

// admit lets a request through to next when its job may come in. what says of those
// that are inside what they do.
func (s *Server) admit(a *admission, what string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() { // a connection made before may still bring a request
			turnAway(w, r, s.refusedFor(r.Context(), refusal(sandbox.ErrShuttingDown)))
			return
		}
		exit, p := s.enter(r.Context(), a, what)
		if p != nil {
			turnAway(w, r, s.refusedFor(r.Context(), p))
			return
		}
		defer exit()
		select {
		case a.places <- struct{}{}:
		default:
			turnAway(w, r, s.refusedFor(r.Context(), problem(CodeQueueFull, "", fmt.Sprintf("%d %s already; try again later", cap(a.places), what))))
			return
		}
		leave := sync.OnceFunc(func() { <-a.places; exit() })
		defer leave()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ticketKey{}, &ticket{leave, http.NewResponseController(w)})))
	})
}

// among takes a place among those of a kind, as many of them as a tenant may have. what says
// of those that are inside what they do.
func (s *Server) among(ctx context.Context, a *admission, what string) (leave func(), p *Problem) {
	part, p := s.enter(ctx, a, what)
	if p != nil {
		return nil, s.turned(ctx, p)
	}
	select {
	case a.places <- struct{}{}:
		return func() { <-a.places; part() }, nil
	default:
		part()
		return nil, problem(CodeQueueFull, "", fmt.Sprintf("%d %s already; try again later", cap(a.places), what))
	}
}

// ticket is a job's place in the service.
type ticket struct {
	leave      func()
	connection *http.ResponseController
}

type ticketKey struct{}

// done gives the place back when the job has ended, whatever its client does then.
func (s *Server) done(ctx context.Context) {
	if t, ok := ctx.Value(ticketKey{}).(*ticket); ok {
		t.leave()
		s.answerInTime(t.connection)
	}
}

// answerInTime starts the time of an answer anew.
func (s *Server) answerInTime(connection *http.ResponseController) {
	_ = connection.SetWriteDeadline(time.Now().Add(s.patience.answer)) // a connection that is closed has no need of one
}

func (a *admission) inside() int { return len(a.places) }

// refused counts a job that is not taken.
func (s *Server) refused(p *Problem) *Problem {
	s.metrics.refused.WithLabelValues(string(p.Code)).Inc()
	return p
}
