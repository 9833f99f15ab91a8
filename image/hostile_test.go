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
)

// neighbour makes files beside the store that a layer would like to reach.
func neighbour(t *testing.T, top string) func() {
	t.Helper()
	dir := filepath.Join(top, "neighbour")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"neighbour/file", "passwd"} {
		if err := os.WriteFile(filepath.Join(top, name), []byte("untouched"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	look := func() []string {
		all := listing(t, top)
		return slices.DeleteFunc(all, func(l string) bool { return strings.Contains(l, " images") })
	}
	before := look()
	return func() {
		t.Helper()
		if after := look(); !slices.Equal(before, after) {
			t.Errorf("beside the store there is\n%q\nthere was\n%q", after, before)
		}
	}
}

// TestHostileLayers: what leads out of a layer, or makes no sense in it, rejects the image
// with the layer and the entry named; nothing of it is kept and nothing else is touched.
func TestHostileLayers(t *testing.T) {
	outside := t.TempDir()
	long := strings.Repeat("n", 256)
	deep := strings.Repeat("d/", depthMax+1)
	for name, c := range map[string]struct {
		items         []item
		entry, reason string
	}{
		"up":                         {[]item{file("../passwd", "x")}, "../passwd", "leads out"},
		"up in the middle":           {[]item{dir("a"), file("a/../../passwd", "x")}, "a/../../passwd", "leads out"},
		"up but inside":              {[]item{dir("a"), file("a/../b", "x")}, "a/../b", "leads out"},
		"up at the end":              {[]item{dir("a/..")}, "a/..", "leads out"},
		"absolute and up":            {[]item{file("/../../passwd", "x")}, "/../../passwd", "leads out"},
		"a symlink, a file below it": {[]item{symlink("a", outside), file("a/b", "x")}, "a/b", `lies below "a"`},
		"a symlink up":               {[]item{symlink("a", "../../../.."), file("a/passwd", "x")}, "a/passwd", `lies below "a"`},
		"a symlink to the root":      {[]item{symlink("a", "/"), dir("a/b/c")}, "a/b/c", `lies below "a"`},
		"a symlink deeper":           {[]item{dir("a"), symlink("a/b", ".."), file("a/b/c/d", "x")}, "a/b/c/d", `lies below "a/b"`},
		"below a file":               {[]item{file("a", "x"), file("a/b", "x")}, "a/b", "no directory"},
		"below a dropped device":     {[]item{special("a", tar.TypeChar), file("a/b", "x")}, "a/b", "left out"},
		"a hard link up":             {[]item{link("a", "../passwd")}, "a", "leads out"},
		"a hard link outside":        {[]item{link("a", filepath.Join(outside, "x"))}, "a", "no file of this layer"},
		"a hard link to nothing":     {[]item{link("a", "b")}, "a", "no file of this layer"},
		"a hard link to later":       {[]item{link("a", "b"), file("b", "x")}, "a", "no file of this layer"},
		"a hard link to itself":      {[]item{file("a", "x"), link("a", "a")}, "a", "itself"},
		"a hard link to a directory": {[]item{dir("b"), link("a", "b")}, "a", "no file of this layer"},
		"a hard link by a symlink":   {[]item{symlink("s", outside), link("a", "s/x")}, "a", "no file of this layer"},
		"a hard link to a whiteout":  {[]item{file(".wh.b", ""), link("a", "b")}, "a", "no file of this layer"},
		"a whiteout of ..":           {[]item{file(".wh...", "")}, ".wh...", "a whiteout of"},
		"a whiteout of .":            {[]item{file("a/.wh..", "")}, "a/.wh..", "a whiteout of"},
		"a whiteout of nothing":      {[]item{file("a/.wh.", "")}, "a/.wh.", "a whiteout of"},
		"a whiteout by a symlink":    {[]item{symlink("a", outside), file("a/.wh.x", "")}, "a/.wh.x", `lies below "a"`},
		"opaque by a symlink":        {[]item{symlink("a", outside), file("a/.wh..wh..opq", "")}, "a/.wh..wh..opq", `lies below "a"`},
		"opaque of a file":           {[]item{file("a", "x"), file("a/.wh..wh..opq", "")}, "a/.wh..wh..opq", "no directory"},
		"a whiteout as a hard link":  {[]item{file("b", "x"), link(".wh.a", "b")}, ".wh.a", "empty regular file"},
		"a whiteout as a symlink":    {[]item{symlink(".wh.a", outside)}, ".wh.a", "empty regular file"},
		"a whiteout as a directory":  {[]item{dir(".wh.a")}, ".wh.a", "empty regular file"},
		"a whiteout with content":    {[]item{file(".wh.a", "x")}, ".wh.a", "empty regular file"},
		"below a whiteout":           {[]item{file(".wh.a/b", "x")}, ".wh.a/b", "below a whiteout"},
		"a directory, then a file":   {[]item{dir("a"), file("a/b", "x"), file("a", "y")}, "a", "directory earlier"},
		"a directory, then a link":   {[]item{dir("a"), symlink("a", outside)}, "a", "directory earlier"},
		"a root that is a file":      {[]item{file(".", "x")}, ".", "root of a layer"},
		"a root that is a link":      {[]item{symlink("./", outside)}, "./", "root of a layer"},
		"a long part of a name":      {[]item{file(long, "x")}, long, "256 bytes"},
		"a long name":                {[]item{file(strings.Repeat("abcdefg/", 600)+"x", "x")}, strings.Repeat("abcdefg/", 600) + "x", "bytes, allowed"},
		"deep":                       {[]item{file(deep+"x", "x")}, deep + "x", "in each other"},
		"a symlink to nowhere":       {[]item{symlink("a", "")}, "a", "a symbolic link to"},
		"a long symlink":             {[]item{symlink("a", strings.Repeat("a", 5000))}, "a", "a symbolic link to"},
		"a contiguous file":          {[]item{special("a", tar.TypeCont)}, "a", "unknown type"},
		"a volume's name":            {[]item{special("a", 'V')}, "a", "unknown type"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			same := neighbour(t, o.top)
			before := listing(t, outside)
			layer := archive(t, append([]item{file("first", "1")}, c.items...)...)
			l := newLayout(t)
			l.image("x:1", archive(t, file("base", "b")), layer)
			_, err := o.Import(context.Background(), l.write(), nil, ImportOptions{})
			rejects(t, err, digestOf(layer), c.entry, c.reason)
			if after := listing(t, outside); !slices.Equal(before, after) {
				t.Errorf("outside there is %q", after)
			}
			same()
			o.empty(t)
		})
	}
}

// TestContained: what a layer may not have is left out or changed, with a note, and the
// rest of it is as it should be.
func TestContained(t *testing.T) {
	outside := t.TempDir()
	xattr := func(h *tar.Header) {
		h.PAXRecords = map[string]string{"SCHILY.xattr.user.overlay.redirect": "/etc", "SCHILY.xattr.user.overlay.opaque": "y",
			"SCHILY.xattr.security.capability": "\x01\x00\x00\x02", "SCHILY.xattr.trusted.overlay.metacopy": "x"}
	}
	for name, c := range map[string]struct {
		items []item
		want  []string
		notes []string // entry: beginning of the note
	}{
		"absolute names": {[]item{dir("/"), dir("//a/"), file("/a/./b", "x")}, []string{"d . 755", "d a 755", `f a/b 644 "x" ×1`}, nil},
		"links that lead anywhere": {[]item{symlink("a", outside), symlink("b", "../../.."), symlink("dev", "/dev"), symlink("proc", "x/../../proc"), symlink("sys", "sys")},
			[]string{"d . 755", "l a → " + outside, "l b → ../../..", "l dev → /dev", "l proc → x/../../proc", "l sys → sys"}, nil},
		"devices": {[]item{special("null", tar.TypeChar).with(func(h *tar.Header) { h.Devmajor, h.Devminor = 1, 3 }), special("sda", tar.TypeBlock), special("fifo", tar.TypeFifo),
			special("white", tar.TypeChar), file("x", "x"), link("y", "null")},
			[]string{"d . 755", `f x 644 "x" ×1`},
			[]string{"null left out: a character device", "sda left out: a block device", "fifo left out: a FIFO", "white left out: a character device"}},
		"set-id bits": {[]item{file("su", "x").with(func(h *tar.Header) { h.Mode = 0o6755 }), dir("d").with(func(h *tar.Header) { h.Mode = 0o3777 }), file("odd", "").with(func(h *tar.Header) { h.Mode = 0o100000 })},
			[]string{"d . 755", "d d 1777", `f odd 0 "" ×1`, `f su 755 "x" ×1`}, []string{"su without its set-id bits", "d without its set-id bits"}},
		"attributes": {[]item{file("a", "x").with(xattr), dir("d").with(xattr)}, []string{"d . 755", `f a 644 "x" ×1`, "d d 755"},
			[]string{"a without its extended attributes", "d without its extended attributes"}},
		"whiteouts": {[]item{file(".wh.a", ""), file("d/.wh.b", ""), file("e/.wh..wh..opq", ""), file("e/x", "x")},
			[]string{"d . 755", "whiteout a 0", "d d 755", "whiteout d/b 0", "d e 755 opaque", `f e/x 644 "x" ×1`}, nil},
		"a whiteout and what takes its place": {[]item{file(".wh.a", ""), file("a", "new"), file(".wh.d", ""), file("d/x", "x"), dir("e"), file(".wh.e", ""), file("f", "f"), file(".wh.f", ""), file(".wh.g", ""), dir("g")},
			[]string{"d . 755", `f a 644 "new" ×1`, "d d 755 opaque", `f d/x 644 "x" ×1`, "d e 755 opaque", `f f 644 "f" ×1`, "d g 755 opaque"}, nil},
		"an opaque root":            {[]item{file(".wh..wh..opq", ""), file("a", "x")}, []string{"d . 755 opaque", `f a 644 "x" ×1`}, nil},
		"another union's own":       {[]item{dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x"), file(".wh..wh.aufs", "x"), file("a", "x")}, []string{"d . 755", `f a 644 "x" ×1`}, []string{".wh..wh.plnk left", ".wh..wh.plnk/1.2 left", ".wh..wh.aufs left"}},
		"twice":                     {[]item{file("a", "one"), file("a", "two"), file("a", "three"), dir("d"), dir("d").with(func(h *tar.Header) { h.Mode = 0o700 })}, []string{"d . 755", `f a 644 "three" ×1`, "d d 700"}, nil},
		"other types in its place":  {[]item{file("a", "x"), symlink("a", "b"), symlink("b", "c"), dir("b"), file("c", "c"), dir("c"), file("c/d", "d")}, []string{"d . 755", "l a → b", "d b 755", "d c 755", `f c/d 644 "d" ×1`}, nil},
		"links, then other content": {[]item{file("a", "one"), link("b", "a"), link("c", "b"), file("a", "two"), file("b", "three")}, []string{"d . 755", `f a 644 "two" ×1`, `f b 644 "three" ×1`, `f c 644 "one" ×2`}, nil},
		"a link to a symlink":       {[]item{symlink("a", outside), link("b", "a")}, []string{"d . 755", "l a → " + outside, "l b → " + outside}, nil},
		"no rights":                 {[]item{dir("a").with(func(h *tar.Header) { h.Mode = 0 }), dir("a/b").with(func(h *tar.Header) { h.Mode = 0 }), file("a/b/c", "x").with(func(h *tar.Header) { h.Mode = 0 })}, []string{"d . 755", "d a 0", "d a/b 0", `f a/b/c 0 "x" ×1`}, nil},
		"implied":                   {[]item{file("tmp/a", "x"), file("var/tmp/b", "x"), file("root/c", "x")}, []string{"d . 755", "d root 700", `f root/c 644 "x" ×1`, "d tmp 1777", `f tmp/a 644 "x" ×1`, "d var 755", "d var/tmp 1777", `f var/tmp/b 644 "x" ×1`}, nil},
		"odd times and owners": {[]item{file("a", "x").with(func(h *tar.Header) {
			h.ModTime = time.Unix(-5, 0)
			h.Uid = 1 << 30
			h.Gid = 70000
			h.Format = tar.FormatGNU
		}),
			file("b", "x").with(func(h *tar.Header) { h.ModTime = time.Unix(1<<40, 5); h.Format = tar.FormatPAX })}, []string{"d . 755", `f a 644 "x" ×1`, `f b 644 "x" ×1`}, nil},
		"odd names": {[]item{file("a\nb\x1b[31m", "x"), file("\xff\xfe", "x"), file("-rf", "x"), file("c:\\d", "x")}, []string{"d . 755", `f -rf 644 "x" ×1`, "f a\nb\x1b[31m 644 \"x\" ×1", `f c:\d 644 "x" ×1`, "f \xff\xfe 644 \"x\" ×1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, Limits{})
			same := neighbour(t, o.top)
			layer := archive(t, c.items...)
			a := o.brings(t, "x:1", layer)
			if got := o.listed(t, digestOf(layer)); !slices.Equal(got, c.want) {
				t.Errorf("the tree is\n%q\nwant\n%q", got, c.want)
			}
			var notes []string
			for _, n := range a.Notes {
				notes = append(notes, n.Entry+" "+n.Note)
				if n.Layer != digestOf(layer) {
					t.Errorf("%+v names no layer", n)
				}
			}
			if len(notes) != len(c.notes) || a.Noted != int64(len(c.notes)) {
				t.Errorf("notes %q, want %q", notes, c.notes)
			}
			for i := range min(len(notes), len(c.notes)) {
				if !strings.HasPrefix(strings.TrimSuffix(notes[i], "/"), strings.TrimSuffix(c.notes[i], "/")) && !strings.HasPrefix(strings.Replace(notes[i], "/ ", " ", 1), c.notes[i]) {
					t.Errorf("note %q, want %q", notes[i], c.notes[i])
				}
			}
			o.verified(t, a.Image)
			same()
			o.clean(t)
			// The same bytes can be told again, whatever was left out.
			var again bytes.Buffer
			if err := o.ExportLayout(context.Background(), Ref{Name: "x:1"}, &again); err != nil {
				t.Error(err)
			}
			if _, err := o.Remove(Ref{Name: "x:1"}); err != nil {
				t.Error(err)
			}
			o.empty(t)
		})
	}
}

// TestOwners: an image's ids are kept in the range that no cell has.
func TestOwners(t *testing.T) {
	o := open(t, Limits{})
	if o.owners.Count < 1000 {
		t.Fatalf("ids for images: %+v; the tests want a subordinate range", o.owners)
	}
	layer := archive(t, file("a", "x").with(func(h *tar.Header) { h.Uid, h.Gid = 33, 7 }), file("far", "x").with(func(h *tar.Header) { h.Uid, h.Gid = 1<<30, -4; h.Format = tar.FormatGNU }),
		symlink("s", "a").with(func(h *tar.Header) { h.Uid, h.Gid = 1, 2 }), dir("d").with(func(h *tar.Header) { h.Uid = 3 }))
	a := o.brings(t, "x:1", layer)
	want := map[string][2]int64{"a": {33, 7}, "s": {1, 2}, "d": {3, 0}, "far": {-o.owners.First, -o.owners.First}}
	for name, ids := range want {
		var out strings.Builder
		info, err := os.Lstat(filepath.Join(o.Layers(), layerID(digestOf(layer)), treeDir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(&out, ownersOf(info))
		if got := fmt.Sprint([2]int64{ids[0] + o.owners.First, ids[1] + o.owners.First}); out.String() != got {
			t.Errorf("%s has the ids %s, want %s", name, &out, got)
		}
	}
	o.verified(t, a.Image)
	// With another range the layer's files would be somebody else's.
	o.owners.First += 10
	h, err := o.Hold(Ref{Name: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got, err := h.Lowers(); err == nil || !strings.Contains(err.Error(), "another subordinate range") {
		t.Errorf("%q, %v", got, err)
	}
	l := newLayout(t)
	l.image("y:1", layer)
	if _, err := o.Import(context.Background(), l.write(), nil, ImportOptions{}); err == nil || !strings.Contains(err.Error(), "another subordinate range") {
		t.Error(err)
	}
}
