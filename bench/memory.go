package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30

// rest is how long the service is left alone before its memory is read.
const rest = 2 * time.Second

// memory of what waits, of what runs, and of the daemon.
func (s *session) memory(ctx context.Context) error {
	if err := s.warmMemory(); err != nil {
		return err
	}
	if err := s.daemonMemory(ctx); err != nil {
		return err
	}
	return s.sleepingMemory(ctx)
}

// warmMemory: each idle cell is one process.
func (s *session) warmMemory() error {
	time.Sleep(rest)
	all, err := family(s.service.Pid)
	if err != nil {
		return err
	}
	pids := warmCells(all)
	if len(pids) == 0 {
		s.report.missing("the service has no warm cell", "memory_warm_cell")
		return nil
	}
	var values []float64
	for _, pid := range pids {
		bytes, err := proportional(pid)
		if err != nil {
			return err
		}
		values = append(values, float64(bytes)/kib)
	}
	s.report.set("memory_warm_cell", statOf(values), fmt.Sprintf("%d cells; shared pages are divided among those who have them", len(values)))
	return nil
}

// remember what the daemon holds after the jobs so far.
func (s *session) remember() error {
	bytes, err := resident(s.daemon)
	now := float64(bytes) / mib
	s.rss = append(s.rss, Point{float64(s.jobs), Stat{now, now, now}})
	return err
}

// daemonMemory: before the first job and after many.
func (s *session) daemonMemory(ctx context.Context) error {
	idle := s.rss[0].Y
	s.report.set("memory_daemon_idle", idle, "when ready, before the first job")
	wanted := s.o.Soak
	if wanted == 0 {
		wanted = pick(s.o.Effort, 500, 20_000, 100_000)
	}
	if s.jobs < wanted {
		s.note(fmt.Sprintf("%s: %d jobs", Memory, wanted-s.jobs))
	}
	step := max(time.Second, time.Duration(wanted)*time.Millisecond/20)
	for s.jobs < wanted {
		one, err := measure(ctx, s.target(), 2*processors(), step)
		if err != nil {
			return err
		}
		s.jobs += one.runs()
		if err := s.remember(); err != nil {
			return err
		}
	}
	// Until the pool has given up what the load has made it keep.
	time.Sleep(pick(s.o.Effort, rest, 10*rest, 10*rest))
	if err := s.remember(); err != nil {
		return err
	}
	s.report.Curves = append(s.report.Curves, Curve{ID: "daemon_memory", Title: "Memory of the daemon against the jobs done before",
		X: "jobs done", Y: "RSS, MiB", Linear: true, Points: s.rss})
	after := s.rss[len(s.rss)-1].Y
	s.amount(Memory, fmt.Sprintf("daemon's RSS after %d jobs", s.jobs), "MiB", after)
	over := after.Median / idle.Median
	s.report.set("memory_daemon_growth", Stat{over, over, over}, fmt.Sprintf("after %d jobs", s.jobs))
	return nil
}

// sleepingMemory: what the machine has less with each job that sleeps, above what it
// has less with each of the same programs that sleeps without a cell. Both are
// started in steps and all are kept to the end: what a kernel has freed it keeps for
// the next of the same kind, and a second round would seem to cost nothing.
func (s *session) sleepingMemory(ctx context.Context) (err error) {
	const steps = 5
	jobs := pick(s.o.Effort, 50, 500, 1000) / steps
	s.note(fmt.Sprintf("%s: %d sleeping jobs", Memory, steps*jobs))
	service, err := s.start(ctx, "--parallel", fmt.Sprint(steps*jobs+2), "--queue", "16")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(service)) }()
	time.Sleep(rest)
	var above, own []float64
	for range steps {
		inside, endInside, err := taken(func() (func() error, error) { return s.sleep(ctx, service, jobs) })
		if err != nil {
			return err
		}
		defer func() { _ = endInside() }() // the service ends anyway
		outside, endOutside, err := taken(func() (func() error, error) { return sleepOutside(jobs) })
		if err != nil {
			return err
		}
		defer func() { _ = endOutside() }() // which cannot fail
		above = append(above, float64(inside-outside)/float64(jobs)/kib)
		own = append(own, float64(outside)/float64(jobs)/kib)
	}
	s.report.set("memory_sleeping_job", meanOf(above), fmt.Sprintf("by MemAvailable; %d steps, to %d jobs at once", steps, steps*jobs))
	s.amount(Memory, "the sleeping program itself", "KiB", meanOf(own))
	return nil
}

// meanOf equal steps: what one has too much the next has too little.
func meanOf(steps []float64) Stat {
	sum := 0.0
	for _, v := range steps {
		sum += v
	}
	return Stat{sum / float64(len(steps)), slices.Min(steps), slices.Max(steps)}
}

// taken is how much less memory is available after something was begun, which lasts
// until end is called.
func taken(begin func() (end func() error, err error)) (bytes int64, end func() error, err error) {
	before, err := memory("MemAvailable")
	if err != nil {
		return 0, nil, err
	}
	if end, err = begin(); err != nil {
		return 0, nil, err
	}
	time.Sleep(rest / 2)
	after, err := memory("MemAvailable")
	return before - after, end, err
}
