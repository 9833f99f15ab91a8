package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"cordon/sandbox"
)

// headerBytes is what the line and the headers of a request may have.
const headerBytes = 32 << 10

// patience is how long a connection may take. Together with the number of
// connections it bounds what clients cost that are slow, or only seem so.
type patience struct {
	headers time.Duration // from the first byte of a request to the end of its head
	body    time.Duration // to send a body
	// answer is how long a client may take to read an answer, from the request on,
	// or from the end of its job: the place is free by then, but the result is still
	// in memory.
	answer time.Duration
	idle   time.Duration // between two requests
	// reader is how long a reader of events may take nothing of what was sent.
	reader time.Duration
	// ping is how often an attached client is asked whether it is there.
	ping time.Duration
	// journal is how long the end waits for a journal that takes nothing.
	journal time.Duration
	// rate is how many bytes of a file make a second more, both ways.
	rate int64
}

var defaultPatience = patience{headers: 5 * time.Second, body: 30 * time.Second, answer: time.Minute, idle: 30 * time.Second, reader: 10 * time.Second, ping: beat, journal: 10 * time.Second, rate: 128 << 10}

// Serve answers on the listeners until ctx is done. Then no new job is taken,
// running ones get the drain time to end, and what is left is cut off: their
// contexts are cancelled, with sandbox.ErrShuttingDown as the cause.
func (s *Server) Serve(ctx context.Context, drain time.Duration, listeners ...net.Listener) error {
	defer s.recordService()()
	jobs, cancelJobs := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelJobs(nil)
	var protocols http.Protocols
	protocols.SetHTTP1(true) // no HTTP/2 without TLS: nothing asks for it, and it has limits of its own
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.patience.headers,
		ReadTimeout:       s.patience.body,   // of what receive does not read; it sets its own
		WriteTimeout:      s.patience.answer, // receive lifts it while a job runs
		IdleTimeout:       s.patience.idle,
		MaxHeaderBytes:    headerBytes,
		Protocols:         &protocols,
		ConnContext:       withConnection,
		ConnState:         answered,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return jobs },
	}
	server.DisableGeneralOptionsHandler = true // "OPTIONS *" is for the handler like everything else
	failed := make(chan error, len(listeners))
	var accepting sync.WaitGroup
	defer accepting.Wait() // each closes its listener at its end
	for _, l := range listeners {
		accepting.Go(func() { failed <- server.Serve(limited(strict(l), s.config.MaxConns, s.metrics.connections)) })
	}
	beginning, beginNone := context.WithCancel(ctx)
	defer beginNone()
	queued := s.runJobs(beginning, jobs)
	select {
	case err := <-failed:
		cancelJobs(sandbox.ErrShuttingDown)
		beginNone()
		s.lastOf(queued)
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	s.config.Audit.Ending()
	s.draining.Store(true)
	s.drained = time.Now().Add(drain)
	close(s.ending)
	defer s.attached.Wait() // each learns why it is let go; that takes some seconds at most
	over := sync.OnceFunc(func() { close(s.over) })
	defer over()
	soon, stop := context.WithTimeout(jobs, drain)
	defer stop()
	err := server.Shutdown(soon)
	select { // jobs of the queue have the same time
	case <-queued:
	case <-soon.Done():
		err = soon.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		// Each job gets its account as far as it came: cancelled jobs still answer.
		cancelJobs(sandbox.ErrShuttingDown)
		over()
		last, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		err = server.Shutdown(last)
		s.lastOf(queued)
	}
	if errors.Is(err, context.DeadlineExceeded) { // clients that do not read: every job has ended
		s.config.Logger.Warn("connections were cut off whose clients did not read their answers")
		err = server.Close()
	}
	return err
}

// lastOf waits until the jobs of the queue have ended, all of which were told to. A journal
// that takes nothing does not keep the service from ending: what it could not be told the
// next start settles.
func (s *Server) lastOf(queued <-chan struct{}) {
	enough := time.NewTimer(s.patience.journal)
	defer enough.Stop()
	select {
	case <-queued:
		return
	case <-enough.C:
	}
	s.config.Logger.Error("the queue's journal cannot be written; the next start settles the jobs that were running")
	s.config.Jobs.Queue.GiveUp()
	<-queued
}
