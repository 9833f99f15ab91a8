package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"

	"cordon/sandbox"
)

// tracer writes the trace of each job as a line of JSON, for cordon bench --trace.
type tracer struct {
	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	err  error // the first
}

// newTracer writes to a file; without one there is no tracer.
func newTracer(path string) (*tracer, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &tracer{file: file, out: bufio.NewWriterSize(file, 1<<20)}, nil
}

// traced is what httpapi calls for each job; nil without a tracer.
func (t *tracer) traced() func(*sandbox.Trace) {
	if t == nil {
		return nil
	}
	return func(trace *sandbox.Trace) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := json.NewEncoder(t.out).Encode(trace.Marks); t.err == nil {
			t.err = err
		}
	}
}

// close writes what is left.
func (t *tracer) close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.err, t.out.Flush(), t.file.Close())
}
