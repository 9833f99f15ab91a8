package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cordon/queue"
	"cordon/sandbox/line"
)

// placeInLine is a job's, which has run when it is given back.
type placeInLine struct{ *line.Place }

func (p placeInLine) Give() { p.Place.Give(jobLength) }

const (
	jobLength = 40 * time.Millisecond
	flood     = 2000
	others    = 100
)

// A flood of jobs from one tenant, in the queue or directly, leaves another's wait below two
// lengths of a job for 95 of 100, in the queue or directly. The clock is that of the test:
// nothing depends on how busy the machine is.
func TestFlood(t *testing.T) {
	for _, places := range []int{1, 2, 4} {
		for _, kind := range []struct{ flood, other string }{{"queued", "queued"}, {"direct", "queued"}, {"queued", "direct"}, {"direct", "direct"}} {
			t.Run(fmt.Sprintf("%s beside %s/places=%d", kind.other, kind.flood, places), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { flooded(t, places, kind.flood == "queued", kind.other == "queued") })
			})
		}
	}
}

// front is a service of which only the line and the queue are there.
type front struct {
	t     *testing.T
	line  *line.Line
	queue *queue.Queue
	ctx   context.Context
	mu    sync.Mutex
	ended map[string]chan time.Duration // how long a queued one has waited
}

func flooded(t *testing.T, places int, queuedFlood, queuedOther bool) {
	ctx, stop := context.WithCancel(t.Context())
	f := &front{t: t, line: line.New(line.Config{All: line.Share{Places: places}}), ctx: ctx, ended: map[string]chan time.Duration{}}
	var err error
	f.queue, err = queue.Open(ctx, queue.Config{Journal: queue.NewMemory(), Worker: "w", Boot: "b", MaxJobs: 3 * flood, MaxBytes: 1 << 20,
		ResultsTTL: time.Hour, ResultsBytes: 1 << 30, Ran: f.line.Charge})
	if err != nil {
		t.Fatal(err)
	}
	w := queue.Workers{Queue: f.queue, Most: places, Logger: slog.New(slog.DiscardHandler), Place: f.reserve, Run: f.run, Ended: func(*queue.Claim) {}}
	var inside sync.WaitGroup
	inside.Go(func() { w.Serve(ctx, ctx) })
	for range flood {
		inside.Go(func() { f.job("flood", queuedFlood) })
	}
	synctest.Wait() // all are there
	var waits []time.Duration
	for i := range others {
		time.Sleep(time.Duration(i%7) * 9 * time.Millisecond)
		wait, ok := f.job("other", queuedOther)
		if !ok {
			t.Fatal("a job has not run")
		}
		waits = append(waits, wait)
	}
	if int64(f.line.Stats().Waiting)+f.queue.Waiting() == 0 {
		t.Error("the flood was over before")
	}
	stop()
	inside.Wait()
	if err := f.queue.Close(); err != nil {
		t.Error(err)
	}
	slices.Sort(waits)
	p95 := waits[len(waits)*95/100-1]
	t.Logf("p50 %v, p95 %v, the longest %v; a job takes %v", waits[len(waits)/2], p95, waits[len(waits)-1], jobLength)
	if p95 >= 2*jobLength {
		t.Errorf("p95 of the waits is %v, a job takes %v", p95, jobLength)
	}
}

// job has one come and run, and says how long it waited.
func (f *front) job(tenant string, queued bool) (time.Duration, bool) {
	came := time.Now()
	if queued {
		return f.submit(tenant)
	}
	p, err := f.line.Take(f.ctx, line.Want{Tenant: tenant})
	if err != nil {
		return 0, false
	}
	wait := time.Since(came)
	time.Sleep(jobLength)
	p.Give(jobLength)
	return wait, true
}

func (f *front) submit(tenant string) (time.Duration, bool) {
	f.mu.Lock()
	id := fmt.Sprintf("job%05d", len(f.ended))
	ended := make(chan time.Duration, 1)
	f.ended[id] = ended
	f.mu.Unlock()
	if _, _, err := f.queue.Submit(f.ctx, queue.Submission{ID: id, Tenant: tenant, Priority: queue.Normal, TTL: time.Hour}); err != nil {
		f.t.Error(err)
	}
	select {
	case wait := <-ended:
		return wait, true
	case <-f.ctx.Done():
		return 0, false
	}
}

func (f *front) reserve(ctx context.Context, r *queue.Record) (queue.Place, error) {
	p, err := f.line.Take(ctx, line.Want{Tenant: r.Tenant, Queued: true})
	if err != nil {
		return nil, err
	}
	return placeInLine{p}, nil
}

func (f *front) run(c *queue.Claim, p queue.Place) queue.End {
	time.Sleep(jobLength)
	p.Give()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended[c.ID] <- c.Started.Sub(c.Created)
	return queue.End{State: queue.Done}
}
