package bench

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestSpawn(t *testing.T) {
	if d, err := Spawn("/bin/true"); err != nil || d <= 0 {
		t.Errorf("true: %v, %v", d, err)
	}
	if _, err := Spawn("/bin/false"); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("false: %v", err)
	}
	if _, err := Spawn("/does/not/exist"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a missing program: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	var n atomic.Int64
	s, err := Measure("x", 2, 50, func() (time.Duration, error) {
		return time.Duration(n.Add(1)) * time.Millisecond, nil
	})
	if err != nil || s.Runs != 100 || s.P50 != 51 || s.P90 != 91 || s.P99 != 100 || s.PerSec <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := Measure("x", 1, 3, func() (time.Duration, error) { return 0, errors.New("no luck") }); err == nil || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("a failed run: %v", err)
	}
}

func TestCompare(t *testing.T) {
	r, err := Compare(Options{Program: "/bin/true", Count: 5, Rounds: 3, Job: func() (time.Duration, error) { return time.Second, nil }})
	if err != nil || len(r.Series) != 4 || r.Series[1].P50 != 1000 || r.Series[0].Runs != 15 || r.Series[2].Runs != 30 {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := 1000 / r.Series[0].P50; r.LatencyRatio != want {
		t.Errorf("ratio %v, want %v", r.LatencyRatio, want)
	}
}
