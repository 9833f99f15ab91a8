package judge

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// genOutput draws an output out of few pieces, so that two of them often have something
// in common.
func genOutput() *rapid.Generator[[]byte] {
	piece := rapid.SampledFrom([]string{"\n", "\n", " ", "\t", "\r\n", "\v", "\f", "\r", "a", "b", "ab", "\x00", "\xff", "é", "1", "1.0", "1.1", "0.9", "1e0", "-0", "0", "1e400", "nan", "-", ".", "e", "5"})
	return rapid.Custom(func(t *rapid.T) []byte {
		return []byte(strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), ""))
	})
}

// genPair draws an expected output, and another or one that differs from it in few places.
func genPair(t *rapid.T) (expected, got []byte) {
	expected = genOutput().Draw(t, "expected")
	if rapid.Bool().Draw(t, "unrelated") {
		return expected, genOutput().Draw(t, "got")
	}
	at := rapid.IntRange(0, len(expected)).Draw(t, "at")
	to := rapid.IntRange(at, min(at+2, len(expected))).Draw(t, "to")
	put := rapid.SampledFrom([]string{"", " ", "\n", "\r", "0", "x", " \n"}).Draw(t, "put")
	return expected, fmt.Append(nil, string(expected[:at]), put, string(expected[to:]))
}

func genComparison(t *rapid.T, mode Mode) Comparison {
	c := Comparison{Mode: mode}
	if mode == Float {
		some := rapid.SampledFrom([]float64{0, 1e-9, 0.1, 0.11})
		c.Abs, c.Rel = some.Draw(t, "abs"), some.Draw(t, "rel")
		if c.Abs == 0 && c.Rel == 0 {
			c.Rel = 0.1
		}
	}
	return c
}

// weaker says that what the first mode takes for equal, the second does, too.
var weaker = [][2]Mode{{Exact, Trim}, {Trim, Tokens}, {Tokens, Float}, {Trim, UnorderedLines}}

func TestModesGetWeaker(t *testing.T) {
	accepted := map[Mode]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			expected, got := genPair(t)
			equal := map[Mode]bool{}
			for _, m := range Modes() {
				equal[m] = genComparison(t, m).Compare(expected, got) == nil
				if equal[m] {
					accepted[m]++
				}
			}
			for _, w := range weaker {
				if equal[w[0]] && !equal[w[1]] {
					t.Errorf("%q and %q are equal by %s and not by %s", expected, got, w[0], w[1])
				}
			}
		}
	})
	for _, m := range Modes() {
		if accepted[m] == 0 {
			t.Errorf("no pair was equal by %s: there was nothing to see", m)
		}
	}
}

func TestReflexive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.OneOf(genOutput(), rapid.SliceOf(rapid.Byte())).Draw(t, "output")
		for _, m := range Modes() {
			c := genComparison(t, m)
			// Past the test for the same bytes, which answers by itself.
			if d := c.Compare(append(b[:len(b):len(b)], '\n'), append(b[:len(b):len(b)], ' ')); d != nil && m != Exact {
				t.Errorf("%v: %q with other white space at its end: %+v", c, b, d)
			}
			if d := c.Compare(b, b); d != nil {
				t.Errorf("%v: %q and itself: %+v", c, b, d)
			}
		}
	})
}

// Only Float takes the expected number as the measure; the others do not know which is which.
func TestSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expected, got := genPair(t)
		for _, m := range Modes() {
			c := genComparison(t, m)
			c.Rel = 0
			if (c.Compare(expected, got) == nil) != (c.Compare(got, expected) == nil) {
				t.Errorf("%v: %q and %q are equal one way only", c, expected, got)
			}
		}
	})
}

// The order of lines counts for nothing, in the one mode that says so.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOf(rapid.SampledFrom([]string{"a", "b", "", "a b", "é"})).Draw(t, "lines")
		other := rapid.Permutation(lines).Draw(t, "other")
		// A last line that is not blank, so that none is at the end.
		expected, got := strings.Join(append(lines, "end"), "\n"), strings.Join(append(other, "end"), "\r\n")
		if d := settings[UnorderedLines].Compare([]byte(expected), []byte(got)); d != nil {
			t.Errorf("%q and %q: %+v", expected, got, d)
		}
	})
}

func agrees(t interface{ Errorf(string, ...any) }, c Comparison, expected, got []byte) {
	d := c.Compare(expected, got)
	if want := modelEqual(c, expected, got); (d == nil) != want {
		t.Errorf("%+v: %q and %q: %+v, want equal: %t", c, expected, got, d, want)
	}
	if d != nil {
		sound(t, expected, got, d)
	}
}

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expected, got := genPair(t)
		for _, m := range Modes() {
			agrees(t, genComparison(t, m), expected, got)
		}
	})
}

// Numbers at and about the bound, against arithmetic without rounding.
func TestFloatAgainstModel(t *testing.T) {
	near := 0
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`[0-9]{1,24}(\.[0-9]{0,24})?`).Draw(t, "digits")
		exp := rapid.SampledFrom([]string{"", "", "e-3", "e5", "e-310", "e280"}).Draw(t, "exp")
		c := Comparison{Mode: Float}
		tol := rapid.SampledFrom([]float64{1e-6, 0.5, 1e-12, 0.1, 3e-7}).Draw(t, "tolerance")
		if rapid.Bool().Draw(t, "relative") {
			c.Rel = tol
		} else {
			c.Abs = tol
		}
		e := modelNumber(digits + exp)
		if e == nil {
			t.Skip("too large")
		}
		// The bound itself, and a little beside it.
		by, _ := modelNumber("0").SetString(fmt.Sprint(tol))
		if c.Rel > 0 {
			by.Mul(by, e)
		}
		beside, _ := modelNumber("0").SetString(rapid.SampledFrom([]string{"0", "0", "1e-15", "-1e-15", "1e-40", "-1e-40", "0.1"}).Draw(t, "beside"))
		by.Add(by, beside.Mul(beside, by))
		if rapid.Bool().Draw(t, "less") {
			by.Neg(by)
		}
		got := e.Add(e, by).FloatString(400)
		if modelClose(c, digits+exp, got) {
			near++
		}
		agrees(t, c, []byte(digits+exp), []byte(got))
	})
	if near == 0 {
		t.Error("no number was close enough: the bound was never met")
	}
}
