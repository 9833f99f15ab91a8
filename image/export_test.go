package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"golang.org/x/sys/unix"
)

// TestExportLayout: what is exported is the same image elsewhere, and others read it, too.
func TestExportLayout(t *testing.T) {
	ctx := context.Background()
	o := open(t, Limits{})
	layers := [][]byte{archive(t, file("a", "one"), file("a", "two"), file("su", "x").with(func(h *tar.Header) { h.Mode = 0o4755 })), sparseArchive(t, 1<<20), archive(t, special("dev", tar.TypeChar), file(".wh.a", ""))}
	a := o.brings(t, "x:1", layers...)
	at := filepath.Join(t.TempDir(), "out")
	if err := o.ExportLayoutTo(ctx, Ref{Name: "x:1"}, at); err != nil {
		t.Fatal(err)
	}
	if err := o.ExportLayoutTo(ctx, Ref{Name: "x:1"}, at); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over another: %v", err)
	}
	p, err := gcrlayout.FromPath(at)
	if err != nil {
		t.Fatal(err)
	}
	index, err := p.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := index.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	read, err := theirs.Layers()
	if err != nil || len(read) != len(layers) {
		t.Fatal(len(read), err)
	}
	for i, l := range read {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(text, layers[i]) {
			t.Errorf("layer %d: %d bytes, %d came: %v", i, len(text), len(layers[i]), err)
		}
	}
	var text bytes.Buffer
	if err := o.ExportLayout(ctx, Ref{Name: "x:1"}, &text); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{at, "-"} {
		other := open(t, Limits{})
		all, err := other.Import(ctx, from, bytes.NewReader(text.Bytes()), ImportOptions{})
		if err != nil || all[0].ID != a.ID || !slices.Equal(all[0].Names, []string{"x:1"}) || all[0].New != 3 {
			t.Fatalf("%+v, %v", all, err)
		}
		other.verified(t, all[0].Image)
	}
}

// TestExportFlat: owners and set-id bits are as the image came; links are links again.
func TestExportFlat(t *testing.T) {
	o := open(t, Limits{})
	o.brings(t, "x:1", archive(t, dir("d").with(func(h *tar.Header) { h.Uid = 1 << 20; h.Mode = 0o2750 }), file("d/su", "x").with(func(h *tar.Header) { h.Mode, h.Uid, h.Gid = 0o4755, 33, 34 }),
		link("d/su2", "d/su"), symlink("l", "/etc")), archive(t, file("d/.wh.su", "")))
	var text bytes.Buffer
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:1"}, &text); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&text)
	var got []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join([]string{string(h.Typeflag), h.Name, strings.TrimSpace(string(content)), h.Linkname}, "|"))
		if h.Name == "d/su2" && (h.Mode != 0o4755 || h.Uid != 33 || h.Gid != 34) {
			t.Errorf("%+v", h)
		}
	}
	// The upper layer has things in d and no entry for it: as in an overlay, its d is what is seen.
	if want := []string{"5|d/||", "0|d/su2|x|", "2|l||/etc"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := o.ExportFlat(context.Background(), Ref{Name: "x:2"}, io.Discard); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestBuild: of a directory its files, links and holes, whoever owns them; nothing outside
// of it; the same makes the same image.
func TestBuild(t *testing.T) {
	ctx := context.Background()
	o := open(t, Limits{})
	from := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	for name, text := range map[string]string{filepath.Join(from, "a"): "text", outside: "secret"} {
		if err := os.WriteFile(name, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(from, "d/e"), 0o750), os.Symlink(outside, filepath.Join(from, "s")), os.Symlink(filepath.Dir(outside), filepath.Join(from, "sd")),
		os.Link(filepath.Join(from, "a"), filepath.Join(from, "d/a2")), unix.Mkfifo(filepath.Join(from, "fifo"), 0o644), unix.Chmod(filepath.Join(from, "a"), 0o4755)); err != nil {
		t.Fatal(err)
	}
	options := BuildOptions{Name: "b:1", Env: []string{"A=b"}, Cmd: []string{"/a"}, WorkDir: "/d", User: "7"}
	a, err := o.Build(ctx, from, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	for _, n := range a.Notes {
		notes = append(notes, n.Entry+": "+n.Note)
	}
	if len(a.Notes) != 2 || a.Noted != 2 {
		t.Errorf("%q", notes)
	}
	got := o.listed(t, a.Layers[0].DiffID)
	want := []string{`f a 755 "text" ×2`, "d d 750", `f d/a2 755 "text" ×2`, "d d/e 750", "l s → " + outside, "l sd → " + filepath.Dir(outside)}
	if !slices.Equal(got[1:], want) {
		t.Errorf("%q, want %q", got[1:], want)
	}
	f, err := a.File()
	if err != nil || f.Config.User != "7" || f.Config.WorkingDir != "/d" || !slices.Equal(f.Config.Cmd, []string{"/a"}) || !slices.Equal(f.Config.Env, []string{"A=b"}) {
		t.Errorf("%+v, %v", f, err)
	}
	o.verified(t, a.Image)
	again, err := o.Build(ctx, from, nil, options)
	if err != nil || again.ID != a.ID || again.New != 0 {
		t.Errorf("%+v, %v", again, err)
	}
	steps, err := a.History()
	if err != nil || len(steps) != 1 || steps[0].DiffID != a.Layers[0].DiffID || steps[0].Bytes != 4 {
		t.Errorf("%+v, %v", steps, err)
	}
	if err := os.WriteFile(filepath.Join(from, "d/.wh.a"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Build(ctx, from, nil, options); err == nil || !strings.Contains(err.Error(), ".wh.a") {
		t.Errorf("a file that would be a whiteout: %v", err)
	}
	o.clean(t)
}

// TestHistory: steps without a layer are told, and layers without a step.
func TestHistory(t *testing.T) {
	i := &Image{Config: []byte(`{"history":[{"created_by":"base"},{"created_by":"ENV","empty_layer":true},{"created_by":"RUN","comment":"c"}]}`),
		Layers: []LayerRef{{DiffID: "1", Bytes: 1}, {DiffID: "2", Bytes: 2}, {DiffID: "3", Bytes: 3}}}
	steps, err := i.History()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, s.DiffID+s.CreatedBy)
	}
	if want := []string{"3", "2RUN", "ENV", "1base"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	i.Layers = nil
	if steps, err = i.History(); err != nil || len(steps) != 3 {
		t.Errorf("%+v, %v", steps, err)
	}
	i.Config = []byte("{")
	if _, err = i.History(); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}
