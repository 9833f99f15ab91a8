package judge

import (
	"math"
	"testing"
)

// fuzzMode holds a mode against its model.
func fuzzMode(f *testing.F, c Comparison) {
	for _, pair := range [][2]string{
		{"", ""}, {"a\n", "a\r\n\n"}, {"a b\nc\n", "c\na b"}, {"1.0 2\n", "1 2.0000001"}, {"\xff\x00\n", "\xff\x00 "}, {"é\n", "e\n"}, {"nan -0 1e400", "nan 0 1e401"},
	} {
		f.Add([]byte(pair[0]), []byte(pair[1]))
	}
	f.Fuzz(func(t *testing.T, expected, got []byte) { agrees(t, c, expected, got) })
}

func FuzzExact(f *testing.F)          { fuzzMode(f, Comparison{Mode: Exact}) }
func FuzzTrim(f *testing.F)           { fuzzMode(f, Comparison{Mode: Trim}) }
func FuzzTokens(f *testing.F)         { fuzzMode(f, Comparison{Mode: Tokens}) }
func FuzzUnorderedLines(f *testing.F) { fuzzMode(f, Comparison{Mode: UnorderedLines}) }

// FuzzFloat looks for numbers that are compared otherwise than without any rounding.
func FuzzFloat(f *testing.F) {
	for _, s := range []struct {
		expected, got string
		abs, rel      float64
	}{
		{"1", "1.000001", 1e-6, 0}, {"0", "-0.0", 0, 0.5}, {"1e-400", "1.5e-400", 0, 0.5}, {"9e307", "-9e307", 9e307, 0}, {"1e308", "10e307", 1, 0.1},
		{"9007199254740993", "9007199254740992", 0.5, 0}, {".5 5. +1", "0.5 5 1", 0.1, 0}, {"-1.2", "-1.3", 0.1, 0}, {"0x10 inf 1_0", "16 Inf 10", 9, 0.9},
	} {
		f.Add([]byte(s.expected), []byte(s.got), s.abs, s.rel)
	}
	f.Fuzz(func(t *testing.T, expected, got []byte, abs, rel float64) {
		c := Comparison{Mode: Float, Abs: math.Abs(abs), Rel: math.Abs(rel)}
		if c.Check() != nil {
			c = Comparison{Mode: Float, Abs: 1e-6, Rel: 1e-6}
		}
		if len(expected) > maxDigits || len(got) > maxDigits {
			t.Skip("the model counts more digits")
		}
		agrees(t, c, expected, got)
	})
}

func FuzzOutcome(f *testing.F) {
	for _, s := range []string{"", "ok", "points 0.5 x", "5", "points_info=x", "partially correct (40) x", "wrong answer \xff", "\x1b[31mFAIL"} {
		f.Add(true, 7, []byte(s))
		f.Add(true, 90, []byte(s))
		f.Add(false, 42, []byte(s))
	}
	f.Fuzz(func(t *testing.T, testlib bool, exit int, stderr []byte) {
		style := Kattis
		if testlib {
			style = Testlib
		}
		o := Outcome(style, exit, stderr)
		soundOpinion(t, o)
		// What a checker writes never makes an answer right; its exit status has to agree.
		if o.Accepted && exit != 0 && exit != 5 && exit != 7 && exit != 42 {
			t.Errorf("accepted with exit status %d: %+v", exit, o)
		}
		if !testlib && o.Points != nil {
			t.Errorf("points of a style that has none: %+v", o)
		}
	})
}
