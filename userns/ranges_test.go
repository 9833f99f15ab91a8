package userns

import (
	"testing"

	"pgregory.net/rapid"
)

func TestContiguous(t *testing.T) {
	for text, want := range map[string]int{
		"         0       1000          1\n         1     100000      65536\n": 65536,
		"0 1000 1\n":                           0,
		"0 1000 1\n1 100000 10\n11 300000 5\n": 15,
		"0 1000 1\n5 100000 10\n":              0,
		"0 0 4294967295\n":                     4294967294,
	} {
		if got, err := contiguous(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"x 1 2\n", "0 1\n", "0 0 -1\n", "0 0 0\n"} {
		if _, err := contiguous(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func FuzzContiguous(f *testing.F) {
	f.Add("0 1000 1\n1 100000 65536\n")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := contiguous(text); err == nil && n < 0 {
			t.Errorf("%q: %d", text, n)
		}
	})
}

// No two takers ever hold overlapping ids, and nothing is lost.
func TestRangesAreDisjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 64).Draw(t, "count")
		r := NewRanges(count)
		held := map[int]bool{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "take") {
				first, err := r.Take()
				if err != nil {
					if len(held) != count/IDsPerCell {
						t.Fatalf("exhausted with %d of %d held", len(held), count/IDsPerCell)
					}
					continue
				}
				if held[first] || first < 1 || first+IDsPerCell-1 > count || (first-1)%IDsPerCell != 0 {
					t.Fatalf("pair %d given twice or out of 1..%d", first, count)
				}
				held[first] = true
			} else {
				for first := range held {
					delete(held, first)
					r.Give(first)
					break
				}
			}
			if r.Free()+len(held) != count/IDsPerCell {
				t.Fatal("a pair was lost")
			}
		}
	})
}
