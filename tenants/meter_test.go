package tenants

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func meter() (*Meter, *time.Time) {
	m, now := NewMeter(), noon
	m.now = func() time.Time { return now }
	return m, &now
}

func TestRate(t *testing.T) {
	m, now := meter()
	l := &Limits{Rate: 2, Burst: 3}
	for i := range 3 {
		if wait := m.Come("a", l); wait != 0 {
			t.Fatalf("job %d waits for %v", i, wait)
		}
	}
	for range 3 { // being refused does not make it longer
		if wait := m.Come("a", l); wait != 500*time.Millisecond {
			t.Errorf("wait %v", wait)
		}
	}
	if wait := m.Come("b", l); wait != 0 {
		t.Errorf("another tenant waits for %v", wait)
	}
	*now = now.Add(500 * time.Millisecond)
	if wait := m.Come("a", l); wait != 0 {
		t.Errorf("wait %v after as long as was said", wait)
	}
	if wait := m.Come("a", &Limits{Rate: 0.5, Burst: 3}); wait != 2*time.Second {
		t.Errorf("with another rate: %v", wait)
	}
	if wait := m.Come("a", &Limits{}); wait != 0 {
		t.Errorf("without one: %v", wait)
	}
	*now = now.Add(time.Hour)
	for range 2 { // no burst: as rate, and one at least
		if wait := m.Come("c", &Limits{Rate: 1.5}); wait != 0 {
			t.Errorf("wait %v", wait)
		}
	}
	if wait := m.Come("c", &Limits{Rate: 1.5}); wait == 0 {
		t.Error("a third at once is taken")
	}
}

func TestEnter(t *testing.T) {
	m, _ := meter()
	var leave []func()
	for i := range 3 {
		out, ok := m.Enter("a", "x", 2)
		if ok != (i < 2) {
			t.Fatalf("%d: %v", i, ok)
		}
		leave = append(leave, out)
	}
	if _, ok := m.Enter("a", "y", 2); !ok {
		t.Error("elsewhere it is full, too")
	}
	if _, ok := m.Enter("b", "x", 2); !ok {
		t.Error("for another it is full")
	}
	leave[0]()
	leave[0]() // once
	if _, ok := m.Enter("a", "x", 2); !ok {
		t.Error("what was left is not free")
	}
	if _, ok := m.Enter("a", "x", 2); ok {
		t.Error("who left twice left two")
	}
}

// TestCPUModel: what is used is the sum of all that was charged within the hour, up to a
// minute more; and who waits as long as it is told has rested enough, and not a minute
// sooner.
func TestCPUModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, now := meter()
		type charge struct {
			at  time.Time
			cpu time.Duration
		}
		var all []charge
		l := &Limits{CPUPerHour: float64(rapid.IntRange(1, 100).Draw(t, "limit"))}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			*now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			cpu := time.Duration(rapid.IntRange(0, 30_000).Draw(t, "cpu")) * time.Millisecond
			m.Charge("a", cpu)
			all = append(all, charge{*now, cpu})
			var hour, more time.Duration
			for _, c := range all {
				if age := now.Sub(c.at); age < time.Hour {
					hour += c.cpu
				} else if age < time.Hour+slot {
					more += c.cpu
				}
			}
			used := m.Used("a")
			if used < hour || used > hour+more {
				t.Fatalf("used %v, want %v to %v", used, hour, hour+more)
			}
			wait := m.Rest("a", l)
			if (wait > 0) != (used.Seconds() >= l.CPUPerHour) {
				t.Fatalf("used %v of %v s, wait %v", used, l.CPUPerHour, wait)
			}
			if wait == 0 {
				continue
			}
			before := *now
			*now = before.Add(wait - time.Nanosecond)
			if m.Rest("a", l) == 0 {
				t.Fatalf("%v is longer than needed", wait)
			}
			if *now = before.Add(wait); m.Rest("a", l) != 0 {
				t.Fatalf("%v is not enough", wait)
			}
			*now = before
		}
	})
}

func TestChargesOutlastAStart(t *testing.T) {
	name := filepath.Join(t.TempDir(), UsageName)
	s := OpenMeter(name, nil)
	s.Close()
	if _, err := os.Stat(name); err == nil {
		t.Error("nothing was charged, and a file is there")
	}
	s = OpenMeter(name, nil)
	s.Charge("a", 3*time.Second)
	s.Charge("b", time.Second)
	s.Close()
	s = OpenMeter(name, nil)
	if s.Used("a") != 3*time.Second || s.Used("b") != time.Second || s.Used("c") != 0 {
		t.Errorf("%v %v", s.Used("a"), s.Used("b"))
	}
	// One that is killed has written down what it had some seconds before.
	s.Charge("a", time.Second)
	s.timer.Reset(0)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		m, _ := meter()
		m.now = time.Now
		if text, err := os.ReadFile(name); err == nil && m.take(text) == nil && m.Used("a") == 4*time.Second {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("a charge is not written down")
		}
	}
	s.Close()
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.WriteFile(name, []byte(`{"a":`), 0o600); err != nil {
		t.Fatal(err)
	}
	s = OpenMeter(name, nil)
	defer s.Close()
	if s.Used("a") != 0 {
		t.Errorf("%v of a file that is cut off", s.Used("a"))
	}
}
