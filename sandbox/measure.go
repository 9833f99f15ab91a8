package sandbox

import (
	"context"
	"fmt"
	"slices"

	"cordon/internal/cores"
)

// Measure says how a program is to be measured: so that its times can be compared.
type Measure struct {
	Pin    bool // to a core of its own: no other pinned program has it meanwhile
	Repeat int  // times, each in a cell of its own; 0 is 1
	WarmUp bool // run it once before, so that what it reads is in memory
}

// Measured is what was found.
type Measured struct {
	Core   int // -1: not pinned
	Runs   int
	CPU    Spread // ns
	Wall   Spread // ns
	Memory Spread // bytes, peak
	Noise  Noise
}

// Spread of some runs.
type Spread struct {
	Min    int64 `json:"min"`
	Median int64 `json:"median"`
	Max    int64 `json:"max"`
}

// Noise is what the host did to the runs, in nanoseconds. -1 where it does not tell.
type Noise struct {
	StealNanos     int64 `json:"steal_ns"`     // the hypervisor gave processors of this machine to others (proc_stat(5))
	PressureNanos  int64 `json:"pressure_ns"`  // some task waited for a processor (Documentation/accounting/psi.rst)
	ThrottledNanos int64 `json:"throttled_ns"` // the program waited for its own CPU rate
}

// noisyShare of the wall time is what a quiet machine does not reach.
const noisyShare = 20 // a twentieth

// Noisy: the times are not worth comparing.
func (m *Measured) Noisy() bool {
	bound := m.Wall.Median * int64(m.Runs) / noisyShare
	return max(m.Noise.StealNanos, m.Noise.PressureNanos, m.Noise.ThrottledNanos) > bound
}

// measured runs a step as it is asked for. What it returns is the run of median CPU time,
// or the first that did not end well.
func (r *Runner) measured(ctx context.Context, m Measure, run func(pin int) (*stepOutcome, error)) (*stepOutcome, *Measured, error) {
	if m == (Measure{}) {
		out, err := run(noCore)
		return out, nil, err
	}
	core := noCore
	if m.Pin {
		var err error
		if core, err = r.takeCore(ctx); err != nil {
			return nil, nil, err
		}
		defer func() { r.cores <- core }()
	}
	if m.WarmUp {
		if _, err := run(core); err != nil {
			return nil, nil, err
		}
	}
	before, err := try(stepNoise, cores.ReadNoise)
	if err != nil {
		return nil, nil, err
	}
	var all []*stepOutcome
	for range max(m.Repeat, 1) {
		out, err := run(core)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, out)
		if out.Verdict != OK {
			break
		}
	}
	after, err := try(stepNoise, cores.ReadNoise)
	if err != nil {
		return nil, nil, err
	}
	return pick(all), spread(all, core, after.Since(before)), nil
}

// pick is the run that stands for all.
func pick(all []*stepOutcome) *stepOutcome {
	if last := all[len(all)-1]; last.Verdict != OK {
		return last
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *stepOutcome) int { return int(a.Usage.CPUNanos - b.Usage.CPUNanos) })
	return sorted[len(sorted)/2]
}

func spread(all []*stepOutcome, core int, n cores.Noise) *Measured {
	of := func(value func(*Usage) int64) Spread {
		var values []int64
		for _, o := range all {
			values = append(values, value(&o.Usage))
		}
		slices.Sort(values)
		return Spread{values[0], values[len(values)/2], values[len(values)-1]}
	}
	m := &Measured{Core: core, Runs: len(all), Noise: Noise{n.StealNanos, n.PressureNanos, 0}, CPU: of(func(u *Usage) int64 { return u.CPUNanos }),
		Wall: of(func(u *Usage) int64 { return u.WallNanos }), Memory: of(func(u *Usage) int64 { return u.MemoryPeakBytes })}
	for _, o := range all {
		m.Noise.ThrottledNanos = sum(m.Noise.ThrottledNanos, o.Usage.ThrottledNanos)
	}
	return m
}

// noCore: not pinned.
const noCore = -1

// ownCores are those that the service may use itself.
func ownCores() chan int {
	own, err := cores.Own()
	if err != nil {
		return nil
	}
	free := make(chan int, len(own))
	for _, core := range own {
		free <- core
	}
	return free
}

// takeCores waits for several. Only one who wants several waits at a time: two with a half
// each would wait for ever.
func (r *Runner) takeCores(ctx context.Context, n int) ([]int, error) {
	select {
	case r.manyCores <- struct{}{}:
		defer func() { <-r.manyCores }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.stop:
		return nil, ErrShuttingDown
	}
	var taken []int
	for range n {
		core, err := r.takeCore(ctx)
		if err != nil {
			r.giveCores(taken)
			return nil, err
		}
		taken = append(taken, core)
	}
	return taken, nil
}

func (r *Runner) giveCores(cores []int) {
	for _, core := range cores {
		r.cores <- core
	}
}

// takeCore waits for a core that no pinned program has.
func (r *Runner) takeCore(ctx context.Context) (int, error) {
	if r.cores == nil {
		return noCore, stepPin.failed(fmt.Errorf("the processors of the service could not be found out"))
	}
	select {
	case core := <-r.cores:
		return core, nil
	case <-ctx.Done():
		return noCore, ctx.Err()
	case <-r.stop:
		return noCore, ErrShuttingDown
	}
}
