package httpapi

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"cordon/tenants"
)

// open are the routes that need no token: what a load balancer asks, the description of the
// API, and where a page gets a token for what the operator's link had.
var open = map[string]bool{"/healthz": true, "/readyz": true, "/openapi.yaml": true, loginPath: true}

// authenticate wants the bearer token, or a key, on every other route, also on those
// that do not exist.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open[r.URL.EscapedPath()] {
			if !s.authenticated(r) {
				turnAway(w, r, s.strange(r))
				return
			}
			trust(r.Context())
			leave, p := s.enterService(r.Context())
			if p != nil {
				turnAway(w, r, s.turned(r.Context(), p))
				return
			}
			defer leave()
			tenant, key := KeyOf(r.Context())
			identified(r.Context(), tenant, cmp.Or(key, operatorKey))
		}
		next.ServeHTTP(w, r)
	})
}

// strange is the answer to a request without the token, the same whatever stood
// in its place.
func (s *Server) strange(r *http.Request) *Problem {
	s.strangeVisit(r.Context())
	if wait := s.attempts.failed(peerOf(r.RemoteAddr)); wait > 0 {
		p := problem(CodeTooManyAttempts, "", "too many requests without the right token came from this address; cordon token prints it")
		p.wait = wait
		return p
	}
	return problem(CodeUnauthorized, "", "the header \"Authorization: Bearer …\" is missing or wrong; cordon token prints the operator's token, and cordon key add makes one for a tenant")
}

// maxHeaders is far more than clients and proxies send.
const maxHeaders = 100

// few wants no more headers than that: the limit of their bytes alone would let
// thousands through.
func few(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count := 0
		for _, values := range r.Header {
			count += len(values)
		}
		if count > maxHeaders {
			turnAway(w, r, problem(CodeTooManyHeaders, "", fmt.Sprintf("%d headers were sent, %d are taken", count, maxHeaders)))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	// problem is the beginning of an answer of 4xx or 5xx.
	problem []byte
}

// problemKept is more than a problem has before its code is told.
const problemKept = 16 << 10

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 {
		return // answered already, as by a body that could not be read to its end
	}
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.status >= http.StatusBadRequest && len(r.problem) < problemKept {
		r.problem = append(r.problem, b[:min(len(b), problemKept-len(r.problem))]...)
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
		ctx, who := withCaller(r.Context())
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w}
		v, r := visited(w, r)
		if len(r.TransferEncoding) > 0 { // the end of a chunked body is not followed: see headScanner
			w.Header().Set("Connection", "close")
		}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.config.Logger.Error("panic in a handler", "path", s.logged(r.URL.Path), "panic", p, "stack", string(debug.Stack()))
				if rec.status == 0 {
					problem(CodeInternal, "", "an internal error; the log has it").write(rec)
				}
			}
			s.recordRefusal(r, v, rec)
			route := r.Pattern
			if route == "" {
				route = "other"
			}
			s.metrics.requests.WithLabelValues(route, statusClass(rec.status)).Inc()
			level := slog.LevelInfo
			if open[r.URL.Path] && r.URL.Path != loginPath || r.URL.Path == "/metrics" {
				level = slog.LevelDebug // asked every few seconds by machines
			}
			log := s.config.Logger
			if who.Tenant != "" {
				log = log.With("tenant", who.Tenant, "key", who.Key)
			}
			log.Log(r.Context(), level, "request", "method", clip(r.Method), "path", s.logged(r.URL.Path), "status", rec.status,
				"bytes", rec.bytes, "took", time.Since(started).Round(time.Microsecond), "from", r.RemoteAddr, "request", v.Request)
		}()
		next.ServeHTTP(rec, r)
	})
}

// logged is a path as the log has it: not without end, and without the token and keys,
// which some put into a URL by mistake.
func (s *Server) logged(path string) string {
	return clip(concealLogins(tenants.Conceal(s.config.Token.Conceal(path))))
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
