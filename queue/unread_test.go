package queue

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// unread is a journal of which requests cannot be read for a while.
type unread struct {
	sharedJournal
	broken atomic.Bool
}

func (j *unread) Get(ctx context.Context, name string) (*Message, error) {
	if j.broken.Load() && strings.HasPrefix(name, subject(submission, "")) {
		return nil, ErrUnavailable
	}
	return j.sharedJournal.Get(ctx, name)
}

type unreadHome struct{ j *unread }

func (h unreadHome) open(testing.TB) Journal { return h.j }

// TestRequestOutOfReach: a job is not failed because its request cannot be read for a
// moment; and where it never can be, it was not begun.
func TestRequestOutOfReach(t *testing.T) {
	h := newSharedHome()
	j := &unread{sharedJournal: sharedJournal{h.m, h.bus}}
	worker, passed := member(t, unreadHome{j}, "worker", nil)
	worker.submit("a", nil)
	j.broken.Store(true)
	claimed := make(chan *Claim, 1)
	go func() {
		c, err := worker.claimNext(context.Background())
		if err != nil {
			t.Error(err)
		}
		claimed <- c
	}()
	worker.sees("a", Running, 1)
	j.broken.Store(false)
	c := <-claimed
	if c == nil || string(c.Request) != "request of a" || c.Damage != nil {
		t.Fatalf("%+v", c)
	}
	worker.finish(c, End{Done, nil})

	worker.submit("b", nil)
	j.broken.Store(true)
	failed := make(chan error, 1)
	go func() {
		c, err := worker.claimNext(context.Background())
		if c != nil {
			t.Errorf("claimed %+v", c.Record)
		}
		failed <- err
	}()
	worker.sees("b", Running, 1)
	h.bus.Cut("worker", true)
	passed.pass(worker.config.Lease)
	if err := <-failed; !errors.Is(err, errFenced) {
		t.Errorf("%v", err)
	}
	worker.sweep(t.Context())
	worker.wants("b", Queued, 0)
}

// TestEndOutOfReach: a service that ends and cannot write down how a job has ended leaves it
// as it is, for others to settle: what has run is not taken for what was not begun.
func TestEndOutOfReach(t *testing.T) {
	h := newSharedHome()
	worker, _ := member(t, h, "worker", nil)
	worker.submit("a", nil)
	until(t, "it is known", func() bool { return worker.Waiting() == 1 })
	running, end := context.WithCancel(context.Background())
	c, err := worker.claimNext(running)
	if err != nil || c == nil {
		t.Fatalf("%+v, %v", c, err)
	}
	h.m.Fail(ErrUnavailable)
	end()
	worker.within = time.Millisecond
	if err := c.Finish(End{Done, nil}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
	h.m.Fail(nil)
	worker.sweep(t.Context())
	worker.wants("a", Running, 1)
	worker.close()
	other, _ := frontend(t, h, "api", nil)
	other.sees("a", Interrupted, 1)
}

// TestListen: who can be reached from elsewhere has to be asked for a secret, over TLS.
func TestListen(t *testing.T) {
	for text, l := range map[string]*Listen{
		"":                        {Address: "127.0.0.1:0", Secret: "0123456789abcdef"},
		"a secret of 16":          {Address: "127.0.0.1:0", Secret: "short"},
		"reached from other":      {Address: "0.0.0.0:4222", Secret: "0123456789abcdef"},
		"is reached from":         {Address: ":4222", Secret: "0123456789abcdef"},
		"wants its key":           {Address: "127.0.0.1:0", Secret: "0123456789abcdef", Cert: "c"},
		"only looked at with TLS": {Address: "127.0.0.1:0", Secret: "0123456789abcdef", CA: "c"},
		"a host and a port":       {Address: "127.0.0.1", Secret: "0123456789abcdef"},
		"0 to 65535":              {Address: "127.0.0.1:nats", Secret: "0123456789abcdef"},
	} {
		if err := l.Check(); text == "" && err != nil || text != "" && (err == nil || !strings.Contains(err.Error(), text)) {
			t.Errorf("%+v: %v, want %q", l, err, text)
		}
	}
}
