package queue

import (
	"fmt"
	"slices"
	"testing"
)

// What an earlier start was cut off in is told, also where it runs again.
func TestCutOffIsTold(t *testing.T) {
	h := inMemory{NewMemory()}
	q := open(t, h, newClock(), nil)
	for _, again := range []bool{false, true} {
		id := fmt.Sprint(again)
		q.submit(id, func(s *Submission) { s.RetrySafe = again })
		q.claim(id)
	}
	q.close()
	var told []string
	open(t, h, newClock(), func(c *Config) {
		c.Settled = func(r *Record) { told = append(told, fmt.Sprint(r.ID, " ", r.State, " ", r.Attempts)) }
	})
	slices.Sort(told)
	if want := []string{"false interrupted 1", "true queued 1"}; !slices.Equal(told, want) {
		t.Errorf("%q, want %q", told, want)
	}
}
