package httpapi

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
)

// A journal that takes nothing does not keep the service from ending: what has ended is
// settled by the next start.
func TestServeEndsWithoutItsJournal(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		<-ctx.Done()
		return ended(j, sandbox.Interrupted), nil
	})
	s.patience.journal = 50 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	j := s.submit(t, trueJob)
	go func() { served <- s.Serve(ctx, time.Millisecond, l) }()
	s.until(t, j.ID, queue.Running)
	s.journal.Fail(errors.New("the disk is full"))
	defer s.journal.Fail(nil)
	end()
	select {
	case <-served:
	case <-time.After(30 * time.Second):
		t.Fatal("the service does not end")
	}
}
