package store

import (
	"errors"
	"strings"
	"testing"
)

// TestPutUnseen: a file that is there is written once more, and nothing tells that it was.
func TestPutUnseen(t *testing.T) {
	o := open(t, Config{MaxBytes: 100, MaxFiles: 10, MaxFileBytes: 100})
	var gone []string
	o.OnGone(func(sum string) { gone = append(gone, sum) })
	content := strings.Repeat("x", 40)
	sum := sumOf(content)
	for i := range 3 {
		named := sum
		if i == 2 {
			named = "" // whatever it is
		}
		f, unseen, err := o.PutUnseen(t.Context(), named, 40, strings.NewReader(content))
		if err != nil || f.Sum != sum || f.Size != 40 || !unseen {
			t.Fatalf("%d: %+v, %v, %v", i, f, unseen, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := o.Add(t.Context(), 40, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	f, unseen, err := o.PutUnseen(t.Context(), sum, 40, strings.NewReader(content))
	if err != nil || unseen {
		t.Errorf("what was added, too: %v, %v", unseen, err)
	}
	if err := errors.Join(seen.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if s := o.Stats(); s.Files != 1 || s.Bytes != 40 || s.WritingFiles != 0 {
		t.Errorf("%+v", s)
	}
	// What is wrong is told in the same words, whether the file is there or not.
	for _, other := range []string{"", "y", strings.Repeat("y", 40), strings.Repeat("y", 70)} {
		absent := sumOf("something else")
		_, _, there := o.PutUnseen(t.Context(), sum, int64(len(other)), strings.NewReader(other))
		_, _, not := o.PutUnseen(t.Context(), absent, int64(len(other)), strings.NewReader(other))
		if !errors.Is(there, ErrMismatch) && !errors.Is(there, ErrFull) || strings.ReplaceAll(there.Error(), sum, "") != strings.ReplaceAll(not.Error(), absent, "") {
			t.Errorf("%d bytes: %v, and for one that is not there: %v", len(other), there, not)
		}
	}
	if _, _, err := o.PutUnseen(t.Context(), "x", 1, strings.NewReader("x")); !errors.Is(err, ErrBadSum) {
		t.Error(err)
	}
	// The owner is told of what goes, to make room or otherwise; the store is not written to.
	f, _, err = o.PutUnseen(t.Context(), "", 70, strings.NewReader(strings.Repeat("z", 70)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), o.Delete(f.Sum)); err != nil {
		t.Fatal(err)
	}
	if len(gone) != 2 || gone[0] != sum || gone[1] != f.Sum {
		t.Errorf("%v went, want %s and %s", gone, sum, f.Sum)
	}
}
