package sandbox

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
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

// TestGauge: what is read of a program grows while it runs, is no more than its account in
// the end, and there is nothing to be read before and behind it.
func TestGauge(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	job := shell("while :; do :; done & read line; kill $!; exit 0")
	job.ID, job.Policy, job.StdinFile = "gauge", "default", in
	job.Gauge = &Gauge{}
	if s, ok := job.Gauge.Read(); ok {
		t.Errorf("before the start: %+v", s)
	}
	ended := make(chan *Result, 1)
	go func() {
		r, err := l.Run(ctx, job)
		if err != nil {
			t.Error(err)
		}
		ended <- r
	}()
	var first, last Sample
	for ok := false; !ok || first.CPUNanos == 0; first, ok = job.Gauge.Read() {
		time.Sleep(time.Millisecond)
		if ctx.Err() != nil {
			t.Fatal("nothing to be read")
		}
	}
	for ok := true; ok && last.CPUNanos <= first.CPUNanos; last, ok = job.Gauge.Read() {
		time.Sleep(time.Millisecond)
		if ctx.Err() != nil {
			t.Fatal("it does not grow")
		}
	}
	if _, err := out.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	r := <-ended
	if r == nil || r.Verdict != OK {
		t.Fatalf("%+v", r)
	}
	if last.WallNanos <= first.WallNanos || last.CPUNanos > r.Usage.CPUNanos || last.WallNanos > r.Usage.WallNanos ||
		last.MemoryBytes <= 0 || last.MemoryBytes > r.Usage.MemoryPeakBytes+1<<20 || last.Pids < 1 || last.Pids > 3 {
		t.Errorf("%+v, then %+v, at last %+v", first, last, r.Usage)
	}
	if s, ok := job.Gauge.Read(); ok {
		t.Errorf("behind the end: %+v", s)
	}
}
