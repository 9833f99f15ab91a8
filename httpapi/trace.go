package httpapi

import (
	"net/http"

	"cordon/sandbox"
)

// traced notes when a request came to each point of its way, where somebody wants
// to know.
func (s *Server) traced(next http.Handler) http.Handler {
	if s.config.Traced == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var t sandbox.Trace
		t.Mark("request")
		next.ServeHTTP(w, r.WithContext(sandbox.WithTrace(r.Context(), &t)))
		t.Mark("answered")
		s.config.Traced(&t)
	})
}
