package judge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestUnorderedManyLines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var all []string
	for i := range 20000 {
		for range i % 4 {
			all = append(all, fmt.Sprint("line ", i))
		}
	}
	expected := []byte(strings.Join(all, "\n"))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	both := func(got []string) (a, b *Difference) {
		text := []byte(strings.Join(got, "\n"))
		return unordered(&patience{}, newTable[uint32](expected), text), unordered(&patience{}, newTable[uint64](expected), text)
	}
	if a, b := both(all); a != nil || b != nil {
		t.Errorf("the same lines shuffled: %+v, %+v", a, b)
	}
	if a, b := both(all[1:]); a == nil || b == nil || *a != *b || a.Expected != all[0] || a.Line != 0 {
		t.Errorf("without %q: %+v, %+v", all[0], a, b)
	}
	more := slices.Concat(all, []string{"line 7"})
	if a, b := both(more); a == nil || b == nil || *a != *b || a.Line != len(more) {
		t.Errorf("with one line 7 too many: %+v, %+v", a, b)
	}
	changed := slices.Clone(all)
	changed[500] += "x"
	if a, b := both(changed); a == nil || b == nil || *a != *b || a.Line != 501 {
		t.Errorf("with another line 501: %+v, %+v", a, b)
	}
}

// Lines are told apart by their bytes, however their hashes fall.
func TestUnorderedWithCollisions(t *testing.T) {
	var all []string
	for i := range 1500 { // more than one size of the table
		all = append(all, fmt.Sprint(i))
	}
	expected := []byte(strings.Join(all, "\n"))
	slices.Reverse(all)
	for name, hash := range map[string]func([]byte) uint64{
		"all the same": func([]byte) uint64 { return ^uint64(0) },
		"the length":   func(b []byte) uint64 { return uint64(len(b)) },
	} {
		table := func() *table[uint32] {
			t := newTable[uint32](expected)
			t.hash = hash
			return t
		}
		if d := unordered(&patience{}, table(), []byte(strings.Join(all, "\n"))); d != nil {
			t.Errorf("%s: %+v", name, d)
		}
		if d := unordered(&patience{}, table(), []byte(strings.Join(all[1:], "\n")+"\n1500")); d == nil || d.Got != "1500" {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// What the program puts out does not make the table grow.
func TestUnorderedTableFollowsTheExpected(t *testing.T) {
	table := newTable[uint32]([]byte("a\nb\na\n" + strings.Repeat("c\n", 100000)))
	size := len(table.slots)
	if d := unordered(&patience{}, table, []byte(strings.Repeat("c\n", 100001))); d == nil || d.Line != 100001 {
		t.Errorf("%+v", d)
	}
	if len(table.slots) != size || table.used != 3 {
		t.Errorf("%d slots, %d used, for 3 different lines", len(table.slots), table.used)
	}
}
