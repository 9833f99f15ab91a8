package image

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestView: every name is found, or not, as the image's flat archive has it, whatever hides it.
func TestView(t *testing.T) {
	o := open(t, Limits{})
	whiteout := func(name string) item { return file(path.Join(path.Dir(name), ".wh."+path.Base(name)), "") }
	a := o.brings(t, "x:1",
		archive(t, dir("d"), file("d/f", "lower"), file("d/g", "g"), dir("d/sub"), file("d/sub/x", "x"), dir("gone"), file("gone/f", "f"), dir("was"), file("was/f", "f"),
			dir("opaque"), file("opaque/old", "old"), file("file", "f"), dir("again"), file("again/old", "old"), dir("lib"), file("lib/so", "so")),
		archive(t, file("d/f", "upper"), whiteout("d/g"), whiteout("gone"), file("was", "a file now"), dir("opaque"), file("opaque/.wh..wh..opq", ""), file("opaque/new", "new"),
			dir("file"), file("file/f", "f"), whiteout("again"), symlink("bin", "lib"), symlink("abs", "/lib/so"), symlink("up", "../../../lib"), symlink("out", "/etc/passwd"), symlink("round", "round")),
		archive(t, dir("again"), file("again/new", "new"), symlink("to", "d/sub/../f"), symlink("d/back", "../opaque")))
	h, err := o.Hold(Ref{Name: a.Names[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	all, err := o.flatten(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	v, err := h.View(o.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	children := map[string][]string{}
	for name, e := range all {
		if name != "." {
			children[path.Dir(name)] = append(children[path.Dir(name)], path.Base(name))
		}
		if e.node.kind == isSymlink {
			continue
		}
		mode, err := v.Stat(name)
		if err != nil || mode.IsDir() != e.node.isDir() || mode.Perm() != fs.FileMode(e.node.mode)&0o777 {
			t.Errorf("%s: %v, %v", name, mode, err)
		}
	}
	for dir, want := range children {
		slices.Sort(want)
		if got, err := v.Names(dir); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", dir, got, err, want)
		}
	}
	for _, name := range []string{"d/g", "gone", "gone/f", "was/f", "opaque/old", "again/old", "none", "file/none", "out", ".wh.d", "d/.wh.g", "../etc/passwd", "/d/sub/x/y"} {
		if mode, err := v.Stat(name); err == nil {
			t.Errorf("%s is there: %v; the image has %v", name, mode, slices.Sorted(maps.Keys(all)))
		}
	}
	for name, want := range map[string]string{"d/f": "upper", "/d/./f": "upper", "bin/so": "so", "abs": "so", "up/so": "so", "to": "upper", "d/back/new": "new", "/../d/back/../was": "a file now"} {
		if text, err := v.ReadFile(name, 100); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for _, name := range []string{"round", "round/x", "d", "out", "was/x"} {
		if _, err := v.ReadFile(name, 100); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.ReadFile("was", 3); err == nil || !strings.Contains(err.Error(), "more than 3") {
		t.Errorf("a longer file: %v", err)
	}
	if _, err := v.Stat("round"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link to itself: %v", err)
	}
}
