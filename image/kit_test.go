package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"cordon/userns"
)

// opened is a store of a test, and beside it what must not change.
type opened struct {
	*Store
	top string
}

func open(t testing.TB, l Limits) *opened {
	t.Helper()
	top := t.TempDir()
	return openIn(t, top, l)
}

func openIn(t testing.TB, top string, l Limits) *opened {
	t.Helper()
	mapped, err := userns.Mapped()
	if err != nil {
		t.Fatal(err)
	}
	first, count := userns.ForImages(mapped)
	s, err := Open(Config{Dir: filepath.Join(top, "images"), Owners: Owners{int64(first), int64(count)}, Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	// The whole machine's disk, for each of some hundred images.
	s.sync, s.flush = func(int) error { return nil }, func(int) error { return nil }
	o := &opened{s, top}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// file, dir and so on are entries of an archive.
type item struct {
	tar.Header
	content string
}

var then = time.Unix(1_700_000_000, 0)

func file(name, content string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: then}, content}
}

func dir(name string) item {
	return item{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: then}, ""}
}

func symlink(name, to string) item {
	return item{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777, ModTime: then}, ""}
}

func link(name, to string) item {
	return item{tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to, Mode: 0o644, ModTime: then}, ""}
}

func special(name string, kind byte) item {
	return item{tar.Header{Typeflag: kind, Name: name, Mode: 0o666, ModTime: then}, ""}
}

func (i item) with(change func(*tar.Header)) item {
	change(&i.Header)
	return i
}

func archive(t testing.TB, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		h := i.Header
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(i.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstded(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

// layout is an OCI layout that is being written.
type layout struct {
	t     testing.TB
	dir   string
	blobs map[string][]byte
	index manifest
}

func newLayout(t testing.TB) *layout {
	t.Helper()
	return &layout{t: t, dir: t.TempDir(), blobs: map[string][]byte{}, index: manifest{SchemaVersion: 2}}
}

func (l *layout) blob(kind types.MediaType, text []byte) descriptor {
	d := descriptor{MediaType: kind, Digest: digestOf(text), Size: int64(len(text))}
	l.blobs[d.Digest] = text
	return d
}

func (l *layout) json(kind types.MediaType, v any) descriptor {
	l.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.blob(kind, text)
}

// config is an image's configuration.
func configOf(layers ...[]byte) map[string]any {
	ids := []string{}
	for _, l := range layers {
		ids = append(ids, digestOf(l))
	}
	return map[string]any{"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Env": []string{"A=b"}, "Cmd": []string{"/bin/sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids}}
}

// image adds an image of plain layers, packed with gzip.
func (l *layout) image(name string, layers ...[]byte) *manifest {
	l.t.Helper()
	m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	c := l.json(types.OCIConfigJSON, configOf(layers...))
	m.Config = &c
	for _, a := range layers {
		m.Layers = append(m.Layers, l.blob(types.OCILayer, gzipped(l.t, a)))
	}
	l.add(name, m)
	return m
}

func (l *layout) add(name string, m *manifest) {
	l.t.Helper()
	d := l.json(m.MediaType, m)
	if name != "" {
		d.Annotations = map[string]string{refAnnotation: name}
	}
	l.index.Manifests = append(l.index.Manifests, d)
}

// write writes it all to its directory.
func (l *layout) write() string {
	l.t.Helper()
	put := func(name string, text []byte) {
		name = filepath.Join(l.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, text, 0o644)); err != nil {
			l.t.Fatal(err)
		}
	}
	for digest, text := range l.blobs {
		put(blobName(digest), text)
	}
	index, err := json.Marshal(l.index)
	if err != nil {
		l.t.Fatal(err)
	}
	put("index.json", index)
	put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return l.dir
}

// imports brings in what must be taken.
func (o *opened) imports(t testing.TB, from string) *Added {
	t.Helper()
	all, err := o.Import(context.Background(), from, nil, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return all[len(all)-1]
}

// layers brings in an image of these layers.
func (o *opened) brings(t testing.TB, name string, layers ...[]byte) *Added {
	t.Helper()
	l := newLayout(t)
	l.image(name, layers...)
	return o.imports(t, l.write())
}

// sound: an image is as it came.
func (o *opened) verified(t testing.TB, i *Image) {
	t.Helper()
	problems, err := o.Verify(context.Background(), i)
	if err != nil || len(problems) > 0 {
		t.Errorf("verify: %+v, %v", problems, err)
	}
}

// clean: nothing half is left, and what there is belongs to images.
func (o *opened) clean(t testing.TB) {
	t.Helper()
	work, err := namesIn(o.work, ".")
	if err != nil || len(work) > 0 {
		t.Errorf("left of work: %v, %v", work, err)
	}
	wanted, err := o.wanted()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := namesIn(o.Store.layers, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !wanted[id] {
			t.Errorf("a layer of no image: %s", id)
		}
	}
	for id := range wanted {
		if !slices.Contains(ids, id) {
			t.Errorf("a layer is missing: %s", id)
		}
	}
}

// empty: there is no layer and no image.
func (o *opened) empty(t testing.TB) {
	t.Helper()
	o.clean(t)
	all, err := o.List()
	if err != nil || len(all) > 0 {
		t.Errorf("%d images, %v", len(all), err)
	}
	if ids, err := namesIn(o.Store.layers, "."); err != nil || len(ids) > 0 {
		t.Errorf("layers: %v, %v", ids, err)
	}
}

// listing is a tree as text, a line each: type, permissions, and for files the content.
func listing(t testing.TB, top string) []string {
	t.Helper()
	out := []string{}
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		rel, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err == unix.ENOENT {
			// An overlay lists a whiteout in a directory that no other layer has, and then
			// says that there is nothing.
			out = append(out, "? "+rel)
			return nil
		} else if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %o", rel, st.Mode&0o7777)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			var value [8]byte
			if n, err := unix.Lgetxattr(name, opaqueName, value[:]); err == nil && n > 0 {
				line += " opaque"
			}
			line = "d " + line
		case unix.S_IFLNK:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			line = fmt.Sprintf("l %s → %s", rel, to)
		case unix.S_IFREG:
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line = fmt.Sprintf("f %s %q ×%d", line, text, st.Nlink)
		case unix.S_IFCHR:
			line = fmt.Sprintf("whiteout %s %d", rel, st.Rdev)
		default:
			line = "? " + line
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tree is what a layer of the store looks like.
func (o *opened) listed(t testing.TB, diffID string) []string {
	t.Helper()
	return listing(t, filepath.Join(o.Layers(), layerID(diffID), treeDir))
}

// rejects: an error names the layer and the entry, and says this.
func rejects(t testing.TB, err error, layer, entry, reason string) {
	t.Helper()
	var r *RejectedError
	if !errors.As(err, &r) {
		t.Errorf("not rejected: %v; want %q", err, reason)
		return
	}
	if r.Layer != layer || r.Entry != entry || !strings.Contains(r.Reason, reason) {
		t.Errorf("%+v; want layer %s, entry %q, reason %q", *r, layer, entry, reason)
	}
	if entry != "" && !strings.Contains(err.Error(), fmt.Sprintf("%.20q", entry)[1:min(10, len(entry))]) {
		t.Errorf("%v does not name the entry %q", err, entry)
	}
}

func ownersOf(info fs.FileInfo) [2]int64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return [2]int64{-1, -1}
	}
	return [2]int64{int64(st.Uid), int64(st.Gid)}
}

// headerWithRecords has this many bytes of records.
func headerWithRecords(n int) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: "pax", Mode: 0o644, Format: tar.FormatPAX, PAXRecords: map[string]string{"comment": strings.Repeat("c", n)}}
}

func blocksOf(t testing.TB, name string) int64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}

// sparseArchive has a file that begins with four bytes and claims size of them, in the
// way of PAX 1.0.
func sparseArchive(t testing.TB, size int64) []byte {
	t.Helper()
	content := "1\n0\n4\n"
	content += strings.Repeat("\x00", 512-len(content)) + "data"
	// The library writes no sparse files, and does not let anybody else: the records' names
	// are put in afterwards.
	records := map[string]string{"XXX.sparse.major": "1", "XXX.sparse.minor": "0", "XXX.sparse.name": "sparse", "XXX.sparse.realsize": fmt.Sprint(size)}
	text := archive(t, item{tar.Header{Typeflag: tar.TypeReg, Name: "GNUSparseFile.0/sparse", Mode: 0o644, Size: int64(len(content)), ModTime: then,
		Format: tar.FormatPAX, PAXRecords: records}, content}, file("behind", "it"))
	return bytes.ReplaceAll(text, []byte("XXX.sparse."), []byte("GNU.sparse."))
}

func lowers(t testing.TB, h *Held) []string {
	t.Helper()
	all, err := h.Lowers()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
