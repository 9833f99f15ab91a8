package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What is no id of a job asks the journal nothing: neither for all that there is, nor so that
// its servers hang up.
func TestIDsOfNoJob(t *testing.T) {
	everywhere(t, func(t *testing.T, h home) {
		q := open(t, h, newClock(), nil)
		if _, _, err := q.Submit(t.Context(), Submission{ID: "job0", Request: []byte("x"), Priority: Normal, TTL: 1 << 50}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"*", ">", "", ".", "job0.", "a b", "*.*", strings.Repeat("x", 5000), strings.Repeat("x", 30000)} {
			ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
			began := time.Now()
			r, err := q.Get(ctx, id)
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("Get %.10q: %s, %v after %v", id, r.ID, err, time.Since(began))
			}
			if _, err := q.Cancel(ctx, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Cancel %.10q: %v after %v", id, err, time.Since(began))
			}
			stop()
		}
		if _, _, err := q.Submit(t.Context(), Submission{ID: "job1", Request: []byte("x"), Priority: Normal, TTL: 1 << 50}); err != nil {
			t.Errorf("the next submission: %v", err)
		}
	})
}
