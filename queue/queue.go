package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Queue stands on.
type Config struct {
	Journal      Journal
	Worker       string        // name of this service among all that use the journal; the same at every start
	Boot         string        // of this start
	MaxJobs      int64         // that wait
	MaxBytes     int64         // of the requests of jobs that have not ended
	ResultsTTL   time.Duration // how long a record stays when its job has ended; 0: until its room is needed
	ResultsBytes int64         // of all results
	Logger       *slog.Logger
	Now          func() time.Time // nil: time.Now

	// Ran is told of jobs that have run elsewhere, or here before this start: whose, how much
	// CPU time they have used, how long they ran, and how long ago that was. It may not call the
	// queue, and has to be quick. nil: nobody wants to know.
	Ran func(tenant string, cpu, ran, ago time.Duration)
	// Settled is called when this service has ended a job otherwise than by Finish: it was
	// cancelled or expired while it waited, or cut off by the end of an earlier start or of
	// another service; of the last some are queued again.
	Settled func(*Record)
	// Told is called when this service has delivered a webhook, or given it up.
	Told func(*Record)

	// Of a journal that other services share:
	Abilities *Abilities           // what jobs can run here; nil: this service runs none, or where nobody shares the journal, any
	Most      int                  // jobs that run here at once, for the others to know
	Follow    bool                 // know all services that live, and settle the jobs of those that have died; the others help with that
	Lease     time.Duration        // how long this service may be cut off; the same in all of them; 0: DefaultLease
	Elapsed   func() time.Duration // time that has passed; nil: since the machine started
	OwnClock  bool                 // time is what Now says; else what the clock of the journal's servers says
}

// MaxAttempts is how often a job is begun that may be run again.
const MaxAttempts = 3

// Queue is an open queue. Its methods may be called at once.
type Queue struct {
	config Config
	j      Journal
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	index    *index
	coming   int64             // jobs that are being submitted
	comingOf map[string]amount // of them, those of each tenant
	incoming int64             // and their bytes
	onEnd    func(id string)

	bus     Bus // nil: nobody shares the journal
	lease   lease
	watched *watched // nil likewise
	elapsed func() time.Duration
	clock   clockOf
	rivals  rivals
	within  time.Duration // see farewellWithin

	wake   chan struct{} // something waits
	ctx    context.Context
	stop   context.CancelFunc
	inside sync.WaitGroup
}

// Open reads the journal, and settles what an earlier start has left: jobs that it had
// begun are queued again where they may, else they are interrupted.
func Open(ctx context.Context, c Config) (*Queue, error) {
	q := &Queue{config: c, j: c.Journal, log: c.Logger, now: c.Now, index: newIndex(c.Worker, c.Boot), comingOf: map[string]amount{},
		wake: make(chan struct{}, 1), within: farewellWithin}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	if q.now == nil {
		q.now = time.Now
	}
	if err := q.share(ctx); err != nil {
		return nil, err
	}
	q.ctx, q.stop = context.WithCancel(context.Background())
	found := newStrays()
	caught := make(chan struct{})
	q.inside.Go(func() {
		_ = q.j.Watch(q.ctx, func(m *Message) { q.told(m, found) }, func() { found.stop(); close(caught) })
	})
	select {
	case <-caught:
	case <-ctx.Done():
		q.stop()
		q.inside.Wait()
		return nil, fmt.Errorf("the queue's journal was not read: %w", ctx.Err())
	}
	if err := q.settle(ctx, found); err != nil {
		q.stop()
		q.inside.Wait()
		return nil, err
	}
	q.inside.Go(q.sweeping)
	q.beginSharing()
	return q, nil
}

// GiveUp ends all attempts to write down what the journal does not take. After it only Close
// is of use.
func (q *Queue) GiveUp() { q.stop() }

// Close ends the queue, and its journal. Claims that have not ended are cut off.
func (q *Queue) Close() error {
	q.stop()
	q.inside.Wait()
	if q.bus != nil && q.config.Abilities != nil {
		q.farewell()
	}
	return q.j.Close()
}
