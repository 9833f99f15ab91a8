package judge

import (
	"bytes"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// sound holds what is promised of every difference.
func sound(t interface{ Errorf(string, ...any) }, expected, got []byte, d *Difference) {
	if len(d.Expected) > 64 || len(d.Got) > 64 || len(d.Message) > 1000 {
		t.Errorf("an excerpt or the message is too long: %+v", d)
	}
	if !utf8.ValidString(d.Expected) || !utf8.ValidString(d.Got) || !utf8.ValidString(d.Message) {
		t.Errorf("not UTF-8: %+v", d)
	}
	if d.Message == "" || strings.ContainsAny(d.Message, "\n\r\x00\x1b") {
		t.Errorf("not one sentence: %q", d.Message)
	}
	if d.EndOfOutput && d.Got != "" {
		t.Errorf("something came after the end: %+v", d)
	}
	if (d.Line == 0) != (d.Column == 0) || d.Line == 0 && d.ExpectedLine == 0 || d.Line < 0 || d.Column < 0 {
		t.Errorf("no place: %+v", d)
	}
	if d.Line > bytes.Count(got, []byte{'\n'})+2 || d.ExpectedLine > bytes.Count(expected, []byte{'\n'})+2 {
		t.Errorf("a line that is not there: %+v", d)
	}
}

// The models say what equal means once more, in another and slower way.

const white = " \t\n\v\f\r"

func modelLines(b []byte) []string {
	all := strings.Split(string(b), "\n")
	for i := range all {
		all[i] = strings.TrimRight(all[i], white)
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

func modelTokens(b []byte) []string {
	return strings.FieldsFunc(latin1(b), func(r rune) bool { return r < 128 && strings.ContainsRune(white, r) })
}

// latin1 makes one character of each byte, so that functions on text can be used.
func latin1(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

func modelEqual(c Comparison, expected, got []byte) bool {
	switch c.Mode {
	case Trim:
		return slices.Equal(modelLines(expected), modelLines(got))
	case Tokens:
		return slices.Equal(modelTokens(expected), modelTokens(got))
	case Float:
		return slices.EqualFunc(modelTokens(expected), modelTokens(got), func(e, g string) bool { return e == g || modelClose(c, e, g) })
	case UnorderedLines:
		e, g := modelLines(expected), modelLines(got)
		slices.Sort(e)
		slices.Sort(g)
		return slices.Equal(e, g)
	}
	return string(expected) == string(got)
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE]([+-]?[0-9]+))?$`)

// modelNumber reads a number without any rounding.
func modelNumber(s string) *big.Rat {
	m := decimal.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(s), "e")
	n, ok := new(big.Rat).SetString(mantissa)
	if !ok || n.Sign() == 0 {
		return n
	}
	if exp, err := strconv.Atoi(m[3]); err == nil && -5000 < exp && exp < 5000 {
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exp, -exp))), nil))
		if exp < 0 {
			power.Inv(power)
		}
		n.Mul(n, power)
	} else if m[3] != "" {
		if strings.HasPrefix(m[3], "-") {
			return new(big.Rat)
		}
		return nil
	}
	size := new(big.Rat).Abs(n)
	if size.Cmp(power10(308)) >= 0 {
		return nil
	}
	if size.Cmp(new(big.Rat).Inv(power10(1000))) < 0 {
		return new(big.Rat)
	}
	return n
}

func power10(n int64) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil))
}

func modelClose(c Comparison, expected, got string) bool {
	e, g := modelNumber(expected), modelNumber(got)
	if e == nil || g == nil {
		return false
	}
	abs, _ := new(big.Rat).SetString(fmt.Sprint(c.Abs))
	rel, _ := new(big.Rat).SetString(fmt.Sprint(c.Rel))
	diff := new(big.Rat).Sub(e, g)
	diff.Abs(diff)
	return diff.Cmp(abs) <= 0 || diff.Cmp(rel.Mul(rel, new(big.Rat).Abs(e))) <= 0
}

// The model of a number knows what the table below says, too.
func TestModelNumber(t *testing.T) {
	for s, want := range map[string]string{"1.5e3": "1500", "-.5": "-1/2", "5.": "5", "+1e-2": "1/100", "1e400": "", "0e999999": "0", "1e-2000": "0", "nan": "", ".": ""} {
		n := modelNumber(s)
		if n == nil && want != "" || n != nil && n.RatString() != want {
			t.Errorf("%s: %v, want %q", s, n, want)
		}
	}
}
