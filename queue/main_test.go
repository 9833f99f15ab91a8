package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// home is where a journal is, which is opened again and again.
type home interface {
	open(t testing.TB) Journal
}

type inMemory struct{ m *Memory }

func (h inMemory) open(testing.TB) Journal { return h.m }

type inProcess struct {
	dir string
	log *slog.Logger
}

func (h inProcess) open(t testing.TB) Journal {
	t.Helper()
	j, err := Embedded(t.Context(), h.dir, h.log)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// elsewhere is a server that others run: it goes on while queues come and go.
type elsewhere struct{ url string }

func startServer(t testing.TB) elsewhere {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
		NoSigs: true, NoLog: true, Username: "cordon", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(startWithin) {
		t.Fatal("the server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return elsewhere{"nats://cordon:secret@" + s.Addr().String()}
}

func (h elsewhere) open(t testing.TB) Journal {
	t.Helper()
	j, err := Connect(t.Context(), Remote{URL: h.url, Replicas: 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// everywhere runs a test with each journal.
func everywhere(t *testing.T, test func(*testing.T, home)) {
	t.Run("memory", func(t *testing.T) { test(t, inMemory{NewMemory()}) })
	t.Run("elsewhere", func(t *testing.T) { test(t, startServer(t)) })
	t.Run("embedded", func(t *testing.T) {
		test(t, inProcess{t.TempDir(), slog.New(slog.NewTextHandler(&testkit.Journal{}, nil))})
	})
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// opened is a queue in a home, started as often as it was opened.
type opened struct {
	*Queue
	t     testing.TB
	clock *clock
}

var boots int

func open(t testing.TB, h home, c *clock, change func(*Config)) *opened {
	t.Helper()
	boots++
	config := Config{Journal: h.open(t), Worker: "here", Boot: fmt.Sprint("boot", boots), MaxJobs: 1000, MaxBytes: 64 << 20,
		ResultsTTL: 1000 * time.Hour, ResultsBytes: 64 << 20, Logger: slog.New(slog.DiscardHandler), Now: c.Now, OwnClock: true, Follow: true}
	if change != nil {
		change(&config)
	}
	q, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	o := &opened{q, t, c}
	t.Cleanup(o.close)
	return o
}

// close may be called twice.
func (o *opened) close() {
	if o.ctx.Err() == nil {
		if err := o.Close(); err != nil {
			o.t.Error(err)
		}
	}
}

// submit takes one that must be taken.
func (o *opened) submit(id string, change func(*Submission)) Record {
	o.t.Helper()
	s := Submission{ID: id, Request: []byte("request of " + id), Priority: Normal, TTL: time.Hour}
	if change != nil {
		change(&s)
	}
	r, created, err := o.Submit(o.t.Context(), s)
	if err != nil || !created || r.State != Queued || r.ID != id {
		o.t.Fatalf("submit %s: %+v, created %t: %v", id, r, created, err)
	}
	return r
}

func (o *opened) claim(id string) *Claim {
	o.t.Helper()
	c, err := o.claimNext(context.Background())
	if err != nil || c == nil && id != "" || c != nil && c.ID != id {
		o.t.Fatalf("claimed %+v, want %q: %v", c, id, err)
	}
	return c
}

func (o *opened) finish(c *Claim, end End) {
	o.t.Helper()
	if err := c.Finish(end); err != nil {
		o.t.Fatal(err)
	}
}

// wants holds a job's state, and what its record says of attempts.
func (o *opened) wants(id string, state State, attempts int) Record {
	o.t.Helper()
	r, err := o.Get(o.t.Context(), id)
	if err != nil || r.State != state || r.Attempts != attempts {
		o.t.Fatalf("%s: %s after %d attempts, want %s after %d: %v", id, r.State, r.Attempts, state, attempts, err)
	}
	return r
}

func (o *opened) result(id string) string {
	o.t.Helper()
	r, err := o.Get(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	b, err := o.Result(o.t.Context(), &r)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(b)
}

func (o *opened) gone(id string) {
	o.t.Helper()
	if r, err := o.Get(o.t.Context(), id); !errors.Is(err, ErrNotFound) {
		o.t.Fatalf("%s is there: %+v, %v", id, r, err)
	}
}

// claimNext begins the next job of any tenant.
func (q *Queue) claimNext(ctx context.Context) (*Claim, error) {
	for {
		names := q.Tenants()
		if len(names) == 0 {
			return nil, nil
		}
		o := q.Offer(ctx, names[0])
		if o == nil {
			continue
		}
		o.End()
		if c, err := q.Claim(ctx, o.ID); c != nil || err != nil {
			return c, err
		}
	}
}
