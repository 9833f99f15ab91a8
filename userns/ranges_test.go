package userns

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// FuzzContiguous: ids that are counted are there, every one, and a map is read whole
// or not at all.
func FuzzContiguous(f *testing.F) {
	for _, text := range []string{"0 1000 1\n1 100000 65536\n", "         0       1000          1\n", "0 0 4294967295\n", "5 1 10\n1 50 5\n0 9 2",
		"0 1 1\n1 2\n", "1 0 4294967295\n4294967295 1 4294967295\n", "0 0 9223372036854775807\n", "+1 0 -1\n", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := contiguous(text)
		var lines [][3]uint64
		sound := true
		for line := range strings.Lines(text) {
			var l [3]uint64
			words := strings.Fields(line)
			for i := range l {
				if len(words) != 3 || !regexp.MustCompile(`^[0-9]+$`).MatchString(words[i]) {
					sound = false
					break
				}
				l[i], _ = strconv.ParseUint(words[i], 10, 64) // at the limit where it is too great
				sound = sound && l[i] < 1<<32
			}
			sound = sound && l[2] > 0
			lines = append(lines, l)
		}
		if sound != (err == nil) || n < 0 || err != nil && n != 0 {
			t.Fatalf("%q: %d, %v; sound: %v", text, n, err, sound)
		}
		for id := uint64(1); err == nil && id <= uint64(n); {
			i := slices.IndexFunc(lines, func(l [3]uint64) bool { return l[0] <= id && id < l[0]+l[2] })
			if i < 0 {
				t.Fatalf("%q: %d counted, and %d is not mapped", text, n, id)
			}
			id = lines[i][0] + lines[i][2]
		}
	})
}

// No two takers ever hold overlapping ids, and nothing is lost.
func TestRangesAreDisjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, 64).Draw(t, "count")
		r := NewRanges(count, nil)
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

// Processes of one user never give out the same pair, and together the whole range.
func TestRangesOfTwoProcesses(t *testing.T) {
	owner := map[int]int{}
	claim := func(who int) func(int) (io.Closer, error) {
		return func(block int) (io.Closer, error) {
			if o, taken := owner[block]; taken && o != who {
				return nil, ErrClaimed
			}
			owner[block] = who
			return io.NopCloser(nil), nil
		}
	}
	const pairs = 5*blockPairs + 7
	a, b := NewRanges(pairs*IDsPerCell, claim(1)), NewRanges(pairs*IDsPerCell, claim(2))
	held := map[int]bool{}
	for {
		var failed int
		for _, r := range []*Ranges{a, b} {
			first, err := r.Take()
			if errors.Is(err, ErrIDsExhausted) {
				failed++
				continue
			}
			if err != nil || held[first] {
				t.Fatalf("pair %d, %v: held already: %v", first, err, held[first])
			}
			held[first] = true
		}
		if failed == 2 {
			break
		}
	}
	if len(held) != pairs {
		t.Errorf("%d pairs in all, want %d", len(held), pairs)
	}
}

// The real claim: a second one of the same block is refused until the first ends.
func TestClaim(t *testing.T) {
	claim := claimFor(1 << 30) // nobody's id
	one, err := claim(3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(3); !errors.Is(err, ErrClaimed) {
		t.Errorf("a block was claimed twice: %v", err)
	}
	other, err := claim(4)
	if err != nil {
		t.Errorf("another block: %v", err)
	} else {
		other.Close()
	}
	one.Close()
	if again, err := claim(3); err != nil {
		t.Errorf("a block that was given up: %v", err)
	} else {
		again.Close()
	}
}
