package queue

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"
)

// Requests of jobs that wait are on the disk, not in memory, but for those that came just
// now.
func TestRequestsAreNotInMemory(t *testing.T) {
	const jobs, each = 5000, 10_000
	h := inProcess{t.TempDir(), slog.New(slog.DiscardHandler)}
	q := open(t, h, newClock(), func(c *Config) { c.MaxJobs, c.MaxBytes = jobs, jobs*each })
	used := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	request := make([]byte, each)
	for i := range jobs {
		q.submit(fmt.Sprintf("job%05d", i), func(s *Submission) { s.Request = request })
	}
	t.Logf("%d bytes in use, right after %d jobs", used()-before, jobs)
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		now := used() - before
		if now < jobs*each/5 {
			t.Logf("%d bytes in use after %v, %d for each job", now, time.Since(began).Round(time.Second), now/jobs)
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%d bytes are in use for %d bytes of requests", now, jobs*each)
		}
	}
}
