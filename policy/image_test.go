package policy

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var debian = &Image{Asked: "debian", ID: "sha256:aa", Names: []string{"debian:12", "localhost:5000/x/debian:12", "sha256:bb", "debian@sha256:bb"}}

func TestImageRules(t *testing.T) {
	for pattern, want := range map[string]bool{"*": true, "debian:12": true, "debian": true, "debian:*": true, "deb*:1*2": true, "sha256:aa": true, "sha256:bb": true,
		"debian@sha256:bb": true, "localhost:5000/*": true, "localhost:5000/x/debian": true, "*/debian": true, "*@*": true,
		"debian:1": false, "debia": false, "ebian*": false, "debian:12*2": false, "localhost": false, "sha256:a": false, "debian:13": false, "*:12:12": false, "debian@sha256": false} {
		if got := (&ImageRule{Image: pattern}).Matches(debian); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
	// A pattern without a star is a name, and one with stars matches what the stars stand for.
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[ab:/]{0,4}`)
		parts := rapid.SliceOfN(word, 1, 4).Draw(t, "parts")
		name := parts[0]
		for _, p := range parts[1:] {
			name += word.Draw(t, "between") + p
		}
		if !matches(strings.Join(parts, "*"), name) {
			t.Errorf("%q does not match %q", strings.Join(parts, "*"), name)
		}
		if other := word.Draw(t, "other"); matches(name, other) != (name == other) {
			t.Errorf("%q and %q", name, other)
		}
	})
}

func TestImageGrants(t *testing.T) {
	p := sound()
	denied := func(q Request, fields ...string) {
		t.Helper()
		_, err := Resolve(q, p)
		var d *DeniedError
		if !errors.As(err, &d) || len(d.Denials) != len(fields) {
			t.Fatalf("%v, want %v", err, fields)
		}
		for i, f := range fields {
			if d.Denials[i].Field != f {
				t.Errorf("%s, want %s", d.Denials[i].Field, f)
			}
		}
	}
	// Nothing is written: no image, and nobody is root.
	denied(Request{Image: debian}, "image")
	denied(Request{Image: debian, IDRange: true}, "image", "id_range")
	denied(Request{IDRange: true}, "id_range")
	p.Root.Images = []ImageRule{{"debian", "why"}}
	g, err := Resolve(Request{Image: debian}, p)
	if err != nil || g.Root.Kind != RootImage || g.Root.Image != "sha256:aa" || g.Root.IDRange || len(g.Root.Dirs) > 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	denied(Request{Image: &Image{Asked: "x", ID: "sha256:cc", Names: []string{"x:1"}}}, "image")
	denied(Request{Image: debian, IDRange: true}, "id_range")
	p.Root.IDRange = &ChoiceRule{true, "why"}
	if g, err = Resolve(Request{Image: debian, IDRange: true}, p); err != nil || !g.Root.IDRange {
		t.Errorf("%+v, %v", g, err)
	}
	denied(Request{IDRange: true}, "id_range") // of no image
	if g, err = Resolve(Request{}, p); err != nil || g.Root.IDRange || g.Root.Image != "" {
		t.Errorf("%+v, %v", g, err)
	}
	// What a policy writes is checked, and an empty list takes away what its parent allows.
	child := &Policy{Name: "child", Description: "d", Extends: p.Name, Root: RootRules{Images: []ImageRule{}}}
	m, problems := merge(p, child)
	if len(problems) > 0 || len(m.Root.Images) != 0 || m.Root.IDRange == nil {
		t.Errorf("%+v, %v", m.Root, problems)
	}
	for _, bad := range [][]ImageRule{{{"", "why"}}, {{"a b", "why"}}, {{"a", ""}}, {{"a", "why"}, {"a", "why"}}, make([]ImageRule, 65)} {
		p.Root.Images = bad
		if len(Check(p, nil)) == 0 {
			t.Errorf("%+v: no problem", bad)
		}
	}
}
