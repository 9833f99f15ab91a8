package httpapi

import (
	"math"
	"sync"
	"time"

	"cordon/sandbox"
)

// hour is what became of jobs within the last hour, by minutes: for a person who looks now.
// What is kept is as much on a busy service as on an idle one; a monitor has /metrics.
type hour struct {
	now     func() time.Time
	mu      sync.Mutex
	minutes [minutesKept]minute
}

const minutesKept = 60

// minute is one of them.
type minute struct {
	number   int64 // since 1970
	jobs     int64
	verdicts map[sandbox.Verdict]int64
	times    [len(stagesKept)]times
}

// stagesKept are the times of a job that are kept; the last one is all of them together.
var stagesKept = [...]string{"queued", "setup", "run", "total"}

// times counts by length: each step is a fifth longer than the one before, and so a quantile
// is right to a tenth.
type times [timeSteps]uint32

const (
	timeSteps = 128
	shortest  = 1000.0 // ns; what is shorter is as long, 1 µs
	stepUp    = 1.2
)

func stepOf(ns int64) int {
	return min(max(int(math.Log(float64(ns)/shortest)/math.Log(stepUp)), 0), timeSteps-1)
}

func newHour() *hour { return &hour{now: time.Now} }

// of is a minute's place, for that minute alone. It is called with mu held.
func (h *hour) of(number int64) *minute {
	m := &h.minutes[number%minutesKept]
	if m.number != number {
		*m = minute{number: number, verdicts: map[sandbox.Verdict]int64{}}
	}
	return m
}

// add counts a job that has ended now.
func (h *hour) add(r *sandbox.Result) {
	t := r.Timings
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.of(h.now().Unix() / 60)
	m.jobs++
	m.verdicts[r.Verdict]++
	for i, ns := range [...]int64{t.QueuedNanos, t.SetupNanos, t.RunNanos, t.QueuedNanos + t.SetupNanos + t.RunNanos + t.TeardownNanos} {
		m.times[i][stepOf(ns)]++
	}
}

// MinuteStatus is what became of jobs within a minute.
type MinuteStatus struct {
	At       time.Time        `json:"at" doc:"When it began"`
	Jobs     int64            `json:"jobs" doc:"That have ended"`
	Verdicts map[string]int64 `json:"verdicts"`
	Queued   Quantiles        `json:"queued_ns"`
	Setup    Quantiles        `json:"setup_ns"`
	Run      Quantiles        `json:"run_ns"`
	Total    Quantiles        `json:"total_ns" doc:"From the acceptance to the account"`
}

// Quantiles are right to a tenth.
type Quantiles struct {
	P50 int64 `json:"p50"`
	P90 int64 `json:"p90"`
	P99 int64 `json:"p99"`
}

// look gives the minutes of the last hour in which a job has ended, the oldest first, and all
// of them together.
func (h *hour) look() (all MinuteStatus, minutes []MinuteStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now().Unix() / 60
	sum := minute{number: now - minutesKept + 1, verdicts: map[sandbox.Verdict]int64{}}
	minutes = []MinuteStatus{}
	for number := sum.number; number <= now; number++ {
		m := h.of(number)
		if m.jobs == 0 {
			continue
		}
		minutes = append(minutes, m.status())
		sum.jobs += m.jobs
		for verdict, n := range m.verdicts {
			sum.verdicts[verdict] += n
		}
		for stage := range m.times {
			for step, n := range m.times[stage] {
				sum.times[stage][step] += n
			}
		}
	}
	return sum.status(), minutes
}

func (m *minute) status() MinuteStatus {
	out := MinuteStatus{At: time.Unix(m.number*60, 0).UTC(), Jobs: m.jobs, Verdicts: map[string]int64{}}
	for verdict, n := range m.verdicts {
		out.Verdicts[string(verdict)] = n
	}
	for i, to := range []*Quantiles{&out.Queued, &out.Setup, &out.Run, &out.Total} {
		*to = m.times[i].quantiles()
	}
	return out
}

func (t *times) quantiles() Quantiles {
	return Quantiles{t.quantile(0.5), t.quantile(0.9), t.quantile(0.99)}
}

// quantile is the middle of the step in which it lies.
func (t *times) quantile(q float64) int64 {
	var all uint64
	for _, n := range t {
		all += uint64(n)
	}
	if all == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(all)))
	for step, n := range t {
		if uint64(n) >= rank {
			return int64(shortest * math.Pow(stepUp, float64(step)+0.5))
		}
		rank -= uint64(n)
	}
	return 0 // not reached: the ranks are those of all
}
