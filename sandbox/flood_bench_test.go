package sandbox

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// BenchmarkFlood is a tenant's job on the real kernel while others wait, in mean lengths of a
// job: how long it waits for its place, where 2000 are another tenant's, or 100 its own.
//
//	go test -exec "$PWD/test/as-service-user" -run '^$' -bench Flood -benchtime 200x ./sandbox
func BenchmarkFlood(b *testing.B) {
	const spin = "i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done"
	for other, flood := range map[string]int{"flood": 100, "other": 2000} {
		b.Run(other, func(b *testing.B) {
			l := newLab(b, func(c *Config) { c.Parallel, c.Warm = 2, 2 })
			ctx, cancel := context.WithCancel(b.Context())
			var inside sync.WaitGroup
			defer inside.Wait()
			defer cancel()
			var mu sync.Mutex
			var lengths time.Duration
			var ran int
			for range flood {
				inside.Go(func() {
					for ctx.Err() == nil {
						job := shell(spin)
						job.Tenant = "flood"
						r, err := l.Run(ctx, job)
						if err != nil || r.Verdict != OK {
							return
						}
						mu.Lock()
						lengths += time.Duration(r.Timings.SetupNanos + r.Timings.RunNanos + r.Timings.TeardownNanos)
						ran++
						mu.Unlock()
					}
				})
			}
			for l.Stats().Waiting < int64(flood-2) {
				time.Sleep(time.Millisecond)
			}
			var waits []time.Duration
			most := b.N
			if other == "flood" {
				most = 1 // it waits for all that came before
			}
			b.ResetTimer()
			for range most {
				job := shell(spin)
				job.ID, job.Tenant = uuid.NewString(), other
				r, err := l.Run(ctx, job)
				if err != nil {
					b.Fatal(err)
				}
				waits = append(waits, time.Duration(r.Timings.QueuedNanos))
			}
			b.StopTimer()
			slices.Sort(waits)
			mu.Lock()
			defer mu.Unlock()
			mean := float64(lengths) / float64(ran)
			b.ReportMetric(float64(waits[len(waits)/2])/mean, "p50-lengths")
			b.ReportMetric(float64(waits[(len(waits)*95+99)/100-1])/mean, "p95-lengths")
			b.ReportMetric(mean/1e6, "ms-length")
		})
	}
}
