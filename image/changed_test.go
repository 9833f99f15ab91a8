package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestVerifySees: what somebody has changed by hand, where no file's content changes.
func TestVerifySees(t *testing.T) {
	low := archive(t, file("d/hidden", "x"), file("a", "x"))
	high := archive(t, file("d/.wh..wh..opq", ""), file("d/shown", "x"), file("empty", ""), file(".wh..wh..opq", ""))
	for what, c := range map[string]struct {
		change func(t *testing.T, o *opened, a *Added)
		want   string
	}{
		"nothing": {func(*testing.T, *opened, *Added) {}, ""},
		"an opaque mark of another kind": {func(t *testing.T, o *opened, _ *Added) {
			set(t, filepath.Join(o.Layers(), layerID(digestOf(high)), treeDir, "d"), opaqueName, "x")
		}, "not hidden any more"},
		"an attribute of an empty file": {func(t *testing.T, o *opened, _ *Added) {
			set(t, filepath.Join(o.Layers(), layerID(digestOf(high)), treeDir, "empty"), "user.overlay.whiteout", "y")
		}, "user.overlay.whiteout"},
		"the note of a layer": {func(t *testing.T, o *opened, _ *Added) {
			edit(t, filepath.Join(o.Layers(), layerID(digestOf(high)), layerFile), `"opaque": true`, `"opaque": false`)
		}, layerFile},
	} {
		t.Run(what, func(t *testing.T) {
			o := open(t, Limits{})
			a := o.brings(t, "x:1", low, high)
			c.change(t, o, a)
			problems, err := o.Verify(context.Background(), a.Image)
			if err != nil {
				t.Fatal(err)
			}
			if (c.want == "") != (len(problems) == 0) || c.want != "" && !strings.Contains(fmt.Sprint(problems), c.want) {
				t.Errorf("%+v, want %q", problems, c.want)
			}
		})
	}
}

// TestOtherLayers: an image's own list of layers is held against its configuration, which
// its digest holds.
func TestOtherLayers(t *testing.T) {
	o := open(t, Limits{})
	good, bad := archive(t, file("a", "good")), archive(t, file("a", "bad"))
	a := o.brings(t, "x:1", good)
	o.brings(t, "y:1", bad)
	name := filepath.Join(o.top, "images", imageName(a.ID))
	for _, to := range []string{digestOf(bad), "sha256:short", ""} {
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, name, `"diff_id": "`+digestOf(good)+`"`, `"diff_id": "`+to+`"`)
		if _, err := o.Get(Ref{Name: "x:1"}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", to, err)
		}
		if h, err := o.Hold(Ref{Name: "x:1"}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v, %v", to, h, err)
		}
		if err := os.WriteFile(name, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.Get(Ref{Name: "x:1"}); err != nil {
		t.Error(err)
	}
	// The list of names, too, leads nowhere but to images.
	edit(t, filepath.Join(o.top, "images", namesName), a.ID, "sha256:../lock")
	if _, err := o.Get(Ref{Name: "x:1"}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), namesName) {
		t.Error(err)
	}
	if _, err := o.Remove(Ref{Name: "x:1"}); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

func set(t *testing.T, name, attribute, value string) {
	t.Helper()
	if err := unix.Lsetxattr(name, attribute, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// edit changes a file of the store by hand.
func edit(t *testing.T, name, from, to string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), from, to, 1)
	if changed == string(text) {
		t.Fatalf("%s does not have %q", name, from)
	}
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}
