package httpapi

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// open are the routes that need no token: what a load balancer asks, and the
// description of the API.
var open = map[string]bool{"/healthz": true, "/readyz": true, "/openapi.yaml": true}

// authenticate wants the bearer token on every other route, also on those that
// do not exist.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open[r.URL.Path] {
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if !strings.EqualFold(scheme, "Bearer") || !s.config.Token.Is(strings.TrimSpace(given)) {
				problem(CodeUnauthorized, "", "the header \"Authorization: Bearer …\" is missing or wrong; cordon token prints the token").write(w)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe is the outermost layer: it turns a panic of a handler into an answer,
// and writes one line for each request. Headers, bodies and queries stay out of it.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.config.Logger.Error("panic in a handler", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					problem(CodeInternal, "", "an internal error; the log has it").write(rec)
				}
			}
			route := r.Pattern
			if route == "" {
				route = "other"
			}
			s.metrics.requests.WithLabelValues(route, statusClass(rec.status)).Inc()
			level := slog.LevelInfo
			if open[r.URL.Path] || r.URL.Path == "/metrics" {
				level = slog.LevelDebug // asked every few seconds by machines
			}
			s.config.Logger.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
				"bytes", rec.bytes, "took", time.Since(started).Round(time.Microsecond), "from", r.RemoteAddr)
		}()
		next.ServeHTTP(rec, r)
	})
}

func statusClass(status int) string {
	switch {
	case status >= 500:
		return "5xx"
	case status >= 400:
		return "4xx"
	case status >= 300:
		return "3xx"
	}
	return "2xx"
}
