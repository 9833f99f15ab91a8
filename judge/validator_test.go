package judge

import (
	"errors"
	"testing"
)

// What the default validator of problem packages can be told.
func TestIgnoreCaseAndSameSpace(t *testing.T) {
	fold, space := Comparison{Mode: Tokens, IgnoreCase: true}, Comparison{Mode: Tokens, SameSpace: true}
	floats := Comparison{Mode: Float, Abs: 0.1, IgnoreCase: true, SameSpace: true}
	for _, c := range []struct {
		comparison    Comparison
		expected, got string
		message       string // "": equal
	}{
		{fold, "Yes no\n", "yES   NO", ""},
		{fold, "@[`{ \xc4", "@[`{ \xc4\n", ""},
		{fold, "@", "`", "line 1, token 1: expected @, got `"},
		{fold, "[", "{", "line 1, token 1: expected [, got {"},
		{fold, "\xc4", "\xe4", "line 1, token 1: expected \"\ufffd\", got \"\ufffd\""},
		{fold, "yes", "yess", "line 1, token 1: expected yes, got yess"},
		{fold, "1.0", "1", "line 1, token 1: expected 1.0, got 1"},
		{Comparison{Mode: Tokens}, "Yes", "yes", "line 1, token 1: expected Yes, got yes"},
		{space, "a b\nc\n", "a b\nc\n", ""},
		{space, "a b", "a  b", `line 1, column 3: expected the white space " ", got "  "`},
		{space, "a b\n", "a b", `line 1, column 4: expected the white space "\n", got ""`},
		{space, "a b", "a b\n", `line 1, column 4: expected the white space "", got "\n"`},
		{space, "a", " a", `line 1, column 1: expected the white space "", got " "`},
		{space, "a\nb", "a\n\nb", `line 2, column 1: expected the white space "\n", got "\n\n"`},
		{space, "a", "A", "line 1, token 1: expected a, got A"},
		{space, "a b", "a", "line 1: the output ends, expected b"},
		{floats, "1.00 Yes\n", "1.05 yes\n", ""},
		{floats, "1.00 Yes\n", "1.05  yes\n", `line 1, column 6: expected the white space " ", got "  "`},
		{floats, "1.00 Yes\n", "1.25 yes\n", "line 1, token 1: expected 1.00, got 1.25, which differs by 0.25"},
		{floats, "INF", "inf", ""},
	} {
		d := c.comparison.Compare([]byte(c.expected), []byte(c.got))
		if d == nil && c.message == "" {
			continue
		}
		if d == nil || d.Message != c.message {
			t.Errorf("%+v: %q and %q: %+v, want %q", c.comparison, c.expected, c.got, d, c.message)
			continue
		}
		sound(t, []byte(c.expected), []byte(c.got), d)
	}
	for _, m := range Modes() {
		for field, c := range map[string]Comparison{"ignore_case": {Mode: m, Abs: settings[m].Abs, IgnoreCase: true}, "same_space": {Mode: m, Abs: settings[m].Abs, SameSpace: true}} {
			var wrong *FieldError
			err := c.Check()
			if taken := m == Tokens || m == Float; taken != (err == nil) || !taken && (!errors.As(err, &wrong) || wrong.Field != field) {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}
