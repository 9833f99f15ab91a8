package sandbox

import "context"

// Trace holds when a job came to each point of its way, for benchmarks.
type Trace struct{ Marks []Mark }

// Mark is one point of a job's way, in CLOCK_MONOTONIC nanoseconds.
type Mark struct {
	Point string `json:"point"`
	Nanos int64  `json:"nanos"`
}

type traceKey struct{}

// WithTrace has the jobs that run under the context marked in t, one at a time.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceOf is the context's trace, or nil.
func TraceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Mark notes that a point has been reached now. A nil trace notes nothing.
func (t *Trace) Mark(point string) {
	if t != nil {
		t.at(point, monotonic())
	}
}

// at notes a point that was reached at another time.
func (t *Trace) at(point string, nanos int64) {
	if t != nil {
		t.Marks = append(t.Marks, Mark{point, nanos})
	}
}
