package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheck(t *testing.T) {
	good := []Comparison{
		{Mode: Exact}, {Mode: Trim}, {Mode: Tokens}, {Mode: UnorderedLines},
		{Mode: Float, Abs: 1e-6, Rel: 0}, {Mode: Float, Abs: 0, Rel: 1e-6}, {Mode: Float, Abs: 1e-6, Rel: 1e-6}, {Mode: Float, Abs: 5e-324, Rel: 0}, {Mode: Float, Abs: 9e307, Rel: 0.999},
	}
	for _, c := range good {
		if err := c.Check(); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
	bad := map[Comparison]string{
		{}:                                "mode",
		{Mode: "Exact"}:                   "mode",
		{Mode: "unordered"}:               "mode",
		{Mode: Float}:                     "abs",
		{Mode: Tokens, Abs: 1}:            "abs",
		{Mode: Exact, Rel: 1}:             "rel",
		{Mode: Float, Abs: -1}:            "abs",
		{Mode: Float, Abs: 1, Rel: -1e-9}: "rel",
		{Mode: Float, Rel: 1}:             "rel",
		{Mode: Float, Abs: 1e308}:         "abs",
		{Mode: Float, Abs: math.Inf(1)}:   "abs",
		{Mode: Float, Rel: math.Inf(1)}:   "rel",
		{Mode: Float, Abs: math.Inf(-1)}:  "abs",
		{Mode: Float, Abs: math.NaN()}:    "abs",
		{Mode: Float, Rel: math.NaN()}:    "rel",
		{Mode: Trim, Rel: math.NaN()}:     "rel",
	}
	for c, field := range bad {
		var wrong *FieldError
		if err := c.Check(); !errors.As(err, &wrong) || wrong.Field != field || wrong.Given == "" || wrong.Allowed == "" {
			t.Errorf("%v: %v, want a *FieldError of %s", c, err, field)
		}
		if d := c.Compare([]byte("1 2\n"), []byte("1 2")); d == nil {
			t.Errorf("%v: refused, and accepts other bytes", c)
		}
		if d := c.Compare([]byte("1 2\n"), []byte("1 2\n")); d != nil {
			t.Errorf("%v: refused, and does not accept the same bytes: %v", c, d)
		}
	}
	want := `mode: given "fuzzy"; allowed: exact, trim, tokens, float, unordered_lines`
	if got := (Comparison{Mode: "fuzzy"}).Check().Error(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// settings is a comparison of each mode.
var settings = map[Mode]Comparison{
	Exact: {Mode: Exact}, Trim: {Mode: Trim}, Tokens: {Mode: Tokens}, Float: {Mode: Float, Abs: 1e-6, Rel: 1e-6}, UnorderedLines: {Mode: UnorderedLines},
}

func TestModes(t *testing.T) {
	if len(Modes()) != len(settings) {
		t.Fatalf("%d modes, the tests know %d", len(Modes()), len(settings))
	}
	Modes()[0] = "changed"
	if Modes()[0] != Exact {
		t.Error("a caller can change the list of modes")
	}
	for _, m := range Modes() {
		if err := settings[m].Check(); err != nil {
			t.Error(err)
		}
	}
}

// Which modes take which pairs for equal: E exact, T trim, W tokens (words), F float, U
// unordered lines.
func TestEqual(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct{ expected, got, equal string }{
		{"", "", "ETWFU"},
		{"", "\n", "TWFU"},
		{"", " \t\v\f\r\n\n \n", "TWFU"},
		{" \n", "\n\n\n", "TWFU"},
		{"", "x", ""},
		{"x", "", ""},
		{"\n\n", "x", ""},
		{"a\n", "a", "TWFU"},
		{"a\n", "a\n\n\n", "TWFU"},
		{"a\nb\n", "a\r\nb\r\n", "TWFU"},
		{"a\nb\n", "a\rb\r", "WF"}, // a CR alone ends no line
		{"a\nb\n", "a \t\nb\v\f\r", "TWFU"},
		{"a\nb\n", " a\nb\n", "WF"},
		{"a\nb\n", "\na\nb\n", "WF"},
		{"a\nb\n", "a\n\nb\n", "WF"},
		{"a b\n", "a  b\n", "WF"},
		{"a b\n", "a\tb\n", "WF"},
		{"a b\n", "a\vb\f", "WF"},
		{"a b\n", "a\nb\n", "WF"},
		{"a b\n", "ab\n", ""},
		{"ab\n", "a b\n", ""},
		{"a\nb\n", "b\na\n", "U"},
		{"a\nb\n", "b\na \r\n\n\n", "U"},
		{"a\n\nb\n", "b\n\na\n", "U"},
		{"a\n\nb\n", "\na\nb", "WFU"},
		{"a\n\nb\n", "b\na\n\n", ""}, // a blank line in between counts, one at the end does not
		{"a\na\nb\n", "a\nb\nb\n", ""},
		{"a\na\nb\n", "a\nb\na\n", "U"},
		{"a\na\n", "a\n", ""},
		{"a\n", "a\na\n", ""},
		{"Yes\n", "YES\n", ""}, // letters are not folded
		{"1.0\n", "1.00\n", "F"},
		{"1 2\n", "2 1\n", ""},
		{"a\x00b\n", "a\x00b", "TWFU"},
		{"a\x00\n", "a\n", ""}, // NUL is no white space
		{"\xff\xfe\n", "\xff\xfe", "TWFU"},
		{"\xff\n", "\xfe\n", ""},
		{"a\xa0b\n", "a b\n", ""},     // nor is the no-break space of Latin-1
		{"a\u00a0b\n", "a b\n", ""},   // or of UTF-8
		{"a\u2028b\n", "a\nb\n", ""},  // or a line separator
		{"\ufeffa\n", "a\n", ""},      // a byte order mark is a part of the first word
		{"\u00e9\n", "e\u0301\n", ""}, // characters are bytes: nothing is normalised
		{long, long + "\n", "TWFU"},
		{long + "\n", long + "x\n", ""},
		{long + "a\n" + long + "b\n", long + "b\n" + long + "a\n", "U"},
	} {
		for mode, letter := range map[Mode]string{Exact: "E", Trim: "T", Tokens: "W", Float: "F", UnorderedLines: "U"} {
			want := strings.Contains(c.equal, letter)
			d := settings[mode].Compare([]byte(c.expected), []byte(c.got))
			if (d == nil) != want {
				t.Errorf("%s: %.40q and %.40q: %+v, want equal: %t", mode, c.expected, c.got, d, want)
			}
			if d != nil {
				sound(t, []byte(c.expected), []byte(c.got), d)
			}
			if back := settings[mode].Compare([]byte(c.got), []byte(c.expected)); (back == nil) != want {
				t.Errorf("%s: %.40q and %.40q: %+v, want equal: %t", mode, c.got, c.expected, back, want)
			}
		}
	}
}

// The whole account of a difference, as it is sent.
func TestDifference(t *testing.T) {
	x50 := strings.Repeat("x", 50)
	for _, c := range []struct {
		mode          Mode
		expected, got string
		want          Difference
	}{
		{Exact, "abc\ndef\n", "abc\ndxf\n", Difference{2, 2, 2, "def\n", "dxf\n", false, `line 2, column 2: expected "def\n", got "dxf\n"`}},
		{Exact, "3\n", "3", Difference{1, 2, 1, "\n", "", true, `line 1, column 2: the output ends, expected "\n"`}},
		{Exact, "3", "3\n", Difference{1, 2, 1, "", "\n", false, `line 1, column 2: expected the end of the output, got "\n"`}},
		{Exact, "a\nb\n", "a\r\nb\r\n", Difference{1, 2, 1, "a\n", "a\r\n", false, `line 1, column 2: expected "a\n", got "a\r\n"`}},
		{Exact, "", "\xff\x00", Difference{1, 1, 1, "", "\ufffd\x00", false, `line 1, column 1: expected the end of the output, got "�\x00"`}},
		{Exact, x50 + "a" + x50, x50 + "b", Difference{1, 51, 1, x50[:16] + "a" + x50[:47], x50[:16] + "b", false,
			`line 1, column 51: expected …"` + x50[:16] + "a" + x50[:47] + `"…, got …"` + x50[:16] + `b"`}},
		{Trim, "a\nb c\n", "a\nb  c\n", Difference{2, 3, 2, "b c", "b  c", false, `line 2, column 3: expected "b c", got "b  c"`}},
		{Trim, "a\n\nb\n", "a \n\n", Difference{2, 1, 3, "b", "", true, `line 2: the output ends, expected "b"`}},
		{Trim, "a\n", "a\n\n\nb\n", Difference{4, 1, 2, "", "b", false, `line 4: expected the end of the output, got "b"`}},
		{Trim, "", "\nb\n", Difference{2, 1, 1, "", "b", false, `line 2: expected the end of the output, got "b"`}},
		{Trim, "a", "", Difference{1, 1, 1, "a", "", true, `line 1: the output ends, expected "a"`}},
		{Tokens, "1 2\n3 17\n", "1 2\n\n3  18\n", Difference{3, 4, 2, "17", "18", false, "line 3, token 2: expected 17, got 18"}},
		{Tokens, "1 2 3", "1 2\n\n", Difference{1, 4, 1, "3", "", true, "line 1: the output ends, expected 3"}},
		{Tokens, "1\n", "1\n2 3\n", Difference{2, 1, 1, "", "2", false, "line 2, token 1: expected the end of the output, got 2"}},
		{Tokens, "", " \n x", Difference{2, 2, 1, "", "x", false, "line 2, token 1: expected the end of the output, got x"}},
		{Tokens, "x", " \n ", Difference{1, 1, 1, "x", "", true, "line 1: the output ends, expected x"}},
		{Tokens, "a", "\x1b[2J", Difference{1, 1, 1, "a", "\x1b[2J", false, `line 1, token 1: expected a, got "\x1b[2J"`}},
		{Tokens, "ä", "\xe4", Difference{1, 1, 1, "ä", "\ufffd", false, `line 1, token 1: expected ä, got "�"`}},
		{Tokens, x50 + "a", x50 + "b" + x50, Difference{1, 1, 1, x50[:16] + "a", x50[:16] + "b" + x50[:47], false,
			"line 1, token 1: expected …" + x50[:16] + "a, got …" + x50[:16] + "b" + x50[:47] + "…"}},
		{Float, "1 2.5\n", "1 2.6\n", Difference{1, 3, 1, "2.5", "2.6", false, "line 1, token 2: expected 2.5, got 2.6, which differs by 0.1"}},
		{Float, "1\n", "nan\n", Difference{1, 1, 1, "1", "nan", false, "line 1, token 1: expected 1, got nan, which is no number"}},
		{Float, "yes\n", "1\n", Difference{1, 1, 1, "yes", "1", false, "line 1, token 1: expected yes, got 1"}},
		{UnorderedLines, "a\nb\n", "b\nc \n", Difference{2, 1, 0, "", "c", false, `line 2: "c" is not among the expected lines`}},
		{UnorderedLines, "a\nb\n", "b\nb\n", Difference{2, 1, 0, "", "b", false, `line 2: "b" is there more often than expected`}},
		{UnorderedLines, "a\nb\nc\nb\nb\n", "b\nc\na\n", Difference{0, 0, 2, "b", "", false, `line 2 of the expected output is missing: "b", 2 times`}},
		{UnorderedLines, "a\n\n\nb\n", "b\na\n", Difference{0, 0, 2, "", "", false, `line 2 of the expected output is missing: "", 2 times`}},
		{UnorderedLines, "a\nb\nc\nd\n", "c\n", Difference{0, 0, 1, "a", "", false, `line 1 of the expected output is missing: "a"`}},
		{UnorderedLines, "a", "", Difference{0, 0, 1, "a", "", false, `line 1 of the expected output is missing: "a"`}},
	} {
		d := settings[c.mode].Compare([]byte(c.expected), []byte(c.got))
		if d == nil || *d != c.want {
			t.Errorf("%s: %q and %q:\n%+v, want\n%+v", c.mode, c.expected, c.got, d, c.want)
		}
	}
}

// However it is cut, an excerpt has the place in it, is UTF-8 and not too long.
func TestExcerpts(t *testing.T) {
	for _, filling := range []string{"x", "é", "語", "😀", "\xff", "\x00", "\xe8\xaa"} {
		for before := range 40 {
			for after := range 3 {
				head := strings.Repeat(filling, before)
				expected, got := []byte(head+"A"+strings.Repeat(filling, after*33)), []byte(head+"B"+strings.Repeat(filling, 66-after*33))
				for _, mode := range []Mode{Exact, Trim, Tokens, Float} {
					d := settings[mode].Compare(expected, got)
					sound(t, expected, got, d)
					if !strings.Contains(d.Expected, "A") || !strings.Contains(d.Got, "B") {
						t.Fatalf("%s, %d × %q before: %+v", mode, before, filling, d)
					}
					if utf8.ValidString(filling) && strings.Contains(d.Expected+d.Got, "\ufffd") {
						t.Fatalf("%s, %d × %q before: cut in the middle of a character: %+v", mode, before, filling, d)
					}
				}
			}
		}
	}
}

func TestDifferenceAsJSON(t *testing.T) {
	d := settings[Tokens].Compare([]byte("17"), []byte("18"))
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"line":1,"column":1,"expected_line":1,"expected":"17","got":"18","end_of_output":false,"message":"line 1, token 1: expected 17, got 18"}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

func ExampleComparison_Compare() {
	c := Comparison{Mode: Float, Abs: 1e-6}
	fmt.Println(c.Compare([]byte("area 3.141593\n"), []byte("area   3.1415927\n")))
	fmt.Println(c.Compare([]byte("area 3.141593\n"), []byte("area 3.14\n")).Message)
	// Output:
	// <nil>
	// line 1, token 2: expected 3.141593, got 3.14, which differs by 0.00159
}

// Who does not want to know any more need not wait, and is told nothing: neither that
// outputs are equal nor that they differ.
func TestCompareUntil(t *testing.T) {
	over := make(chan struct{})
	close(over)
	numbers, others := []byte(strings.Repeat("1.5 ", 1000)), []byte(strings.Repeat("1.50 ", 1000)+"2")
	lines, more := []byte(strings.Repeat("a\nb\n", 1000)), []byte(strings.Repeat("b\na\n", 1000)+"c")
	for _, c := range []struct {
		c             Comparison
		expected, got []byte
	}{
		{Comparison{Mode: Float, Abs: 0.1}, numbers, others},
		{Comparison{Mode: Tokens}, numbers, append([]byte("\n"), numbers...)},
		{Comparison{Mode: UnorderedLines}, lines, more},
	} {
		if d, finished := c.c.CompareUntil(over, c.expected, c.got); d != nil || finished {
			t.Errorf("%v: %v, finished %v", c.c.Mode, d, finished)
		}
		d, finished := c.c.CompareUntil(make(chan struct{}), c.expected, c.got)
		if want := c.c.Compare(c.expected, c.got); !finished || (d == nil) != (want == nil) || d != nil && d.Message != want.Message {
			t.Errorf("%v: %v, finished %v; want %v", c.c.Mode, d, finished, want)
		}
	}
}
