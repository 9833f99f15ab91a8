package policies

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/goccy/go-yaml"

	"cordon/policy"
)

// FuzzLoad: the decoder never panics; what it refuses has a place inside the
// file; what it takes, the library's own strict decoder reads the same way, and
// the checks find sound.
func FuzzLoad(f *testing.F) {
	entries, err := shippedFiles.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := shippedFiles.ReadFile(e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, s := range []string{head, head + fewPids, head + "root: {dirs: [{path: /opt, reason: r}]}\n", "a: &x [*x]\n", "? a\n", "- - -\n", "\x00", "{", "name: |\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := read("x.yaml", text, nil)
		if d.err != nil {
			lines := bytes.Count(text, []byte("\n")) + 1
			for _, p := range d.err.Problems {
				if p.Line < 1 || p.Line > lines || p.Column < 1 {
					t.Fatalf("place %d:%d in a file of %d lines", p.Line, p.Column, lines)
				}
			}
			_ = d.err.Error()
			return
		}
		if problems := policy.Check(d.policy, nil); len(problems) > 0 {
			t.Fatalf("taken with problems: %v", problems)
		}
		var other policy.Policy
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&other); err != nil {
			t.Fatalf("taken, but the library refuses: %v", err)
		}
		if !reflect.DeepEqual(*d.policy, other) {
			t.Fatalf("read as\n%+v\nthe library reads\n%+v", *d.policy, other)
		}
	})
}
