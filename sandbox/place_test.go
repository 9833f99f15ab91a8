package sandbox

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

// A place that was reserved is one of those there are, until it is given back or its job
// has ended.
func TestReserve(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 1 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := l.Reserve(ctx, "", Promise{1 << 30, 2})
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Stats().Running; n != 1 {
		t.Errorf("%d places are taken", n)
	}
	gone, leave := context.WithCancel(ctx)
	leave()
	if _, err := l.Run(gone, shell("true")); !errors.Is(err, context.Canceled) {
		t.Errorf("there was a second place: %v", err)
	}
	job := shell("echo reserved")
	job.ID, job.Policy = "reserved", "default"
	r, err := p.Run(ctx, job)
	if err != nil || r.Verdict != OK || string(r.Stdout) != "reserved\n" {
		t.Fatalf("%+v, %v", r, err)
	}
	p.Give() // again
	if n := l.Stats().Running; n != 0 {
		t.Errorf("%d places are taken", n)
	}
	if p, err = l.Reserve(ctx, "", Promise{1 << 30, 2}); err != nil {
		t.Fatal(err)
	}
	p.Give()
	p.Give()
	l.Close()
	if _, err := l.Reserve(ctx, "", Promise{1 << 30, 2}); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("%v", err)
	}
}

func TestProgress(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	job := shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 2.5")
	job.ID, job.Policy = "progress", "default"
	var told atomic.Int64
	var last Usage
	job.Progress = func(u Usage) {
		if told.Add(1) > 1 && u.WallNanos <= last.WallNanos || u.CPUNanos < last.CPUNanos || u.MemoryPeakBytes <= 0 {
			t.Errorf("%+v after %+v", u, last)
		}
		last = u
	}
	r, err := l.Run(ctx, job)
	if err != nil || r.Verdict != OK {
		t.Fatalf("%+v, %v", r, err)
	}
	if told.Load() < 1 || last.CPUNanos == 0 || last.CPUNanos > r.Usage.CPUNanos || last.WallNanos > r.Usage.WallNanos {
		t.Errorf("told %d times, at last %+v of %+v", told.Load(), last, r.Usage)
	}
}
