package sandbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const turns = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; grep Cpus_allowed_list /proc/self/status | cut -f2"

func TestMeasure(t *testing.T) {
	l := newLab(t)
	job := shell(turns)
	job.Measure = Measure{Pin: true, Repeat: 5, WarmUp: true}
	r := l.run(t, job)
	m := r.Measured
	if r.Verdict != OK || m == nil || m.Runs != 5 || strings.TrimSpace(string(r.Stdout)) != fmt.Sprint(m.Core) {
		t.Fatalf("%s, %+v, allowed cores %q", r.Verdict, m, r.Stdout)
	}
	for name, s := range map[string]Spread{"cpu": m.CPU, "wall": m.Wall, "memory": m.Memory} {
		if s.Min <= 0 || s.Min > s.Median || s.Median > s.Max {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if r.Usage.CPUNanos != m.CPU.Median {
		t.Errorf("the account has %d ns of CPU time, the median is %d", r.Usage.CPUNanos, m.CPU.Median)
	}
	if _, err := os.Stat("/proc/pressure/cpu"); err == nil && m.Noise.StealNanos < 0 {
		t.Errorf("%+v", m.Noise)
	}
	job.Measure = Measure{}
	if r := l.run(t, job); r.Measured != nil {
		t.Errorf("not asked for: %+v", r.Measured)
	}
}

// The first run that does not end well is the last.
func TestMeasureStops(t *testing.T) {
	l := newLab(t)
	job := shell("exit 3")
	job.Measure.Repeat = 5
	if r := l.run(t, job); r.Verdict != Nonzero || r.Measured == nil || r.Measured.Runs != 1 || r.Measured.Core != noCore {
		t.Errorf("%s, %+v", r.Verdict, r.Measured)
	}
}

func TestMeasureSuite(t *testing.T) {
	l := newLab(t)
	job := doubles(test("a", "1", "2"), test("b", "2", "5"))
	job.Measure, job.ParallelTests = Measure{Pin: true, Repeat: 3}, 2
	r := l.run(t, job)
	if r.verdicts() != "ok wrong_answer" {
		t.Fatalf("%s", r.verdicts())
	}
	for i := range r.Tests {
		if m := r.Tests[i].Measured; m == nil || m.Runs != 3 || m.Core < 0 {
			t.Errorf("%+v", m)
		}
	}
	talk := talks(bisects, "617")
	talk.Limits.WallMillis = nil
	talk.Measure = Measure{Repeat: 2}
	if r := l.run(t, talk); r.Verdict != OK || r.Tests[0].Measured.Runs != 2 {
		t.Errorf("%s, %+v", r.Verdict, r.Tests[0])
	}
}

// No two pinned programs have one core, and who waits for one is let go.
func TestPinnedAlone(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 8 })
	cores := cap(l.cores)
	var mu sync.Mutex
	var wait sync.WaitGroup
	seen := map[string]int{}
	for range 2 * cores {
		wait.Go(func() {
			job := shell(turns)
			job.Measure.Pin = true
			r, err := l.Run(t.Context(), job)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || r.Verdict != OK {
				t.Errorf("%+v, %v", r, err)
				return
			}
			seen[strings.TrimSpace(string(r.Stdout))]++
		})
	}
	wait.Wait()
	if len(l.cores) != cores || len(seen) > cores {
		t.Errorf("%d of %d cores are free, %v", len(l.cores), cores, seen)
	}
	for range cores {
		<-l.cores // as if others had them
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	job := shell("true")
	job.Measure.Pin = true
	if _, err := l.Run(ctx, job); err != context.DeadlineExceeded {
		t.Error(err)
	}
}

func TestNoisy(t *testing.T) {
	second := Spread{Median: 1e9}
	for want, all := range map[bool][]Noise{false: {{}, {-1, -1, -1}, {49e6, 50e6, 0}}, true: {{51e6, 0, 0}, {0, 51e6, 0}, {-1, -1, 51e6}}} {
		for _, n := range all {
			if got := (&Measured{Runs: 1, Wall: second, Noise: n}).Noisy(); got != want {
				t.Errorf("%+v: %t", n, got)
			}
		}
	}
}
