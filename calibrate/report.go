package calibrate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"cordon/internal/cores"
)

// Report is what was found. Shares are parts of 1.
type Report struct {
	Scale        float64   `json:"scale"`  // how many times as long as on the reference a program takes here
	Spread       float64   `json:"spread"` // the largest of all kernels and cores
	Date         time.Time `json:"date"`
	Machine      Machine   `json:"machine"`
	Reference    string    `json:"reference"`
	Kernels      []Kernel  `json:"kernels"` // over all cores
	Cores        []Core    `json:"cores"`
	BetweenCores float64   `json:"between_cores"` // from the fastest to the slowest, as a share of the scale
	Noise        Noise     `json:"noise"`
	TooNoisy     []string  `json:"too_noisy"` // why the scale is not to be trusted; empty: it is
}

// Kernel is what one kernel took.
type Kernel struct {
	Name         string  `json:"name"`
	Repetitions  int     `json:"repetitions"`
	MedianMillis float64 `json:"median_ms"`
	P5Millis     float64 `json:"p5_ms"`
	P95Millis    float64 `json:"p95_ms"`
	Spread       float64 `json:"spread"` // from p5 to p95, as a share of the median; of several cores the largest
	Speed        float64 `json:"speed"`  // against the reference: 2 is twice as fast
}

// Core is what one core gave.
type Core struct {
	Core    int      `json:"core"`
	Scale   float64  `json:"scale"`
	Kernels []Kernel `json:"kernels"`
}

// Noise is what the host did meanwhile, as a share of the time; -1 where it does not tell.
type Noise struct {
	Seconds  float64 `json:"seconds"`
	Steal    float64 `json:"steal"`    // the hypervisor gave processors of this machine to others
	Pressure float64 `json:"pressure"` // some task waited for a processor
}

// Machine is where it was.
type Machine struct {
	Processor  string `json:"processor"`
	Processors int    `json:"processors"`
	Virtual    bool   `json:"virtual"`
	Kernel     string `json:"kernel"`
}

// What a quiet host does not reach.
const (
	mostSpread = 0.10
	mostNoise  = 0.05 // of the time
)

// newCore sums up what one core took.
func newCore(core int, all []kernel, times measurement) *Core {
	c := &Core{Core: core}
	for i := range all {
		c.Kernels = append(c.Kernels, newKernel(&all[i], times[i]))
	}
	c.Scale = scale(c.Kernels)
	return c
}

// summarize puts cores together.
func summarize(found []Core) *Report {
	r := &Report{Reference: Reference, Cores: found, TooNoisy: []string{}}
	for i := range found[0].Kernels {
		r.Kernels = append(r.Kernels, over(found, i))
		r.Spread = max(r.Spread, r.Kernels[i].Spread)
	}
	r.Scale = scale(r.Kernels)
	slowest := slices.MaxFunc(r.Cores, bySlowness)
	fastest := slices.MinFunc(r.Cores, bySlowness)
	r.BetweenCores = (slowest.Scale - fastest.Scale) / r.Scale
	return r
}

func bySlowness(a, b Core) int {
	switch {
	case a.Scale < b.Scale:
		return -1
	case a.Scale > b.Scale:
		return 1
	}
	return 0
}

// newKernel sums up the repetitions on one core.
func newKernel(k *kernel, times []time.Duration) Kernel {
	sorted := slices.Sorted(slices.Values(times))
	out := Kernel{Name: k.name, Repetitions: len(sorted), MedianMillis: at(sorted, 0.5), P5Millis: at(sorted, 0.05), P95Millis: at(sorted, 0.95)}
	out.Spread = (out.P95Millis - out.P5Millis) / out.MedianMillis
	out.Speed = millis(k.reference) / out.MedianMillis
	return out
}

// at is the value that a share of all does not pass: the nearest rank.
func at(sorted []time.Duration, share float64) float64 {
	rank := int(math.Ceil(share * float64(len(sorted))))
	return millis(sorted[max(rank, 1)-1])
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// over is a kernel over all cores. Its spread is not that between cores.
func over(found []Core, i int) Kernel {
	first := found[0].Kernels[i]
	out := Kernel{Name: first.Name, P5Millis: first.P5Millis}
	var medians []float64
	for _, c := range found {
		one := c.Kernels[i]
		out.Repetitions += one.Repetitions
		out.P5Millis, out.P95Millis = min(out.P5Millis, one.P5Millis), max(out.P95Millis, one.P95Millis)
		out.Spread = max(out.Spread, one.Spread)
		medians = append(medians, one.MedianMillis)
	}
	out.MedianMillis = middle(medians)
	out.Speed = first.Speed * first.MedianMillis / out.MedianMillis
	return out
}

// middle is the median; of an even number the mean of the two.
func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// scale is the geometric mean of how much longer the kernels take: it is the same whether
// machine A is looked at from B, or B from A.
func scale(all []Kernel) float64 {
	var logs float64
	for _, k := range all {
		logs -= math.Log(k.Speed)
	}
	return math.Exp(logs / float64(len(all)))
}

// judge says what speaks against trusting the scale.
func (r *Report) judge(n cores.Noise, took time.Duration) {
	share := func(nanos int64) float64 {
		if nanos < 0 {
			return -1
		}
		return float64(nanos) / float64(took)
	}
	r.Noise = Noise{took.Seconds(), share(n.StealNanos), share(n.PressureNanos)}
	// The counter sums up what is taken of all processors, and this looked at one at a time.
	if r.Noise.Steal > 0 {
		r.Noise.Steal /= float64(max(r.Machine.Processors, 1))
	}
	for _, k := range r.Kernels {
		if !(k.Spread <= mostSpread) { // nor is what is no number
			r.TooNoisy = append(r.TooNoisy, fmt.Sprintf("repetitions of the %s kernel differ by %s, at most %s is wanted", k.Name, Percent(k.Spread), Percent(mostSpread)))
		}
	}
	if r.Noise.Steal > mostNoise {
		r.TooNoisy = append(r.TooNoisy, fmt.Sprintf("the hypervisor took %s of the processors' time, at most %s is wanted", Percent(r.Noise.Steal), Percent(mostNoise)))
	}
	if r.Noise.Pressure > mostNoise {
		r.TooNoisy = append(r.TooNoisy, fmt.Sprintf("tasks waited for a processor for %s of the time, at most %s is wanted", Percent(r.Noise.Pressure), Percent(mostNoise)))
	}
}

// Percent writes a share for people.
func Percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }
