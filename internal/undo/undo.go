// Package undo collects steps that take back what was done, to be run in reverse
// unless everything went well.
package undo

// Stack holds the steps. The zero value is ready.
type Stack struct{ steps []func() }

// Add puts a step on top.
func (s *Stack) Add(step func()) { s.steps = append(s.steps, step) }

// Run runs all steps, the last one first, and forgets them.
func (s *Stack) Run() {
	for i := len(s.steps) - 1; i >= 0; i-- {
		s.steps[i]()
	}
	s.steps = nil
}

// Release forgets all steps: what was done stays.
func (s *Stack) Release() { s.steps = nil }
