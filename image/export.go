package image

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sink is where a layout goes.
type sink interface {
	put(name string, size int64, from io.Reader) error
	close() error
}

// tarSink writes a layout as an archive.
type tarSink struct{ w *tar.Writer }

func (t tarSink) put(name string, size int64, from io.Reader) error {
	if err := t.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}); err != nil {
		return err
	}
	_, err := io.Copy(t.w, from)
	return err
}

func (t tarSink) close() error { return t.w.Close() }

// dirSink writes it into a directory that was empty.
type dirSink struct{ root *os.Root }

func (d dirSink) put(name string, _ int64, from io.Reader) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) && strings.HasPrefix(name, "blobs/") { // the same layer twice
		return nil
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

func (d dirSink) close() error { return d.root.Close() }

func newDirSink(dir string) (sink, error) {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; name another directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := root.MkdirAll("blobs/sha256", 0o755); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return dirSink{root}, nil
}

// ExportLayoutTo writes an image as an OCI layout into a directory, which is made.
func (s *Store) ExportLayoutTo(ctx context.Context, r Ref, dir string) error {
	if _, err := s.Get(r); err != nil { // before anything is made for it
		return err
	}
	to, err := newDirSink(dir)
	if err != nil {
		return err
	}
	return errors.Join(s.exportLayout(ctx, r, to), to.close())
}

// ExportLayout writes an image as an archive of an OCI layout.
func (s *Store) ExportLayout(ctx context.Context, r Ref, w io.Writer) error {
	to := tarSink{tar.NewWriter(w)}
	if err := s.exportLayout(ctx, r, to); err != nil {
		return err
	}
	return to.close()
}

func (s *Store) exportLayout(ctx context.Context, r Ref, to sink) (err error) {
	h, err := s.Hold(r)
	if err != nil {
		return err
	}
	b, err := s.desk()
	if err != nil {
		return errors.Join(err, h.Close())
	}
	defer func() { err = errors.Join(err, b.close(), h.Close()) }()
	f, err := h.File()
	if err != nil {
		return err
	}
	m := &manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: &descriptor{MediaType: types.OCIConfigJSON, Digest: h.ID, Size: int64(len(h.Config))}}
	done := map[string]descriptor{}
	for i, l := range h.layers {
		d, ok := done[l.DiffID]
		if !ok {
			if d, err = s.pack(ctx, b, strconv.Itoa(i), &l.Layer, to); err != nil {
				return fmt.Errorf("export: layer %s: %w", short(l.DiffID), err)
			}
			done[l.DiffID] = d
		}
		m.Layers = append(m.Layers, d)
	}
	if err := putText(to, blobName(h.ID), h.Config); err != nil {
		return err
	}
	return finishLayout(to, m, h, f.Platform())
}

func blobName(digest string) string { return "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:") }

func putText(to sink, name string, text []byte) error {
	return to.put(name, int64(len(text)), strings.NewReader(string(text)))
}

// finishLayout writes what leads to the layers.
func finishLayout(to sink, m *manifest, h *Held, p *v1.Platform) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d := descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf(text), Size: int64(len(text)), Platform: p}
	if err := putText(to, blobName(d.Digest), text); err != nil {
		return err
	}
	index := &manifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, name := range h.Names {
		d.Annotations = map[string]string{refAnnotation: name, nameAnnotation: name}
		index.Manifests = append(index.Manifests, d)
	}
	if len(h.Names) == 0 {
		index.Manifests = []descriptor{d}
	}
	if text, err = json.Marshal(index); err != nil {
		return err
	}
	if err := putText(to, "index.json", text); err != nil {
		return err
	}
	return putText(to, "oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

// pack tells a layer's archive again, holds it against its digest, and packs it.
func (s *Store) pack(ctx context.Context, b *desk, name string, l *Layer, to sink) (d descriptor, err error) {
	f, err := b.file(name)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	archive, err := s.replay(l)
	if err != nil {
		return d, err
	}
	defer archive.Close()
	packed, hash := sha256.New(), sha256.New()
	w, err := gzip.NewWriterLevel(io.MultiWriter(f, packed), gzip.DefaultCompression)
	if err != nil {
		return d, err
	}
	if _, err := io.Copy(w, io.TeeReader(&untilDone{ctx, archive}, hash)); err != nil {
		return d, err
	}
	if err := w.Close(); err != nil {
		return d, err
	}
	if got := sum(hash); got != l.DiffID {
		return d, fmt.Errorf("%w: its bytes have the digest %s; cordon image verify tells where", ErrDamaged, got)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return d, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return d, err
	}
	d = descriptor{MediaType: types.OCILayer, Digest: sum(packed), Size: size}
	return d, to.put(blobName(d.Digest), size, f)
}

// untilDone ends with its context.
type untilDone struct {
	ctx  context.Context
	from io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.from.Read(p)
}
