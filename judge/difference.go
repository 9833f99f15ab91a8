package judge

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Difference is the first place where two outputs differ. Columns count bytes: an
// output need not be text.
type Difference struct {
	Line         int    `json:"line"`          // 1-based, in the program's output; 0 where there is no one place: a line is missing (unordered_lines)
	Column       int    `json:"column"`        // 1-based; where the token starts, for tokens and float
	ExpectedLine int    `json:"expected_line"` // 1-based, in the expected output; 0 where nothing there corresponds (unordered_lines)
	Expected     string `json:"expected"`      // an excerpt around the place, at most 64 bytes, valid UTF-8; "" where the expected output has ended
	Got          string `json:"got"`           // the same of the program's output; "" where it has ended
	EndOfOutput  bool   `json:"end_of_output"` // the program's output ends here, and more is expected
	Message      string `json:"message"`       // one sentence for a person: "line 3, token 2: expected 17, got 18"
}

const (
	excerptBytes = 64
	leadBytes    = 16 // of them, before the place: even when each becomes a U+FFFD of 3 bytes, the place is still in
)

// excerpt is a part of one line or token around a place.
type excerpt struct {
	text          string
	before, after bool // something is left out there
}

// excerptOf takes the part of b[from:to] around the place at.
func excerptOf(b []byte, from, to, at int) excerpt {
	start := max(from, at-leadBytes)
	for k := 0; k < utf8.UTFMax-1 && start > from && !utf8.RuneStart(b[start]); k++ {
		start++ // not in the middle of a character
	}
	text, used := validUTF8(b[start:to], excerptBytes)
	return excerpt{text, start > from, start+used < to}
}

// validUTF8 is the beginning of b as UTF-8, at most most bytes, and how much of b that
// took. What is no UTF-8 becomes U+FFFD, byte by byte.
func validUTF8(b []byte, most int) (text string, used int) {
	var out strings.Builder
	for used < len(b) {
		r, size := utf8.DecodeRune(b[used:])
		if out.Len()+utf8.RuneLen(r) > most {
			break
		}
		out.WriteRune(r)
		used += size
	}
	return out.String(), used
}

// quoted shows white space and control characters, too.
func (x excerpt) quoted() string { return x.marked(strconv.Quote(x.text)) }

// word is quoted only when it could be taken for something else.
func (x excerpt) word() string {
	odd := func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == '"' || r == utf8.RuneError
	}
	if x.text == "" || strings.ContainsFunc(x.text, odd) {
		return x.quoted()
	}
	return x.marked(x.text)
}

func (x excerpt) marked(s string) string {
	if x.before {
		s = "…" + s
	}
	if x.after {
		s += "…"
	}
	return s
}

// sides says what was expected and what came, at the place named by where.
func (d *Difference) sides(where string, expected, got *excerpt, show func(excerpt) string) *Difference {
	switch {
	case got == nil:
		d.EndOfOutput, d.Expected = true, expected.text
		d.Message = fmt.Sprintf("%s: the output ends, expected %s", where, show(*expected))
	case expected == nil:
		d.Got = got.text
		d.Message = fmt.Sprintf("%s: expected the end of the output, got %s", where, show(*got))
	default:
		d.Expected, d.Got = expected.text, got.text
		d.Message = fmt.Sprintf("%s: expected %s, got %s", where, show(*expected), show(*got))
	}
	return d
}

// place is where an offset lies, 1-based.
func place(b []byte, at int) (line, column int) {
	return bytes.Count(b[:at], []byte{'\n'}) + 1, at - bytes.LastIndexByte(b[:at], '\n')
}

// commonPrefix is the length of what both begin with.
func commonPrefix(a, b []byte) int {
	n, k := min(len(a), len(b)), 0
	const block = 4096 // compared at once, which is many times faster than byte by byte
	for k+block <= n && bytes.Equal(a[k:k+block], b[k:k+block]) {
		k += block
	}
	for k < n && a[k] == b[k] {
		k++
	}
	return k
}
