package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

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
