package sandbox

import (
	"sync"
	"time"
)

// Printed says when a stream had come how far.
type Printed struct {
	Stream int   `json:"stream"` // 0: stdout, 1: stderr
	End    int64 `json:"end"`    // bytes of the stream that had come, as far as they are kept
	At     int64 `json:"at_ns"`  // since the program was started
}

// Timeline notes when a program printed what, and in which order over both streams, as the
// service came to read it: what is written to two pipes between two looks at them has no
// order that anybody could know. What comes within markTime on one stream is one mark. Of
// many marks the first maxMarks are kept; of what is printed behind them the order is not.
type Timeline struct {
	mu    sync.Mutex
	clock func() int64 // since the program was started
	marks []Printed    // that do not change any more
	last  Printed      // that may grow
	sizes [2]int64
}

const (
	maxMarks = 4096
	markTime = time.Millisecond
)

// Begin starts anew with a program, whose time the clock tells.
func (t *Timeline) Begin(clock func() int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock, t.marks, t.last, t.sizes = clock, nil, Printed{}, [2]int64{}
}

// Heard notes that so many bytes came on a stream.
func (t *Timeline) Heard(stream, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sizes[stream] += int64(n)
	at := max(t.clock(), 0)
	if t.last.End > 0 && t.last.Stream == stream && at-t.last.At < int64(markTime) {
		t.last.End = t.sizes[stream]
		return
	}
	if len(t.marks) == maxMarks {
		return
	}
	if t.last.End > 0 {
		t.marks = append(t.marks, t.last)
	}
	t.last = Printed{stream, t.sizes[stream], at}
}

// Marks are those behind the first so many, which do not change any more but for the last.
func (t *Timeline) Marks(behind int) []Printed {
	t.mu.Lock()
	defer t.mu.Unlock()
	if behind > len(t.marks) {
		return nil
	}
	out := append([]Printed(nil), t.marks[behind:]...)
	if t.last.End > 0 {
		out = append(out, t.last)
	}
	return out
}
