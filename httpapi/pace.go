package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"cordon/sandbox"
)

// A file may take longer than any other body or answer, but not for ever: who sends or
// reads it has the usual time, and a second more for each so many bytes that have gone
// over the line.

// until is when a transfer ends that has got so far.
func (p *patience) until(started time.Time, first time.Duration, bytes int64) time.Time {
	if p.rate > 0 {
		first += time.Duration(float64(bytes) / float64(p.rate) * float64(time.Second))
	}
	return started.Add(first)
}

// pacedBody is the body of a request for a file.
type pacedBody struct {
	ctx        context.Context
	body       io.Reader
	connection *http.ResponseController
	patience   *patience
	started    time.Time
	bytes      int64
	ended      bool // it was read to its end
}

// paced gives the body of a request. release is to be called when it has been read.
func (s *Server) paced(w http.ResponseWriter, r *http.Request) (body *pacedBody, release func()) {
	b := &pacedBody{ctx: r.Context(), body: r.Body, connection: http.NewResponseController(w), patience: &s.patience, started: time.Now()}
	// A read that waits for bytes sees the end of the service, too.
	stop := context.AfterFunc(b.ctx, func() { _ = b.connection.SetReadDeadline(time.Unix(1, 0)) })
	return b, func() { stop() }
}

// Read waits no longer than until.
func (b *pacedBody) Read(p []byte) (int, error) {
	if err := b.connection.SetReadDeadline(b.patience.until(b.started, b.patience.body, b.bytes)); err != nil {
		return 0, err
	}
	if b.ctx.Err() != nil { // in this order: see paced
		return 0, context.Cause(b.ctx)
	}
	n, err := b.body.Read(p)
	b.bytes += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		b.ended = true
		// The disk may take its time now. The server reads on to see whether the client leaves.
		if lift := b.connection.SetReadDeadline(time.Time{}); lift != nil {
			return n, lift
		}
	case err != nil && errors.Is(context.Cause(b.ctx), sandbox.ErrShuttingDown): // else a failed read has ended ctx
		err = sandbox.ErrShuttingDown
	}
	return n, err
}

// pacedWriter is the answer to a request for a file.
type pacedWriter struct {
	ctx        context.Context
	to         io.Writer
	connection *http.ResponseController
	patience   *patience
	started    time.Time
	bytes      int64
}

func (s *Server) pacedAnswer(w http.ResponseWriter, r *http.Request) *pacedWriter {
	return &pacedWriter{r.Context(), w, http.NewResponseController(w), &s.patience, time.Now(), 0}
}

// Write waits no longer than until.
func (w *pacedWriter) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	if err := w.connection.SetWriteDeadline(w.patience.until(w.started, w.patience.answer, w.bytes)); err != nil {
		return 0, err
	}
	n, err := w.to.Write(p)
	w.bytes += int64(n)
	return n, err
}
