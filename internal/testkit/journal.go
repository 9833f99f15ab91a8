package testkit

import (
	"bytes"
	"sync"
)

// Journal is a log that may be read while many write it.
type Journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write keeps p.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// String is everything so far.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Reset forgets everything so far.
func (j *Journal) Reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Reset()
}
