package bench

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loop runs one thing again and again, for a while and at least so often, and tells
// what each run took.
type loop func(length time.Duration, least int) ([]time.Duration, error)

// target is something that runs the program for clients, each of which has a
// connection of its own.
type target struct {
	name   string
	client func() (run loop, done func(), err error)
}

// repeated is a loop of something that is called for each run.
func repeated(once func() (time.Duration, error)) loop {
	return func(length time.Duration, least int) (times []time.Duration, err error) {
		for started := time.Now(); len(times) < least || time.Since(started) < length; {
			d, err := once()
			if err != nil {
				return times, err
			}
			times = append(times, d)
		}
		return times, nil
	}
}

// paced is a target whose clients rest after each run, so that it is over with all
// that it does behind a run.
func (t target) paced(rest time.Duration) target {
	return target{t.name + ", paced", func() (loop, func(), error) {
		run, done, err := t.client()
		if err != nil {
			return nil, nil, err
		}
		return repeated(func() (time.Duration, error) {
			times, err := run(0, 1)
			if err != nil {
				return 0, err
			}
			time.Sleep(rest)
			return times[0], nil
		}), done, nil
	}}
}

// sample is one slice of a series: what the runs of each client took, in their
// order, and how long the slice lasted.
type sample struct {
	clients [][]time.Duration
	took    time.Duration
	own     time.Duration // CPU time of this process: what the clients cost
}

func (s sample) runs() (n int) {
	for _, times := range s.clients {
		n += len(times)
	}
	return n
}

// part is one of some equal parts of a slice, by the order of the runs.
func (s sample) part(i, parts int) sample {
	var out sample
	for _, times := range s.clients {
		out.clients = append(out.clients, times[i*len(times)/parts:(i+1)*len(times)/parts])
	}
	return out
}

// leastRuns of each client in a slice.
const leastRuns = 3

// measure lets some clients at once run a target again and again, for a while and
// at least a few times.
func measure(ctx context.Context, t target, clients int, slice time.Duration) (sample, error) {
	loops := make([]loop, clients)
	for i := range loops {
		run, done, err := t.client()
		if err != nil {
			return sample{}, err
		}
		defer done()
		if _, err := run(0, 1); err != nil { // the first one is not counted
			return sample{}, err
		}
		loops[i] = run
	}
	runtime.GC() // now, not in the middle
	s := sample{clients: make([][]time.Duration, clients)}
	errs := make([]error, clients)
	var wait sync.WaitGroup
	used, started := ownCPU(), time.Now()
	for i, run := range loops {
		wait.Go(func() { s.clients[i], errs[i] = run(slice, leastRuns) })
	}
	wait.Wait()
	s.took, s.own = time.Since(started), ownCPU()-used
	return s, errors.Join(append(errs, ctx.Err())...)
}

// ownCPU is the CPU time that this process has used.
func ownCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0 // which cannot be for this process itself
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quantile in milliseconds.
func (s sample) quantile(q float64) float64 {
	sorted := slices.Concat(s.clients...)
	if len(sorted) == 0 {
		return 0
	}
	slices.Sort(sorted)
	return milliseconds(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)])
}

func (s sample) p50() float64       { return s.quantile(0.5) }
func (s sample) p99() float64       { return s.quantile(0.99) }
func (s sample) perSecond() float64 { return float64(s.runs()) / s.took.Seconds() }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// seriesOf joins the slices of one series.
func seriesOf(group, name string, clients int, all []sample) Series {
	s := Series{Group: group, Name: name, Clients: clients, Rounds: len(all)}
	pick := func(f func(sample) float64) Stat {
		var values []float64
		for _, one := range all {
			values = append(values, f(one))
		}
		return statOf(values)
	}
	for _, one := range all {
		s.Runs += one.runs()
	}
	s.P50, s.P99, s.PerSecond = pick(sample.p50), pick(sample.p99), pick(sample.perSecond)
	s.P90 = pick(func(s sample) float64 { return s.quantile(0.9) })
	return s
}

// ratios of two series round by round, so that a machine that gets slower or
// faster meanwhile does so for both.
func ratios(a, b []sample, of func(sample) float64) Stat {
	var values []float64
	for i := range min(len(a), len(b)) {
		if below := of(b[i]); below > 0 {
			values = append(values, of(a[i])/below)
		}
	}
	return statOf(values)
}

// turn is one of the things that are measured in turns.
type turn struct {
	target  target
	clients int
	slice   time.Duration
}

// breath lets the service fill its pool between two slices, so that its work for
// one is not counted for the other.
const breath = 50 * time.Millisecond

// inTurns measures A, B, A, B, and so on: one list of slices for each.
func inTurns(ctx context.Context, rounds int, turns []turn) ([][]sample, error) {
	all := make([][]sample, len(turns))
	for range rounds {
		for i, t := range turns {
			s, err := measure(ctx, t.target, t.clients, t.slice)
			if err != nil {
				return nil, &targetError{t.target.name, err}
			}
			all[i] = append(all[i], s)
			time.Sleep(breath)
		}
	}
	return all, nil
}

// targetError says what could not be measured.
type targetError struct {
	name string
	err  error
}

// Error names the target.
func (e *targetError) Error() string { return e.name + ": " + e.err.Error() }

// Unwrap is the reason.
func (e *targetError) Unwrap() error { return e.err }
