package queue

import (
	"context"
	"errors"
	"testing"
)

// What servers would read as many subjects is no job's id: whoever asks for it is given the
// job of nobody.
func TestIDsThatMeanMany(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		q.submit("mine", func(s *Submission) { s.Tenant = "a" })
		q.claim("mine")
		for _, id := range []string{"*", ">", "", "a.b", "*.*", "mine*", "mine.>", "mine "} {
			if r, err := q.Get(t.Context(), id); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %+v, %v", id, r, err)
			}
			if _, err := q.Cancel(context.WithoutCancel(t.Context()), id); !errors.Is(err, ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}
