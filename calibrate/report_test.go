package calibrate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/cores"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), 1) }

func TestAt(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1)*time.Millisecond)
	}
	for _, c := range []struct {
		sorted []time.Duration
		share  float64
		want   float64
	}{
		{hundred, 0.05, 5}, {hundred, 0.5, 50}, {hundred, 0.95, 95}, {hundred, 1, 100}, {hundred, 0, 1},
		{hundred[:1], 0.05, 1}, {hundred[:1], 0.95, 1}, {hundred[:5], 0.05, 1}, {hundred[:5], 0.5, 3}, {hundred[:5], 0.95, 5}, {hundred[:20], 0.95, 19},
	} {
		if got := at(c.sorted, c.share); got != c.want {
			t.Errorf("%v of %d: %v, want %v", c.share, len(c.sorted), got, c.want)
		}
	}
	for want, values := range map[float64][]float64{3: {3}, 2: {3, 1}, 5: {9, 5, 1}, 4: {100, 3, 5, 0}} {
		if got := middle(values); got != want {
			t.Errorf("the middle of %v: %v", values, got)
		}
	}
}

func repeated(times ...int) (out []time.Duration) {
	for _, ms := range times {
		out = append(out, time.Duration(ms)*time.Millisecond)
	}
	return out
}

var two = []kernel{{name: "a", reference: 20 * time.Millisecond}, {name: "b", reference: 40 * time.Millisecond}}

func TestSummarize(t *testing.T) {
	fast := newCore(3, two, measurement{repeated(10, 11, 10, 9, 10), repeated(80, 80, 80, 80, 80)})
	if a, b := fast.Kernels[0], fast.Kernels[1]; a.MedianMillis != 10 || a.P5Millis != 9 || a.P95Millis != 11 || !near(a.Spread, 0.2) || a.Speed != 2 ||
		a.Repetitions != 5 || b.Speed != 0.5 || b.Spread != 0 || fast.Core != 3 {
		t.Errorf("%+v", fast)
	}
	// Twice as fast in one and half as fast in the other: neither slower nor faster.
	if !near(fast.Scale, 1) {
		t.Errorf("scale %v", fast.Scale)
	}
	slow := newCore(7, two, measurement{repeated(40, 40, 44, 40, 40), repeated(320, 320, 320, 320, 320)})
	if !near(slow.Scale, 4) {
		t.Errorf("scale %v", slow.Scale)
	}
	r := summarize([]Core{*fast, *slow})
	if !near(r.Kernels[0].MedianMillis, 25) || !near(r.Kernels[1].MedianMillis, 200) || !near(r.Scale, 2.5) || !near(r.BetweenCores, 3/2.5) {
		t.Errorf("%+v", r)
	}
	if k := r.Kernels[0]; k.P5Millis != 9 || k.P95Millis != 44 || !near(k.Spread, 0.2) || k.Repetitions != 10 || !near(k.Speed, 0.8) || !near(r.Spread, 0.2) {
		t.Errorf("%+v", k)
	}
	if one := summarize([]Core{*slow}); !near(one.Scale, 4) || one.BetweenCores != 0 || !near(one.Kernels[0].Speed, 0.5) {
		t.Errorf("%+v", one)
	}
}

func TestTooNoisy(t *testing.T) {
	quiet := []Kernel{{Name: "a", Spread: 0.1}, {Name: "b", Spread: 0.02}}
	for name, c := range map[string]struct {
		kernels []Kernel
		noise   cores.Noise
		says    []string
	}{
		"quiet":           {quiet, cores.Noise{}, nil},
		"at the bound":    {quiet, cores.Noise{StealNanos: 200e6, PressureNanos: 50e6}, nil},
		"does not tell":   {quiet, cores.Noise{StealNanos: -1, PressureNanos: -1}, nil},
		"spread":          {[]Kernel{{Name: "a", Spread: 0.101}, {Name: "b"}}, cores.Noise{}, []string{"the a kernel"}},
		"no number":       {[]Kernel{{Name: "a"}, {Name: "b", Spread: math.NaN()}}, cores.Noise{}, []string{"the b kernel"}},
		"stolen":          {quiet, cores.Noise{StealNanos: 210e6, PressureNanos: -1}, []string{"hypervisor took 5.2 %"}},
		"pressed":         {quiet, cores.Noise{PressureNanos: 60e6}, []string{"waited for a processor for 6.0 %"}},
		"all of it":       {[]Kernel{{Name: "a", Spread: 2}, {Name: "b", Spread: 3}}, cores.Noise{StealNanos: 4e9, PressureNanos: 1e9}, []string{"the a", "the b", "took 100.0 %", "100.0 %"}},
		"only one core's": {quiet, cores.Noise{StealNanos: 190e6}, nil},
	} {
		r := &Report{Kernels: c.kernels, Machine: Machine{Processors: 4}, TooNoisy: []string{}}
		r.judge(c.noise, time.Second)
		if len(r.TooNoisy) != len(c.says) {
			t.Errorf("%s: %q", name, r.TooNoisy)
			continue
		}
		for i, word := range c.says {
			if !strings.Contains(r.TooNoisy[i], word) {
				t.Errorf("%s: %q, want %q", name, r.TooNoisy[i], word)
			}
		}
		if told := r.Noise.Steal >= 0; told != (c.noise.StealNanos >= 0) || r.Noise.Seconds != 1 {
			t.Errorf("%s: %+v", name, r.Noise)
		}
	}
}

// Each kernel comes to what its constant says, again and again; and one that does not is
// an error, not a measurement.
func TestKernels(t *testing.T) {
	all, done, err := kernels()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for i := range all {
		k := &all[i]
		for range 2 {
			if err := k.once(); err != nil {
				t.Error(err)
			}
		}
		k.outcome++
		if err := k.once(); err == nil || !strings.Contains(err.Error(), k.name) {
			t.Errorf("%s: a wrong outcome: %v", k.name, err)
		}
	}
	var names []string
	for _, k := range all {
		names = append(names, k.name)
	}
	if !slices.Equal(names, []string{"integer", "float", "memory"}) {
		t.Errorf("%q", names)
	}
}

// The way through the ring comes by every line before it comes home.
func TestRing(t *testing.T) {
	ring := make([]byte, 1<<16)
	link(ring)
	place, steps := 0, 0
	for {
		place = int(ring[place]) | int(ring[place+1])<<8 | int(ring[place+2])<<16
		if steps++; place == 0 || steps > len(ring) {
			break
		}
	}
	if steps != len(ring)/ringLine {
		t.Errorf("%d steps round, there are %d lines", steps, len(ring)/ringLine)
	}
}

func TestSift(t *testing.T) {
	h := make([]uint32, heapLength)
	first := sorts(h)
	if !slices.IsSorted(h) || h[0] == h[len(h)-1] {
		t.Error("not sorted")
	}
	if again := sorts(h); again != first {
		t.Error("not the same again")
	}
}

func TestRun(t *testing.T) {
	own, err := cores.Own()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(Options{Cores: own[:1], Length: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Cores) != 1 || r.Cores[0].Core != own[0] || len(r.Kernels) != 3 || !(r.Scale > 0) || r.Noise.Seconds <= 0 || r.Machine.Processor == "" || r.Machine.Kernel == "" {
		t.Errorf("%+v", r)
	}
	for _, k := range r.Kernels {
		if k.Repetitions != leastRounds || !(k.P5Millis > 0) || k.P5Millis > k.MedianMillis || k.MedianMillis > k.P95Millis {
			t.Errorf("%+v", k)
		}
	}
	if now, err := cores.Own(); err != nil || !slices.Equal(now, own) {
		t.Errorf("bound to %v behind it, %v before; %v", now, own, err)
	}
	if _, err := Run(Options{Cores: []int{1023}}); !slices.Contains(own, 1023) && (err == nil || !strings.Contains(err.Error(), "core 1023")) {
		t.Errorf("a core that is not there: %v", err)
	}
	if _, err := Run(Options{}); err == nil {
		t.Error("no core was taken")
	}
}
