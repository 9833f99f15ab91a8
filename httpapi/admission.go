package httpapi

import (
	"fmt"
	"net/http"

	"cordon/sandbox"
)

// admission bounds the jobs inside the service, running or waiting: beyond that
// an answer comes at once, before the body is read.
type admission struct{ places chan struct{} }

func newAdmission(places int) *admission { return &admission{make(chan struct{}, places)} }

// admit lets a request through to next when its job may come in.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() { // a connection made before may still bring a request
			s.refused(refusal(sandbox.ErrShuttingDown)).write(w)
			return
		}
		a := s.admission
		select {
		case a.places <- struct{}{}:
		default:
			s.refused(problem(CodeQueueFull, "", fmt.Sprintf("%d jobs run or wait already; try again later", cap(a.places)))).write(w)
			return
		}
		defer func() { <-a.places }()
		next.ServeHTTP(w, r)
	})
}

func (a *admission) inside() int { return len(a.places) }

// refused counts a job that is not taken.
func (s *Server) refused(p *Problem) *Problem {
	s.metrics.refused.WithLabelValues(string(p.Code)).Inc()
	return p
}
