package sandbox

import "sync"

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
}

// Read is what the program has used; false where none runs, or its counters cannot be read
// now.
func (g *Gauge) Read() (Sample, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.read == nil {
		return Sample{}, false
	}
	return g.read()
}

// Show has it read by a function; nil: there is nothing to be read. When it returns the
// function before is not called any more. A gauge that is nil is nobody's.
func (g *Gauge) Show(read func() (Sample, bool)) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read = read
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
