package bench

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// Run is one measured thing; it tells how long it took.
type Run func() (time.Duration, error)

// Series is what many runs of one thing took.
type Series struct {
	Name    string  `json:"name"`
	Clients int     `json:"clients"`
	Runs    int     `json:"runs"`
	P50     float64 `json:"p50_ms"`
	P90     float64 `json:"p90_ms"`
	P99     float64 `json:"p99_ms"`
	PerSec  float64 `json:"per_second"`
}

// Measure runs a thing count times from each of some clients at once.
func Measure(name string, clients, count int, run Run) (Series, error) {
	times := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wait sync.WaitGroup
	started := time.Now()
	for c := range clients {
		wait.Go(func() {
			for range count {
				d, err := run()
				if err != nil {
					errs[c] = err
					return
				}
				times[c] = append(times[c], d)
			}
		})
	}
	wait.Wait()
	took := time.Since(started)
	if err := errors.Join(errs...); err != nil {
		return Series{}, err
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return Series{Name: name, Clients: clients, Runs: len(all), P50: quantile(all, 0.5), P90: quantile(all, 0.9),
		P99: quantile(all, 0.99), PerSec: float64(len(all)) / took.Seconds()}, nil
}

// quantile of sorted times, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(int(q*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[i]) / float64(time.Millisecond)
}

// Report is a whole run of the benchmark.
type Report struct {
	Program string   `json:"program"`
	Rounds  int      `json:"rounds"`
	Series  []Series `json:"series"`
	// Ratios of medians and of throughputs: a job against the bare program.
	LatencyRatio    float64 `json:"latency_ratio"`    // one client
	ThroughputRatio float64 `json:"throughput_ratio"` // two clients, bare against job
}

// Options of Compare.
type Options struct {
	Program string // absolute path, ends at once with status 0
	Count   int    // runs in a round
	Rounds  int
	Job     Run // the same program as a job
}

// Compare measures the bare program and the job in turns, so that a machine that
// gets slower or faster meanwhile does so for both.
func Compare(o Options) (*Report, error) {
	bare := func() (time.Duration, error) { return Spawn(o.Program) }
	kinds := []struct {
		name    string
		clients int
		run     Run
	}{{"vfork+exec", 1, bare}, {"POST /v1/run", 1, o.Job}, {"vfork+exec", 2, bare}, {"POST /v1/run", 2, o.Job}}
	rounds := make([][]Series, len(kinds))
	for range o.Rounds {
		for i, k := range kinds {
			s, err := Measure(k.name, k.clients, o.Count, k.run)
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], s)
		}
	}
	r := &Report{Program: o.Program, Rounds: o.Rounds}
	for _, all := range rounds {
		r.Series = append(r.Series, median(all))
	}
	r.LatencyRatio = r.Series[1].P50 / r.Series[0].P50
	r.ThroughputRatio = r.Series[2].PerSec / r.Series[3].PerSec
	return r, nil
}

// median of the rounds, figure by figure.
func median(all []Series) Series {
	out := all[0]
	out.Runs = 0
	for _, s := range all {
		out.Runs += s.Runs
	}
	pick := func(f func(Series) float64) float64 {
		values := make([]float64, len(all))
		for i, s := range all {
			values[i] = f(s)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	out.P50 = pick(func(s Series) float64 { return s.P50 })
	out.P90 = pick(func(s Series) float64 { return s.P90 })
	out.P99 = pick(func(s Series) float64 { return s.P99 })
	out.PerSec = pick(func(s Series) float64 { return s.PerSec })
	return out
}
