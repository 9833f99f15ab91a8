package httpapi

import (
	"fmt"
	"net/http"
)

// admission bounds the jobs inside the service, running or waiting: beyond that
// an answer comes at once, before the body is read.
type admission struct{ places chan struct{} }

func newAdmission(places int) *admission { return &admission{make(chan struct{}, places)} }

func (a *admission) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.places <- struct{}{}:
		default:
			problem(CodeQueueFull, "", fmt.Sprintf("%d jobs run or wait already; try again later", cap(a.places))).write(w)
			return
		}
		defer func() { <-a.places }()
		next.ServeHTTP(w, r)
	})
}

func (a *admission) inside() int { return len(a.places) }
