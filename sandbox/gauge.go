package sandbox

import (
	"sync"
	"time"
)

// Sample is what a program has used so far, and what it has at this moment.
type Sample struct {
	Usage
	MemoryBytes int64 `json:"memory_bytes"`
	Pids        int64 `json:"pids"`
}

// Gauge lets others look at a program while it runs. Nothing is read unless somebody asks.
// What a job has of the kernel goes to another job behind it: so a gauge is closed before.
type Gauge struct {
	mu   sync.Mutex
	read func() (Sample, bool)
	last Sample
	at   time.Time // when last was read; zero: there is none
}

// gaugeRests is how long a sample is good for all who look: however many these are, the kernel
// is asked no more often.
const gaugeRests = 50 * time.Millisecond

// Read is what the program has used; false where none runs, or its counters cannot be read
// now.
func (g *Gauge) Read() (Sample, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.read == nil {
		return Sample{}, false
	}
	if !g.at.IsZero() && time.Since(g.at) < gaugeRests {
		return g.last, true
	}
	now, ok := g.read()
	if g.at = (time.Time{}); ok {
		g.last, g.at = now, time.Now()
	}
	return now, ok
}

// Show has it read by a function; nil: there is nothing to be read. When it returns the
// function before is not called any more. A gauge that is nil is nobody's.
func (g *Gauge) Show(read func() (Sample, bool)) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read, g.at = read, time.Time{}
}

// sample is for a Gauge.
func (r *running) sample() (s Sample, ok bool) {
	if r.warm.cell.ExecNanos() == 0 {
		return s, false
	}
	used, err := r.warm.group.Usage()
	if err != nil {
		return s, false
	}
	now, err := r.warm.group.Now()
	if err != nil {
		return s, false
	}
	// Of the processes init is none of the job's.
	return Sample{Usage: r.usage(used, monotonic()), MemoryBytes: now.MemoryBytes, Pids: max(now.Pids-1, 0)}, true
}
