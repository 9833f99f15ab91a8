package sandbox

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestGaugeManyLook: a thousand who look at once cost one look, and each gets the sample; what
// another program has used is never the last one's.
func TestGaugeManyLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, looks := &Gauge{}, int64(0)
		if _, ok := g.Read(); ok {
			t.Error("a sample of nothing")
		}
		g.Show(func() (Sample, bool) { looks++; return Sample{Pids: looks}, true })
		for range 1000 {
			if s, ok := g.Read(); !ok || s.Pids != 1 {
				t.Fatalf("%+v %v", s, ok)
			}
		}
		time.Sleep(gaugeRests)
		if s, ok := g.Read(); !ok || s.Pids != 2 || looks != 2 {
			t.Errorf("control: %+v %v, %d looks", s, ok, looks)
		}
		g.Show(func() (Sample, bool) { return Sample{Pids: 99}, true })
		if s, _ := g.Read(); s.Pids != 99 {
			t.Errorf("the sample of the program before: %+v", s)
		}
		g.Show(func() (Sample, bool) { looks++; return Sample{}, false })
		for range 2 {
			if _, ok := g.Read(); ok {
				t.Error("what could not be read is shown")
			}
		}
		g.Show(nil)
		if _, ok := g.Read(); ok {
			t.Error("a sample of a program that has ended")
		}
	})
}
