package queue

import (
	"strings"
	"testing"
)

// TestNeedsOfImages: a job on an image runs where that is known by the name that it has.
func TestNeedsOfImages(t *testing.T) {
	a := &Abilities{Policies: []string{"ci"}, Images: []string{"sha256:1", "debian:12", "debian@sha256:2"}}
	for _, name := range a.Images {
		if !a.Meet(&Needs{Policy: "ci", Images: []string{name}}) {
			t.Errorf("%s: not met", name)
		}
	}
	n := &Needs{Images: []string{"debian:12", "debian:13"}}
	if a.Meet(n) || strings.Join(a.lacks(n), ";") != "image debian:13" || !strings.Contains(n.words(), "image debian:12, image debian:13") {
		t.Errorf("%q, %q", a.lacks(n), n.words())
	}
}
