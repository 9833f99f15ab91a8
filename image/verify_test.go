package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// TestVerifyFinds: whatever is changed of a layer on the disk is found, with its entry.
func TestVerifyFinds(t *testing.T) {
	layer := archive(t, dir("d"), file("d/a", "some content"), file("b", "other"), symlink("s", "b"), file("d/.wh.gone", ""), file("o/.wh..wh..opq", ""),
		file("twice", "one"), file("twice", "two"), link("l", "b"), file("empty", ""))
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	past := func(name string) error { return os.Chtimes(name, then, then) }
	for name, c := range map[string]struct {
		change func(fs, top string)
		entry  string
	}{
		"a byte": {func(fs, _ string) {
			f := filepath.Join(fs, "d/a")
			must(os.Chmod(f, 0o644), os.WriteFile(f, []byte("some_content"), 0o644), past(f))
		}, "d/a"},
		"a byte of what was replaced": {func(_, top string) { must(os.WriteFile(filepath.Join(top, apartDir, "2"), []byte("ONE"), 0o644)) }, "twice"},
		"longer":                      {func(fs, _ string) { f := filepath.Join(fs, "b"); must(os.WriteFile(f, []byte("other!"), 0), past(f)) }, "b"},
		"shorter":                     {func(fs, _ string) { f := filepath.Join(fs, "b"); must(os.Truncate(f, 2), past(f)) }, "b"},
		"gone":                        {func(fs, _ string) { must(os.Remove(filepath.Join(fs, "d/a")), past(filepath.Join(fs, "d"))) }, "d/a"},
		"an empty file is gone":       {func(fs, _ string) { must(os.Remove(filepath.Join(fs, "empty"))) }, "empty"},
		"a set-id bit":                {func(fs, _ string) { must(unix.Chmod(filepath.Join(fs, "b"), 0o4755)) }, "b"},
		"a directory's mode":          {func(fs, _ string) { must(os.Chmod(filepath.Join(fs, "d"), 0o777)) }, "d"},
		"an owner":                    {func(fs, _ string) { must(os.Lchown(filepath.Join(fs, "b"), 7, 7)) }, "b"},
		"a link's owner":              {func(fs, _ string) { must(os.Lchown(filepath.Join(fs, "s"), 7, 7)) }, "s"},
		"a time":                      {func(fs, _ string) { must(os.Chtimes(filepath.Join(fs, "b"), then, then.Add(time.Hour))) }, "b"},
		"more": {func(fs, _ string) {
			must(os.WriteFile(filepath.Join(fs, "d/more"), nil, 0o644), past(filepath.Join(fs, "d")))
		}, "d/more"},
		"a directory more":         {func(fs, _ string) { must(os.MkdirAll(filepath.Join(fs, "x/y"), 0o755)) }, "x"},
		"a link elsewhere":         {func(fs, _ string) { f := filepath.Join(fs, "s"); must(os.Remove(f), os.Symlink("/etc/passwd", f)) }, "s"},
		"a link instead of a file": {func(fs, _ string) { f := filepath.Join(fs, "d/a"); must(os.Remove(f), os.Symlink("/etc/passwd", f)) }, "d/a"},
		"a FIFO instead of a file": {func(fs, _ string) { f := filepath.Join(fs, "d/a"); must(os.Remove(f), unix.Mkfifo(f, 0o644)) }, "d/a"},
		"a directory by a link":    {func(fs, _ string) { f := filepath.Join(fs, "d"); must(os.Rename(f, f+"2"), os.Symlink("d2", f)) }, "d"},
		"no whiteout":              {func(fs, _ string) { must(os.Remove(filepath.Join(fs, "d/gone"))) }, "d/gone"},
		"a whiteout more":          {func(fs, _ string) { must(unix.Mknod(filepath.Join(fs, "d/x"), unix.S_IFCHR, 0)) }, "d/x"},
		"not opaque":               {func(fs, _ string) { must(unix.Removexattr(filepath.Join(fs, "o"), opaqueName)) }, "o"},
		"opaque":                   {func(fs, _ string) { must(unix.Setxattr(filepath.Join(fs, "d"), opaqueName, []byte("y"), 0)) }, "d"},
		"a redirection": {func(fs, _ string) {
			must(unix.Setxattr(filepath.Join(fs, "d/a"), "user.overlay.redirect", []byte("/etc"), 0))
		}, "d/a"},
		"the record":         {func(_, top string) { must(os.WriteFile(filepath.Join(top, recordArk), []byte("none"), 0o600)) }, ""},
		"the record cut off": {func(_, top string) { must(os.Truncate(filepath.Join(top, recordArk), 100)) }, ""},
		"the record gone":    {func(_, top string) { must(os.Remove(filepath.Join(top, recordArk))) }, ""},
		"the layer gone":     {func(_, top string) { must(os.RemoveAll(top)) }, ""},
		"another layer": {func(_, top string) {
			must(os.WriteFile(filepath.Join(top, layerFile), []byte(`{"diff_id":"sha256:0"}`), 0o600))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			a := o.brings(t, "x:1", archive(t, file("base", "b")), layer)
			o.verified(t, a.Image)
			top := filepath.Join(o.Layers(), layerID(digestOf(layer)))
			c.change(filepath.Join(top, treeDir), top)
			problems, err := o.Verify(context.Background(), a.Image)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(problems, func(p Problem) bool { return p.Entry == c.entry && p.Layer == digestOf(layer) && p.What != "" }) {
				t.Errorf("found %+v, want something of %q", problems, c.entry)
			}
			// What cannot be told again is not handed on, unless only the tree beside it changed.
			if slices.Contains([]string{"a byte", "shorter", "gone", "the record", "a link instead of a file"}, name) {
				if err := o.ExportLayout(context.Background(), Ref{Name: "x:1"}, &bytes.Buffer{}); err == nil {
					t.Error("it is exported")
				}
			}
		})
	}
}

// TestRetold: of any layer that is taken, the bytes that are told again are those that
// came, whatever was replaced, left out or linked in it.
func TestRetold(t *testing.T) {
	o := open(t, Limits{})
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		var items []item
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "a/b", "b/c", "c/d/e", ".wh.a", ".wh.b", "b/.wh.c", "d/.wh..wh..opq", "./a", "e/f/g/h"})
		for range rapid.IntRange(1, 12).Draw(rt, "items") {
			n := name.Draw(rt, "name")
			kind := rapid.IntRange(0, 9).Draw(rt, "kind")
			switch {
			case strings.Contains(n, ".wh."):
				items = append(items, file(n, ""))
			case kind < 4:
				items = append(items, file(n, strings.Repeat(rapid.SampledFrom([]string{"", "x", "text"}).Draw(rt, "text"), rapid.IntRange(0, 400).Draw(rt, "times"))))
			case kind < 6:
				items = append(items, dir(n))
			case kind < 7:
				items = append(items, symlink(n, name.Draw(rt, "to")))
			case kind < 9:
				items = append(items, link(n, name.Draw(rt, "to")))
			default:
				items = append(items, special(n, tar.TypeFifo))
			}
		}
		layer := archive(t, items...)
		l := newLayout(t)
		l.image("x:1", layer)
		all, err := o.Import(context.Background(), l.write(), nil, ImportOptions{Name: "x:1"})
		if err != nil {
			return // refused: what of it was kept is looked at below
		}
		taken++
		problems, err := o.Verify(context.Background(), all[0].Image)
		if err != nil || len(problems) > 0 {
			rt.Fatalf("%v: %+v, %v", items, problems, err)
		}
		if _, err := o.Prune(); err != nil {
			rt.Fatal(err)
		}
	})
	o.clean(t)
	if taken < 10 {
		t.Errorf("%d layers were taken: this test does not see what it looks for", taken)
	}
}

// TestOverlay: mounted as a job's root would be, an image shows what its flat export has.
func TestOverlay(t *testing.T) {
	o := open(t, Limits{})
	tmp := func(h *tar.Header) { h.Mode = 0o1777 }
	layers := [][]byte{
		archive(t, dir("etc"), file("etc/a", "1"), file("etc/b", "1"), dir("d"), file("d/x", "1"), dir("d/e"), file("d/e/y", "1"), dir("tmp").with(tmp), symlink("s", "etc"), file("f", "1"), dir("r"), file("r/1", "1"), file("low", "low")),
		archive(t, file("etc/.wh.a", ""), file("d/.wh..wh..opq", ""), file("d/new", "2"), dir("tmp").with(tmp), file("f/inside", "2"), file(".wh.r", ""), dir("r"), file("r/2", "2"), file("h1", "link"), link("h2", "h1")),
		archive(t, dir("etc"), file("etc/c", "3"), file(".wh.s", ""), file(".wh.none", ""), file("d/e/z", "3"), file("h1", "replaced")),
		archive(t, dir("only"), file("only/.wh.x", ""), file("s", "now a file")),
	}
	a := o.brings(t, "x:1", layers...)
	h, err := o.Hold(Ref{Name: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	at := t.TempDir()
	shows := func(lowers []string) []string {
		t.Helper()
		back, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chdir(o.Layers()); err != nil {
			t.Fatal(err)
		}
		if len(lowers) == 1 {
			lowers = append(lowers, t.TempDir())
		}
		err = unix.Mount("overlay", at, "overlay", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "lowerdir="+strings.Join(lowers, ":")+",userxattr")
		if e := os.Chdir(back); err != nil || e != nil {
			t.Fatal(len(lowers), lowers[0], err, e)
		}
		defer func() {
			if err := unix.Unmount(at, 0); err != nil {
				t.Error(err)
			}
		}()
		return tidy(listing(t, at))
	}
	got := shows(lowers(t, h))
	var flat bytes.Buffer
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, &flat); err != nil {
		t.Fatal(err)
	}
	built, err := o.Build(context.Background(), "-", &flat, BuildOptions{Name: "flat:1"})
	if err != nil {
		t.Fatal(err)
	}
	want := tidy(o.listed(t, built.Layers[0].DiffID))
	if !slices.Equal(got, want) {
		t.Errorf("the overlay shows\n%q\nthe flat export has\n%q", got, want)
	}
	for _, line := range []string{"d tmp 1777", `f d/new 644 "2"`, `f f/inside 644 "2"`, `f r/2 644 "2"`, `f h1 644 "replaced"`, `f h2 644 "link"`, `f s 644 "now a file"`, `f low 644 "low"`} {
		if !slices.Contains(got, line) {
			t.Errorf("%q is not among\n%q", line, got)
		}
	}
	for _, gone := range []string{"etc/a", "d/x", "d/e/y", "r/1", "none"} {
		if slices.ContainsFunc(got, func(l string) bool { return strings.Fields(l)[1] == gone }) {
			t.Errorf("%s is back", gone)
		}
	}
	o.verified(t, a.Image)
	// As many layers as an image may have fit one mount.
	var many [][]byte
	for i := range mostLayers {
		many = append(many, archive(t, file(fmt.Sprint("f", i), fmt.Sprint(i))))
	}
	limits := DefaultLimits()
	limits.Layers = mostLayers
	all := openIn(t, t.TempDir(), limits)
	all.brings(t, "many:1", many...)
	o = all
	held, err := o.Hold(Ref{Name: "many:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if got := shows(lowers(t, held)); len(got) != mostLayers {
		t.Errorf("%d files of %d layers", len(got), mostLayers)
	}
}

// tidy leaves out the root, how many names a file has, and what only overlays know.
func tidy(lines []string) (out []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, "d . ") || strings.HasPrefix(l, "whiteout ") || strings.HasPrefix(l, "? ") {
			continue
		}
		l, _, _ = strings.Cut(l, " ×")
		out = append(out, strings.TrimSuffix(l, " opaque"))
	}
	return out
}

// TestOpaqueRoot: a layer that hides all below it, which overlays do not look at for their
// own root.
func TestOpaqueRoot(t *testing.T) {
	o := open(t, Limits{})
	o.brings(t, "x:1", archive(t, file("low", "x")), archive(t, file(".wh..wh..opq", ""), file("mid", "x")), archive(t, file("top", "x")))
	h, err := o.Hold(Ref{Name: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if n := len(lowers(t, h)); n != 2 {
		t.Errorf("%d lowers, want the upper two", n)
	}
	var flat bytes.Buffer
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, &flat); err != nil || bytes.Contains(flat.Bytes(), []byte("low")) || !bytes.Contains(flat.Bytes(), []byte("mid")) {
		t.Errorf("%v, %d bytes", err, flat.Len())
	}
}
