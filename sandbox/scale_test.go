package sandbox

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"cordon/judge"
	"cordon/policy"
)

func TestScaledMillis(t *testing.T) {
	for _, c := range []struct {
		ms    int64
		scale float64
		want  int64
	}{
		{2000, 0, 2000}, {2000, 1, 2000}, {2000, 1.2, 2400}, {3000, 1.1, 3300}, // 3300.0000000000005
		{200, 2, 400}, {1, 0.1, 1}, {4, 0.1, 1}, {14, 0.1, 1}, {16, 0.1, 2}, {333, 1.5, 500}, {1, 10, 10},
		{30 * 86400 * 1000, 10, 300 * 86400 * 1000},
	} {
		if got := scaledMillis(c.ms, c.scale); got != c.want {
			t.Errorf("%d ms × %v: %d, want %d", c.ms, c.scale, got, c.want)
		}
	}
	if most := scaledMillis(30*86400*1000, 10); most > math.MaxInt64/int64(time.Millisecond) {
		t.Error("the longest limit is no number of nanoseconds")
	}
}

// Only time is scaled, and what was granted is kept beside it.
func TestStepSpecScaled(t *testing.T) {
	granted := policy.Limits{CPUMillis: 100, WallMillis: 200, MemoryBytes: 3, Pids: 4, OutputBytes: 5, DiskBytes: 6, DiskFiles: 7,
		OpenFiles: 8, FileBytes: 9, StackBytes: 10, CPUs: 1.5}
	want := granted
	want.CPUMillis, want.WallMillis = 150, 300
	r := &Runner{config: Config{CPUScale: 1.5}, core: 1}
	if s := r.stepSpec(granted); s.limits != want || s.granted != granted || s.core != 1 {
		t.Errorf("%+v", s)
	}
	for scale, asked := range map[float64]float64{0: 0, 1: 0, 1.5: 100, 0.5: 100} {
		r := &Runner{config: Config{CPUScale: scale}}
		s := r.stepSpec(granted)
		a := appliedMillis("cpu_ms", s.limits.CPUMillis, s.granted.CPUMillis, "x")
		if a.Asked != asked || a.Value != float64(s.limits.CPUMillis) || a.Name != "cpu_ms" || a.EnforcedBy != "x" {
			t.Errorf("scale %v: %+v", scale, a)
		}
	}
}

// limit is what a step tells of one of its limits.
func (s *Step) limit(t *testing.T, name string) (value, asked float64) {
	t.Helper()
	for _, a := range s.Limits {
		if a.Name == name {
			return a.Value, a.Asked
		}
	}
	t.Errorf("nothing is told of %s", name)
	return 0, 0
}

func wantLimit(t *testing.T, s *Step, name string, value, asked float64) {
	t.Helper()
	if v, a := s.limit(t, name); v != value || a != asked {
		t.Errorf("%s: %v, asked %v; want %v and %v", name, v, a, value, asked)
	}
}

// A program that never ends is ended at the scaled limit, and not before; the unscaled
// Runner beside it is the control.
func TestScaledLimitsHold(t *testing.T) {
	spins := limited(shell("while :; do :; done"), policy.LimitRequest{CPUMillis: ptr[int64](200)})
	for _, c := range []struct{ scale, cpu, asked float64 }{{0, 200, 0}, {1, 200, 0}, {2, 400, 200}, {0.5, 100, 200}} {
		l := newLab(t, func(conf *Config) { conf.CPUScale = c.scale })
		r := l.run(t, &spins)
		if used := float64(r.Usage.CPUNanos) / 1e6; r.Verdict != CPULimit || used < c.cpu || used >= 2*c.cpu || r.CPUScale != c.scale {
			t.Errorf("scale %v: %s after %.1f ms of CPU time, the result says scale %v", c.scale, r.Verdict, used, r.CPUScale)
		}
		wantLimit(t, &r.Step, "cpu_ms", c.cpu, c.asked)
		if c.scale == 2 && !strings.Contains(r.Message, "the limit is 400 ms (cpu_ms)") {
			t.Errorf("%q", r.Message)
		}
	}
	l := newLab(t, func(conf *Config) { conf.CPUScale = 2 })
	sleeps := limited(shell("sleep 1000"), policy.LimitRequest{WallMillis: ptr[int64](150)})
	r := l.run(t, &sleeps)
	if r.Verdict != WallLimit || r.Usage.WallNanos < 300e6 || !strings.Contains(r.Message, "the wall limit of 300 ms (wall_ms)") {
		t.Errorf("%s after %d ns: %q", r.Verdict, r.Usage.WallNanos, r.Message)
	}
	wantLimit(t, &r.Step, "wall_ms", 300, 150)
	wantLimit(t, &r.Step, "memory_bytes", first(r.limit(t, "memory_bytes")), 0)
}

func first(a, _ float64) float64 { return a }

// Every step of a job has the scale: build, run, tests, checker and interactor. The
// policy's ceilings apply to what is asked for, not to what comes of it.
func TestScaledSteps(t *testing.T) {
	l := newLab(t, func(c *Config) { c.CPUScale = 2 })
	granted, err := l.config.Policies.Resolve("judge", policy.Request{HasBuild: true})
	if err != nil {
		t.Fatal(err)
	}
	job := doubles(test("", "1", "2"), test("", "1", "2"))
	job.Limits.CPUMillis, job.Tests[1].Limits.CPUMillis = ptr[int64](500), ptr[int64](300)
	job.Checker = checks(judge.Testlib, "#!/bin/sh\nexit 0\n")
	job.Checker.Limits.WallMillis = ptr[int64](700)
	r := l.run(t, job)
	if r.Verdict != OK {
		t.Fatalf("%s %q", r.Verdict, r.Message)
	}
	wantLimit(t, r.Build, "cpu_ms", 2*float64(granted.BuildLimits.CPUMillis), float64(granted.BuildLimits.CPUMillis))
	wantLimit(t, &r.Tests[0].Step, "cpu_ms", 1000, 500)
	wantLimit(t, &r.Tests[1].Step, "cpu_ms", 600, 300)
	wantLimit(t, r.Tests[0].Checker, "wall_ms", 1400, 700)

	talk := talks(bisects, "617")
	talk.Limits = policy.LimitRequest{WallMillis: ptr[int64](9000)}
	talk.Checker.Limits.WallMillis = ptr[int64](800)
	if r = l.run(t, talk); r.Verdict != OK {
		t.Fatalf("%s %q", r.Verdict, r.Message)
	}
	wantLimit(t, &r.Tests[0].Step, "wall_ms", 18000, 9000)
	wantLimit(t, r.Tests[0].Checker, "wall_ms", 18000+interactorAllowance, 9000+interactorAllowance)
}

// The policy's ceiling is for what is asked: what comes of it may be above.
func TestScaledAboveCeiling(t *testing.T) {
	l := newLab(t, func(c *Config) { c.CPUScale = 2 })
	var denied *policy.DeniedError
	job := limited(shell("true"), policy.LimitRequest{CPUMillis: ptr[int64](1 << 40)})
	if _, err := l.Run(t.Context(), &job); !errors.As(err, &denied) {
		t.Fatalf("%v", err)
	}
	set := l.config.Policies.(resolver)
	p, err := set.Get(job.Policy)
	if err != nil {
		t.Fatal(err)
	}
	ceiling := *p.Limits.CPUMillis.Max
	job.Limits.CPUMillis = ptr(ceiling + 1)
	if _, err := l.Run(t.Context(), &job); !errors.As(err, &denied) {
		t.Errorf("above the ceiling of %d ms: %v", ceiling, err)
	}
	job.Limits.CPUMillis = ptr(ceiling)
	r := l.run(t, &job)
	wantLimit(t, &r.Step, "cpu_ms", 2*float64(ceiling), float64(ceiling))
}
