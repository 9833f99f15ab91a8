package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"cordon/sandbox"
)

// receive reads the body before the handler runs, within a time of its own: a
// client that sends slowly must not keep a place for ever. The deadline is lifted
// again, because a job may run for longer; net/http reads on meanwhile to see
// whether the client leaves.
func (s *Server) receive(next http.Handler) http.Handler {
	return s.receiveMost(s.config.MaxBody, next)
}

// receiveMost does so for a route that wants less.
func (s *Server) receiveMost(most int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(s.patience.body)); err != nil {
			problem(CodeInternal, "", "no time limit can be set on the connection: "+err.Error()).write(w)
			return
		}
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
		if err != nil {
			turnAway(w, r, s.refusedFor(r.Context(), unread(err, most, s.patience.body)))
			return
		}
		if control.SetReadDeadline(time.Time{}) != nil || control.SetWriteDeadline(time.Time{}) != nil {
			return // the connection is closed: nobody reads an answer
		}
		sandbox.TraceOf(r.Context()).Mark("read")
		r.Body = io.NopCloser(bytes.NewReader(data))
		next.ServeHTTP(w, r)
	})
}

// isJSON wants a body of the type that no page can send to another site without
// asking first, and in plain: what is packed has no size that could be known.
func (s *Server) isJSON(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.Join(r.Header.Values("Content-Type"), ", ")
		kind, parameters, err := mime.ParseMediaType(given)
		if strings.EqualFold(parameters["charset"], "utf-8") {
			delete(parameters, "charset")
		}
		switch {
		case err != nil || kind != "application/json" || len(parameters) > 0:
			turnAway(w, r, s.refusedFor(r.Context(), problem(CodeNotJSON, "", fmt.Sprintf("Content-Type: %q given, application/json is wanted", clip(given)))))
		case len(r.Header.Values("Content-Encoding")) > 0:
			turnAway(w, r, s.refusedFor(r.Context(), problem(CodeEncoded, "", "a body is taken as it is: send it without Content-Encoding")))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// unread says why the body could not be read.
func unread(err error, max int64, within time.Duration) *Problem {
	var large *http.MaxBytesError
	var slow net.Error
	switch {
	case errors.As(err, &large):
		return problem(CodeTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", max))
	case errors.As(err, &slow) && slow.Timeout():
		return problem(CodeTimeout, "", fmt.Sprintf("the body did not come within %v", within))
	}
	return problem(CodeMalformed, "", "the body ended early: "+err.Error())
}
