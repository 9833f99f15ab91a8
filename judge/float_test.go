package judge

import (
	"math"
	"strings"
	"testing"
)

func TestParseNumber(t *testing.T) {
	nines := strings.Repeat("9", 30)
	for s, want := range map[string]number{
		"0": {}, "-0": {}, "+0": {}, "0.000": {}, ".0": {}, "0.": {}, "0e5": {}, "-0e-99999999999999999999": {}, "0e99999999999999999999": {},
		"1":                                   {mant: 1},
		"-1":                                  {neg: true, mant: 1},
		"+1":                                  {mant: 1},
		"007":                                 {mant: 7},
		"1.":                                  {mant: 1},
		".5":                                  {mant: 5, exp: -1, lead: -1},
		"1.50":                                {mant: 15, exp: -1},
		"1200":                                {mant: 12, exp: 2, lead: 3},
		"1e2":                                 {mant: 1, exp: 2, lead: 2},
		"1E+2":                                {mant: 1, exp: 2, lead: 2},
		"0.00120e-1":                          {mant: 12, exp: -5, lead: -4},
		"1e0000000000000000000":               {mant: 1},
		"9999999999999999999":                 {mant: 9999999999999999999, lead: 18},
		"99999999999999999990.00":             {mant: 9999999999999999999, exp: 1, lead: 19},
		nines:                                 {mant: 9999999999999999999, exp: 11, lead: 29, more: true},
		"0." + nines:                          {mant: 9999999999999999999, exp: -19, lead: -1, more: true},
		"10000000000000000000000000000000001": {mant: 1, exp: 34, lead: 34, more: true},
		"9e307":                               {mant: 9, exp: 307, lead: 307},
		"0.9e308":                             {mant: 9, exp: 307, lead: 307},
		"1e-1000":                             {mant: 1, exp: -1000, lead: -1000},
		"9e-1001":                             {},
		"1e-99999999999999999999":             {},
		strings.Repeat("0", 99) + "1" + strings.Repeat("0", 999) + "e-999": {mant: 1},
		"0." + strings.Repeat("0", 999) + "1e1000":                         {mant: 1},
	} {
		if n, ok := parseNumber([]byte(s)); !ok || n != want {
			t.Errorf("%s: %+v, %t, want %+v", s, n, ok, want)
		}
	}
	for _, s := range []string{
		"", "+", "-", ".", "-.", "e", "e5", ".e5", "1e", "1e+", "1e-", "1e5.0", "1.2.3", "1..2", "--1", "+-1", "1-", "1+1", "1e5e5",
		"inf", "-inf", "Infinity", "nan", "NaN", "-nan", "0x10", "0x1p4", "1_000", "1,5", "1'000", "1f", "1L", "1 ", "１", "1\x00", "\x001", "½", "1e308", "10e307", "1e99999999999999999999",
	} {
		if n, ok := parseNumber([]byte(s)); ok {
			t.Errorf("%q is a number: %+v", s, n)
		}
	}
}

func TestFloat(t *testing.T) {
	zeros, nines := strings.Repeat("0", 2000), strings.Repeat("9", 900)
	for _, c := range []struct {
		abs, rel      float64
		expected, got string
		equal         bool
	}{
		// On the bound, where the float64s lie beyond it.
		{1e-6, 0, "1", "1.000001", true},
		{1e-6, 0, "1", "0.999999", true},
		{1e-6, 0, "1", "1.0000010000000000000000000001", false},
		{1e-6, 0, "1", "1.0000011", false},
		{0.1, 0, "1.2", "1.3", true},
		{0.1, 0, "-1.2", "-1.3", true},
		{0.1, 0, "-0.05", "0.05", true},
		{0.1, 0, "-0.06", "0.05", false},
		{0.1, 0, "-0.05", "0.0500000000000000000001", false},
		// The tolerance is of the expected number, not of the other.
		{0, 0.1, "100", "110", true},
		{0, 0.1, "100", "90", true},
		{0, 0.1, "110", "100", true},
		{0, 0.1, "90", "100", false},
		{0, 0.1, "-100", "-110", true},
		{0, 0.1, "-100", "110", false},
		// Either suffices.
		{1e-6, 1e-6, "1000000", "1000001", true},
		{1e-6, 1e-6, "0.0000001", "0.000001", true},
		{1e-6, 1e-6, "10", "10.0001", false},
		// Of 0 no part is anything.
		{0, 0.5, "0", "0.0", true},
		{0, 0.5, "0", "-0", true},
		{0, 0.5, "-0.0", "0e7", true},
		{0, 0.5, "0", "1e-300", false},
		{0, 0.5, "0", "1e-400", false},
		{0, 0.5, "0", "1e-999", false},
		{0, 0.5, "1e-400", "0", false},
		{0, 0.5, "1e-400", "1.5e-400", true},
		{0, 0.5, "1e-400", "1.6e-400", false},
		{0, 0.5, "0", "1e-1001", true}, // is 0
		{5e-324, 0, "0", "5e-324", true},
		{5e-324, 0, "0", "5.1e-324", false},
		// Whole numbers beyond 2^53, which float64 does not tell apart.
		{0.5, 0, "9007199254740993", "9007199254740992", false},
		{1, 0, "9007199254740993", "9007199254740992", true},
		{1e-6, 0, "123456789012345678901234567890", "123456789012345678901234567891", false},
		{0, 1e-6, "123456789012345678901234567890", "123456789012345678901234567891", true},
		// Other ways to write it.
		{1e-9, 0, "1000", "1e3", true},
		{1e-9, 0, "1000", "+1.0E+03", true},
		{1e-9, 0, "0.5", ".5", true},
		{1e-9, 0, "5", "5.", true},
		{1e-9, 0, "0100", "100", true},
		{1e-9, 0, "1", "1." + zeros, true},
		{1e-9, 0, "1", zeros + "1", true},
		{1e-9, 0, "1", "0." + nines, true},
		{1e-9, 0, "1", "1" + zeros + "e-2000", true},
		{1e-9, 0, "0." + nines + "1", "0." + nines + "2", true},
		{0, 1e-300, "0." + nines, "0." + nines + "1", true},
		// Large.
		{0, 0.5, "9e307", "-9e307", false},
		{9e307, 0, "9e307", "-9e307", false},
		{9e307, 0, "9e307", "0", true},
		{0, 1e-6, "1e300", "1.0000001e300", true},
		{0, 1e-6, "1e300", "1.00001e300", false},
		{9e307, 0.9, "1e308", "1.1e308", false}, // words
		{9e307, 0.9, "1e308", "1e308", true},
		{9e307, 0.9, "1e308", "10e307", false},
		{9e307, 0.9, "5", "1e99999999999999999999999", false},
		{1, 0.9, "5", "1e-99999999999999999999999", false},
		// Words.
		{9, 0.9, "inf", "inf", true},
		{9, 0.9, "inf", "Inf", false},
		{9, 0.9, "nan", "nan", true},
		{9, 0.9, "nan", "-nan", false},
		{9, 0.9, "nan", "5", false},
		{9, 0.9, "5", "nan", false},
		{9, 0.9, "5", "inf", false},
		{9, 0.9, "16", "0x10", false},
		{9, 0.9, "5", "5%", false},
		{9, 0.9, "5", "5\x00", false},
		{9, 0.9, "5", "five", false},
		{9, 0.9, "x=5", "x=5.0", false},
		// Several.
		{1e-6, 0, "x 1.0\ny 2.0\n", "x 1 y 2.0000001", true},
		{1e-6, 0, "1 2 3", "1 2", false},
		{1e-6, 0, "1 2", "1 2 3", false},
	} {
		cmp := Comparison{Mode: Float, Abs: c.abs, Rel: c.rel}
		if err := cmp.Check(); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Compare([]byte(c.expected), []byte(c.got)); (d == nil) != c.equal {
			t.Errorf("abs %g, rel %g: %.40s and %.40s: %+v, want equal: %t", c.abs, c.rel, c.expected, c.got, d, c.equal)
		}
		if len(c.expected) < 100 && len(c.got) < 100 && modelEqual(cmp, []byte(c.expected), []byte(c.got)) != c.equal {
			t.Errorf("abs %g, rel %g: %s and %s: the model does not say %t", c.abs, c.rel, c.expected, c.got, c.equal)
		}
	}
}

// The estimate by float64 is as close as matches relies on: else the exact way would be
// left out where it is needed.
func TestEstimate(t *testing.T) {
	for _, s := range []string{"1", "0.1", "9999999999999999999", "99999999999999999999", "1.8446744073709551615", "9.99e307", "1e-299", "1e-300", "1e-301", "4.9e-324", "2.2250738585072014e-308",
		"1.7976931348623157e-290", "1234567890123456789e-310", "1234567890123456789e-330", "1e-640", "9999999999999999999e-641", "1e-1000", "9007199254740993", "9007199254740993e-20"} {
		n, ok := parseNumber([]byte(s))
		if !ok {
			t.Fatal(s)
		}
		want, _ := modelNumber(s).Float64()
		if off := math.Abs(n.float() - want); off > want*0x1p-50+1e-323 {
			t.Errorf("%s: %g, off by %g", s, n.float(), off)
		}
	}
}
