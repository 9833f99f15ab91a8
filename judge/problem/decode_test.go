package problem

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestCompare(t *testing.T) {
	for _, tt := range []struct {
		flags string
		want  Compare
		err   string
	}{
		{"", Compare{}, ""},
		{"case_sensitive space_change_sensitive", Compare{CaseSensitive: true, SpaceSensitive: true}, ""},
		{"float_tolerance 1e-6", Compare{Floats: true, Absolute: 1e-6, Relative: 1e-6}, ""},
		{"float_tolerance 1E-6", Compare{Floats: true, Absolute: 1e-6, Relative: 1e-6}, ""},
		{"float_absolute_tolerance 0.01 case_sensitive float_relative_tolerance 0", Compare{CaseSensitive: true, Floats: true, Absolute: 0.01}, ""},
		{"float_relative_tolerance 2", Compare{Floats: true, Relative: 2}, ""},
		{"float_tolerance", Compare{}, "needs a number"},
		{"float_tolerance -1", Compare{}, "not negative"},
		{"float_tolerance nan", Compare{}, "not negative"},
		{"float_tolerance inf", Compare{}, "not negative"},
		{"float_tolerance 0x1p-4", Compare{}, "not negative"},
		{"float_tolerance 1e999", Compare{}, "not negative"},
		{"float_tolerance 1e-6x", Compare{}, "not negative"},
		{"case_sensitive case_sensitive", Compare{}, "twice"},
		{"float_tolerance 1 float_absolute_tolerance 1", Compare{}, "stands for both"},
		{"--float_tolerance 1", Compare{}, "no flag of the default validator"},
	} {
		got, err := compareOf(strings.Fields(tt.flags))
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %+v, %v", tt.flags, got, err)
		}
	}
}

func TestINI(t *testing.T) {
	got, err := parseINI("; a comment\n# another\n\r\nname = \"A \nB ; =\" ; behind\nshort-name='it''\n")
	if err == nil || err.Line != 6 || !strings.Contains(err.Given, "followed by") {
		t.Errorf("%+v %v", got, err)
	}
	got, err = parseINI("a=1 ; one\r\n b = 'two\nlines'\nc=\nd = x=y\n e=\"\";")
	want := []setting{{"a", "1", 1}, {"b", "two\nlines", 2}, {"c", "", 4}, {"d", "x=y", 5}, {"e", "", 6}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"[section]\n", "= 1", "x", "a = 'open", "\xff = 1"} {
		if got, err := parseINI(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

// checkErrors: every mistake says where, what and what instead.
func checkErrors(t *testing.T, err error, files ...string) {
	t.Helper()
	list, ok := err.(interface{ Unwrap() []error })
	if !ok || !errors.Is(err, ErrInvalid) {
		t.Fatalf("%T %v", err, err)
	}
	for _, e := range list.Unwrap() {
		var m Mistake
		if errors.As(e, &m) && (!slices.Contains(files, m.File) || m.Line < 0 || m.Given == "" || m.Wanted == "") {
			t.Fatalf("%+v", m)
		}
		for _, r := range e.Error() {
			if r < ' ' {
				t.Fatalf("%q", e)
			}
		}
	}
}

// FuzzProblemYAML: what is taken is within bounds; what is refused says why.
func FuzzProblemYAML(f *testing.F) {
	for _, s := range []string{minimal["problem.yaml"], "limits: {time_limit: 1.5, memory: 256, validation_time: 1}\nvalidation: custom interactive\n", "type: [pass-fail]\nname: {en: x}\n",
		"validator_flags: float_tolerance 1e-6\n", "output_validator_flags: case_sensitive\nargs: []\n", "a: &x [*x]\n", "? a\n", "- - -\n", "\x00", "{", "name: |\n", "name: !!set {}\n", "limits:\n  memory:\n", "x: 1\n---\n..."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tree := tree(map[string]string{"output_validators/v.py": "x"})
		tree["problem.yaml"] = &fstest.MapFile{Data: text}
		p, err := loadTree(tree)
		if err != nil {
			checkErrors(t, err, "problem.yaml", "output_validators")
		} else if p.TimeLimit < 0 || p.TimeLimit > time.Hour || p.CompileTime < 0 || p.CompileTime > time.Hour || p.MemoryBytes < 0 || p.MemoryBytes > 1<<40 || p.SourceBytes < 0 ||
			p.Name == "" || !slices.Contains([]Validation{Default, Custom, Interactive}, p.Validation) || (p.Validation != Default) != (len(p.Validators) == 1) {
			t.Fatalf("%+v", p)
		}
		// The same text as a group's file.
		delete(tree, "output_validators/v.py")
		tree["problem.yaml"] = &fstest.MapFile{Data: []byte("validation: default")}
		tree["data/secret/testdata.yaml"] = &fstest.MapFile{Data: text}
		p, err = loadTree(tree)
		if err != nil {
			checkErrors(t, err, "data/secret/testdata.yaml")
		} else if c, err := compareOf(p.Cases[0].Flags); err != nil || c != p.Cases[0].Compare {
			t.Fatalf("%+v %v", p.Cases[0], err)
		}
	})
}

// FuzzINI: what is taken means the same when it is written down plainly.
func FuzzINI(f *testing.F) {
	for _, s := range []string{"timelimit = 2\n", "name='a\nb' ; c\ncolor=#123", "a\n", "[x]", "=", "a=\"", "\r\n;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, bad := parseINI(text)
		if bad != nil && (bad.Given == "" || bad.Wanted == "" || bad.Line > strings.Count(text, "\n")+1) {
			t.Fatalf("%+v", bad)
		}
		last := 0
		var plain strings.Builder
		for _, s := range settings {
			if s.key == "" || strings.ContainsAny(s.key, "=\n") || s.line <= last {
				t.Fatalf("%+v", settings)
			}
			last = s.line
			quote := `"`
			if strings.Contains(s.value, quote) {
				quote = "'"
			}
			if strings.Contains(s.value, quote) {
				return // only a bare value has both
			}
			plain.WriteString(s.key + "=" + quote + s.value + quote + "\n")
		}
		again, bad := parseINI(plain.String())
		same := func(a, b setting) bool { return a.key == b.key && a.value == b.value }
		if bad != nil || !slices.EqualFunc(settings, again, same) {
			t.Fatalf("%+v became %q, which is %+v, %v", settings, plain.String(), again, bad)
		}
	})
}

// FuzzFlags: what is taken is a number that tolerates, and nothing is tolerated
// that no flag asked for.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"", "float_tolerance 1e-6", "case_sensitive", "float_absolute_tolerance 0 float_relative_tolerance 1e3", "float_tolerance", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flags := strings.Fields(text)
		c, err := compareOf(flags)
		if err != nil {
			if c != (Compare{}) {
				t.Fatalf("%+v, %v", c, err)
			}
			return
		}
		for _, e := range []float64{c.Absolute, c.Relative} {
			if !(e >= 0) || math.IsInf(e, 0) || e > 0 && !c.Floats {
				t.Fatalf("%+v", c)
			}
		}
		if c.CaseSensitive != slices.Contains(flags, "case_sensitive") || c.Floats != strings.Contains(text, "tolerance") {
			t.Fatalf("%q: %+v", flags, c)
		}
	})
}
