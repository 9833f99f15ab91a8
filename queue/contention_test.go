package queue

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crew are services in one process, on servers elsewhere, that run nothing for a moment.
type crew struct {
	t     *testing.T
	api   *opened
	all   []*opened
	mu    sync.Mutex
	begun map[string]int
	ended atomic.Int64
	stop  func()
}

type anyPlace struct{}

func (anyPlace) Give() {}

// hire opens services that each run so many jobs at once.
func hire(t *testing.T, h home, n, most int, run func()) *crew {
	t.Helper()
	c := &crew{t: t, begun: map[string]int{}}
	own := func(c *Config) { c.Elapsed, c.Lease, c.OwnClock, c.MaxJobs = nil, time.Minute, false, 100_000 }
	c.api, _ = frontend(t, h, "api", own)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	c.stop = func() { stop(); serving.Wait() }
	t.Cleanup(c.stop)
	for i := range n {
		q, _ := member(t, h, fmt.Sprint("worker", i), own)
		c.all = append(c.all, q)
		w := Workers{Queue: q.Queue, Most: most, Logger: slog.New(slog.DiscardHandler), Ended: func(*Claim) { c.ended.Add(1) },
			Place: func(context.Context, *Record) (Place, error) { return anyPlace{}, nil },
			Run: func(claim *Claim, _ Place) End {
				c.mu.Lock()
				c.begun[claim.ID]++
				c.mu.Unlock()
				run()
				return End{Done, []byte("result of " + claim.ID)}
			}}
		serving.Go(func() { w.Serve(ctx, context.Background()) })
	}
	return c
}

func (c *crew) refused() (n int64) {
	for _, q := range c.all {
		n += q.Refused()
	}
	return n
}

// once: every job was begun once and has its result.
func (c *crew) once(jobs int) {
	c.t.Helper()
	until(c.t, "all have ended", func() bool { return c.api.Stats().Jobs[Done] == int64(jobs) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.begun) != jobs {
		c.t.Errorf("%d jobs were begun, want %d", len(c.begun), jobs)
	}
	for id, n := range c.begun {
		if n != 1 {
			c.t.Errorf("%s was begun %d times", id, n)
		}
	}
}

// TestContention: however many services try for the same jobs, each job is begun once, and
// few claims are refused. CORDON_TEST_CONTENTION has the number of jobs for figures.
func TestContention(t *testing.T) {
	jobs, sizes := 60, []int{3, 20}
	if n, err := strconv.Atoi(os.Getenv("CORDON_TEST_CONTENTION")); err == nil {
		jobs, sizes = n, []int{3, 10, 50}
	}
	for _, n := range sizes {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			h := startServer(t)
			c := hire(t, h, n, 2, func() { time.Sleep(rand.N(10 * time.Millisecond)) })
			submit := func(from, to int) {
				for i := from; i < to; i++ {
					c.api.submit(fmt.Sprintf("job%05d", i), nil)
				}
			}
			began := time.Now()
			submit(0, jobs) // one after the other: mostly all are idle
			c.once(jobs)
			trickle, took := c.refused(), time.Since(began)
			var senders sync.WaitGroup
			began = time.Now()
			for k := range 8 {
				senders.Go(func() { submit(jobs+k*jobs/4, jobs+(k+1)*jobs/4) })
			}
			senders.Wait()
			c.once(jobs + 8*(jobs/4))
			flood := c.refused() - trickle
			t.Logf("%d services: %.2f claims refused per job that came one by one (%v each), %.2f of a flood (%v each)", n, float64(trickle)/float64(jobs),
				(took / time.Duration(jobs)).Round(10*time.Microsecond), float64(flood)/float64(2*jobs), (time.Since(began) / time.Duration(2*jobs)).Round(10*time.Microsecond))
			if most := int64(n) * int64(jobs) / 4; trickle > most || flood > most {
				t.Errorf("%d and %d claims were refused", trickle, flood)
			}
		})
	}
}
