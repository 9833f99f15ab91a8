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

// Serve answers on the listeners until ctx is done. Then no new job is taken,
// running ones get the drain time to end, and what is left is cut off: their
// contexts are cancelled, with sandbox.ErrShuttingDown as the cause.
func (s *Server) Serve(ctx context.Context, drain time.Duration, listeners ...net.Listener) error {
	jobs, cancelJobs := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelJobs(nil)
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return jobs },
	}
	failed := make(chan error, len(listeners))
	var accepting sync.WaitGroup
	defer accepting.Wait() // each closes its listener at its end
	for _, l := range listeners {
		accepting.Go(func() { failed <- server.Serve(limited(l, s.config.MaxConns)) })
	}
	select {
	case err := <-failed:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	s.draining.Store(true)
	soon, stop := context.WithTimeout(jobs, drain)
	defer stop()
	err := server.Shutdown(soon)
	if errors.Is(err, context.DeadlineExceeded) {
		// Each job gets its account as far as it came: cancelled jobs still answer.
		cancelJobs(sandbox.ErrShuttingDown)
		last, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		err = server.Shutdown(last)
	}
	if errors.Is(err, context.DeadlineExceeded) { // clients that do not read: every job has ended
		s.config.Logger.Warn("connections were cut off whose clients did not read their answers")
		err = server.Close()
	}
	return err
}
