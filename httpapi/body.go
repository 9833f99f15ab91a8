package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// bodyWithin is how long a client may take to send its body.
const bodyWithin = 30 * time.Second

// receive reads the body before the handler runs, within a time of its own: a
// client that sends slowly must not keep a place for ever. The deadline is lifted
// again, because a job may run for longer; net/http reads on meanwhile to see
// whether the client leaves.
func (s *Server) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Now().Add(bodyWithin)); err != nil {
			problem(CodeInternal, "", "no time limit can be set on the connection: "+err.Error()).write(w)
			return
		}
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.config.MaxBody))
		if err != nil {
			s.refused(unread(err, s.config.MaxBody)).write(w)
			return
		}
		if control.SetReadDeadline(time.Time{}) != nil {
			return // the connection is closed: nobody reads an answer
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		next.ServeHTTP(w, r)
	})
}

// unread says why the body could not be read.
func unread(err error, max int64) *Problem {
	var large *http.MaxBytesError
	var slow net.Error
	switch {
	case errors.As(err, &large):
		return problem(CodeTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", max))
	case errors.As(err, &slow) && slow.Timeout():
		return problem(CodeTimeout, "", fmt.Sprintf("the body did not come within %v", bodyWithin))
	}
	return problem(CodeMalformed, "", "the body ended early: "+err.Error())
}
