package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// ImportOptions say how images of an archive or a layout are taken.
type ImportOptions struct {
	Platform v1.Platform // zero: this machine's
	Name     string      // the image's name; "": those that the archive gives it
	Only     string      // of several images the one that the archive calls so
}

const mostImages = 64 // in an archive

// Import brings in the images of a file or a directory: an OCI layout, or what docker
// save writes, as a directory or as an archive, packed or not. "-" is stdin.
func (s *Store) Import(ctx context.Context, from string, stdin io.Reader, o ImportOptions) (all []*Added, err error) {
	if o.Platform.OS == "" {
		if o.Platform, err = ParsePlatform(""); err != nil {
			return nil, err
		}
	}
	b, err := s.bench()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	src, err := s.source(ctx, b, from, stdin)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	defer func() { err = errors.Join(err, src.close()) }()
	layout, err := has(src, "index.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if layout {
		return s.importLayout(ctx, src, o)
	}
	saved, err := has(src, "manifest.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if saved {
		return s.importSaved(ctx, src, o)
	}
	return nil, fmt.Errorf("%s: neither an OCI layout (index.json) nor what docker save writes (manifest.json); "+
		"for a plain directory of files there is cordon image build-from-dir", from)
}

// source opens what is to be imported. A packed archive is unpacked on the bench first:
// its members are not in the order in which they are needed.
func (s *Store) source(ctx context.Context, b *bench, from string, stdin io.Reader) (source, error) {
	if from == "-" {
		return s.spool(ctx, b, stdin)
	}
	f, err := os.OpenFile(from, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		return openFolder(from) // f is closed below
	case !info.Mode().IsRegular():
		return s.spool(ctx, b, f)
	default:
		var start [4]byte
		n, _ := f.ReadAt(start[:], 0)
		if packingOf(start[:n]) != plain {
			defer f.Close()
			return s.spool(ctx, b, f)
		}
		a, err := openArk(f)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return a, nil
	}
	return nil, errors.Join(err, f.Close())
}

// spool writes an archive to the bench, unpacked.
func (s *Store) spool(ctx context.Context, b *bench, r io.Reader) (source, error) {
	packed := &counted{from: r, hash: sha256.New(), most: s.limits.ArchiveBytes}
	l := s.limits
	l.Bytes = l.ArchiveBytes
	unpacked := openBlob(ctx, packed, -1, anyhow, &budget{Limits: l})
	defer unpacked.Close()
	f, err := b.file("archive")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, unpacked); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a, err := openArk(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// layoutBlobs are the blobs of an OCI layout.
type layoutBlobs struct{ source }

func (l layoutBlobs) name(d descriptor) string {
	return "blobs/sha256/" + strings.TrimPrefix(d.Digest, "sha256:")
}

func (l layoutBlobs) document(_ context.Context, d descriptor) ([]byte, error) {
	return read(l.source, l.name(d))
}

func (l layoutBlobs) blob(_ context.Context, d descriptor) (io.ReadCloser, error) {
	r, size, err := l.open(l.name(d))
	if err == nil && size != d.Size {
		err = errors.Join(rejected("it has %d bytes, %d were announced", size, d.Size), r.Close())
	}
	return r, err
}

func (s *Store) importLayout(ctx context.Context, src source, o ImportOptions) ([]*Added, error) {
	if err := checkLayout(src); err != nil {
		return nil, err
	}
	text, err := read(src, "index.json")
	if err != nil {
		return nil, err
	}
	index, err := parseIndex(text)
	if err != nil {
		return nil, err
	}
	tops, err := pick(index.Manifests, o)
	if err != nil {
		return nil, err
	}
	var all []*Added
	for _, d := range tops {
		names := []string{o.Name}
		if o.Name == "" {
			names = layoutNames(d)
		}
		a, err := s.take(ctx, layoutBlobs{src}, d, o.Platform, names, o.Name != "")
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

// parseIndex: that of a layout says nothing of its type, or that of an index.
func parseIndex(text []byte) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, rejected("index.json: not JSON of an index: %v", err)
	}
	if m.MediaType == "" {
		m.MediaType = "application/vnd.oci.image.index.v1+json"
	}
	return parseManifest(text, m.MediaType)
}

func checkLayout(src source) error {
	text, err := read(src, "oci-layout")
	if err != nil {
		return fmt.Errorf("index.json without oci-layout: %w", err)
	}
	var l struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Version != "1.0.0" {
		return rejected("oci-layout: version %s, 1.0.0 is wanted", quoted(l.Version))
	}
	return nil
}

const (
	refAnnotation  = "org.opencontainers.image.ref.name"
	nameAnnotation = "io.containerd.image.name"
)

// pick is what of a layout's index is imported: one image for each name, or all that
// there is for the platform where it has none.
func pick(all []descriptor, o ImportOptions) ([]descriptor, error) {
	var out []descriptor
	var have []string
	for _, d := range all {
		if !d.isImage() {
			continue
		}
		names := []string{d.Annotations[refAnnotation], d.Annotations[nameAnnotation]}
		have = append(have, strings.Join(names, " "))
		if o.Only != "" && !slices.Contains(names, o.Only) || d.Platform != nil && d.MediaType.IsImage() && !fits(*d.Platform, o.Platform) {
			continue
		}
		out = append(out, d)
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("no image of %s for %s; there are %d: %s", quoted(o.Only), o.Platform, len(have), quoted(strings.Join(have, ", ")))
	case len(out) > mostImages:
		return nil, rejected("%d images at once, allowed are %d", len(out), mostImages)
	case len(out) > 1 && o.Name != "":
		return nil, fmt.Errorf("%d images, and one name for them: say which with --only; there are %s", len(out), quoted(strings.Join(have, ", ")))
	}
	return out, nil
}

// layoutNames are the names that a layout gives an image, as far as they are names.
func layoutNames(d descriptor) (names []string) {
	for _, a := range []string{d.Annotations[nameAnnotation], d.Annotations[refAnnotation]} {
		// A bare word there is a tag, and of which name is not said.
		if name, err := ParseName(a); err == nil && strings.ContainsAny(a, ":/") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// savedImage is an image in what docker save writes.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (s *Store) importSaved(ctx context.Context, src source, o ImportOptions) ([]*Added, error) {
	text, err := read(src, "manifest.json")
	if err != nil {
		return nil, err
	}
	var images []savedImage
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&images); err != nil {
		return nil, rejected("manifest.json: not JSON of a list of images: %v", err)
	}
	if o.Only != "" {
		images = slices.DeleteFunc(images, func(i savedImage) bool { return !slices.Contains(i.RepoTags, o.Only) })
	}
	switch {
	case len(images) == 0:
		return nil, fmt.Errorf("no image called %s in it", quoted(o.Only))
	case len(images) > mostImages:
		return nil, rejected("%d images at once, allowed are %d", len(images), mostImages)
	case len(images) > 1 && o.Name != "":
		return nil, fmt.Errorf("%d images, and one name for them: say which with --only", len(images))
	}
	var all []*Added
	for _, i := range images {
		a, err := s.importOneSaved(ctx, src, i, o)
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (s *Store) importOneSaved(ctx context.Context, src source, i savedImage, o ImportOptions) (*Added, error) {
	text, err := read(src, i.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, rejected("its configuration %s is not in the archive", quoted(i.Config))
	}
	if err != nil {
		return nil, err
	}
	// Who names the file by its digest means it.
	if hex := strings.TrimSuffix(i.Config[strings.LastIndexByte(i.Config, '/')+1:], ".json"); digestForm.MatchString("sha256:"+hex) && digestOf(text) != "sha256:"+hex {
		return nil, rejected("configuration %s: digest mismatch: its bytes have %s", quoted(i.Config), digestOf(text))
	}
	if len(i.Layers) > mostLayers {
		return nil, rejected("%d layers, allowed are %d", len(i.Layers), mostLayers)
	}
	_, ids, err := config(text, len(i.Layers), o.Platform)
	if err != nil {
		return nil, err
	}
	layers := make([]coming, len(ids))
	for n, name := range i.Layers {
		r, size, err := src.open(name)
		if err != nil {
			return nil, rejected("layer %d: %v", n+1, err)
		}
		r.Close()
		layers[n] = coming{diffID: ids[n], size: size, want: anyhow, open: func(context.Context) (io.ReadCloser, error) {
			r, _, err := src.open(name)
			return r, err
		}}
	}
	names := []string{o.Name}
	if o.Name == "" {
		names = nil
		for _, t := range i.RepoTags {
			if name, err := ParseName(t); err == nil {
				names = append(names, name)
			}
		}
	}
	return s.bring(ctx, layers, text, nil, names, o.Name != "")
}
