package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cordon/internal/testkit"
)

// TestQueue measures a little of everything that has to do with the queue, and leaves
// nothing. Both tenants are the operator: whether they are treated alike is not its
// question.
func TestQueue(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	operator := func(_ context.Context, _, state string) (string, string, error) {
		const token = "the-token-of-the-operator"
		err := errors.Join(os.Mkdir(state, 0o700), os.WriteFile(filepath.Join(state, "token"), []byte(token), 0o600))
		return token, token, err
	}
	r, err := Measure(t.Context(), Options{Binary: testkit.Binary(t), Program: "/bin/true", Groups: []string{Queue}, Effort: Quick, Jobs: 60,
		Serve: []string{"--languages", "sh"}, Tenants: operator})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Figures {
		switch {
		case f.Group != Queue:
			if f.Value != nil || f.Missing == "" {
				t.Errorf("%s: %+v, missing %q: it was not asked for", f.ID, f.Value, f.Missing)
			}
		case f.Value == nil:
			t.Errorf("%s: not measured: %s", f.ID, f.Missing)
		case f.Value.Median < f.Value.Min || f.Value.Median > f.Value.Max || f.ID != "queue_memory" && f.Value.Median <= 0:
			t.Errorf("%s: %+v", f.ID, f.Value)
		}
	}
	if len(r.Series) != 7 {
		t.Errorf("%d series: %+v", len(r.Series), r.Series)
	}
	for _, s := range r.Series {
		if s.Runs == 0 || s.P50.Median <= 0 || s.PerSecond.Median <= 0 {
			t.Errorf("%+v", s)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTail(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	if got := tail(hundred); got != 96 {
		t.Errorf("of 1 to 100: %v", got)
	}
	if got := tail([]float64{7}); got != 7 {
		t.Errorf("of one: %v", got)
	}
}

func TestSharesAreExact(t *testing.T) {
	for _, count := range []int{0, 1, 7, 8, 9, 10_001} {
		sum := 0
		for i := range eight {
			sum += share(count, i)
		}
		if sum != count {
			t.Errorf("%d: %d are sent", count, sum)
		}
	}
}
