package image

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// LayerRef is a layer as an image has it.
type LayerRef struct {
	DiffID string `json:"diff_id"`
	Digest string `json:"digest,omitempty"` // as it came packed
	Packed int64  `json:"packed,omitempty"`
	Bytes  int64  `json:"bytes"` // of its files' content
}

// Image is an image of the store.
type Image struct {
	ID        string     `json:"id"` // digest of its configuration
	Names     []string   `json:"names"`
	Manifests []string   `json:"manifests,omitempty"` // digests of manifests that it came with
	Layers    []LayerRef `json:"layers"`              // the lowest first
	Added     time.Time  `json:"added"`
	Config    []byte     `json:"config"` // as it came
}

// Bytes is what its files hold, each layer once.
func (i *Image) Bytes() (n int64) {
	seen := map[string]bool{}
	for _, l := range i.Layers {
		if !seen[l.DiffID] {
			n += l.Bytes
		}
		seen[l.DiffID] = true
	}
	return n
}

// File is its configuration, read.
func (i *Image) File() (*v1.ConfigFile, error) {
	f, err := v1.ParseConfigFile(bytes.NewReader(i.Config))
	if err != nil {
		return nil, fmt.Errorf("%w: image %s: configuration: %w", ErrDamaged, short(i.ID), err)
	}
	return f, nil
}

// List is every image, the latest first.
func (s *Store) List() ([]*Image, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	files, err := namesIn(s.root, imagesDir)
	if err != nil {
		return nil, err
	}
	all := []*Image{}
	for _, f := range files {
		id := "sha256:" + strings.TrimSuffix(f, ".json")
		if !digestForm.MatchString(id) { // nothing of ours
			continue
		}
		i, err := s.image(id, names)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b *Image) int { return cmp.Or(b.Added.Compare(a.Added), strings.Compare(a.ID, b.ID)) })
	return all, nil
}

func (s *Store) image(id string, names map[string]named) (*Image, error) {
	i := &Image{}
	if err := readJSON(s.root, imageName(id), i); err != nil {
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("image %s: %w; import it again, or remove it by its whole id", id, err)
		}
		return nil, err
	}
	if got := digestOf(i.Config); i.ID != id || got != id {
		return nil, fmt.Errorf("%w: image %s: its configuration has the digest %s; import it again, or remove it by its whole id", ErrDamaged, id, got)
	}
	if err := i.consistent(); err != nil {
		return nil, err
	}
	i.Names = namesOf(names, id)
	return i, nil
}

// consistent: which layers it has, its configuration says, which its digest holds.
func (i *Image) consistent() error {
	f, err := i.File()
	if err != nil {
		return err
	}
	same := slices.EqualFunc(i.Layers, f.RootFS.DiffIDs, func(l LayerRef, d v1.Hash) bool {
		return l.DiffID == d.String() && digestForm.MatchString(l.DiffID)
	})
	if !same {
		return fmt.Errorf("%w: image %s: its layers are not those of its configuration; import it again, or remove it by its whole id", ErrDamaged, i.ID)
	}
	return nil
}

// Get finds an image.
func (s *Store) Get(r Ref) (*Image, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	if r.Name != "" && r.Digest == "" {
		n, ok := names[r.Name]
		if !ok {
			return nil, fmt.Errorf("%w as %s; cordon image list shows those that there are", ErrNotFound, r.Name)
		}
		return s.image(n.ID, names)
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	var found []*Image
	for _, i := range all {
		if r.Digest != "" && slices.Contains(i.Manifests, r.Digest) && i.hasName(r.Name) || r.Prefix != "" && strings.HasPrefix(i.ID, "sha256:"+r.Prefix) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w with %s", ErrNotFound, cmp.Or(r.Digest, r.Prefix))
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("image %s: %d images begin so; give more digits", r.Prefix, len(found))
}

func (i *Image) hasName(name string) bool {
	return slices.ContainsFunc(i.Names, func(n string) bool { n, _ = cutTag(n); return n == name })
}

// Held is an image whose layers are not removed while it is open.
type Held struct {
	*Image
	layers []*held
	owners Owners // of the store
}

// Close lets them go.
func (h *Held) Close() error {
	var errs []error
	for _, l := range h.layers {
		errs = append(errs, l.close())
	}
	h.layers = nil
	return errors.Join(errs...)
}

// Hold finds an image and keeps its layers.
func (s *Store) Hold(r Ref) (*Held, error) {
	i, err := s.Get(r)
	if err != nil {
		return nil, err
	}
	h := &Held{Image: i, owners: s.owners}
	for _, l := range i.Layers {
		layer, err := s.hold(l.DiffID)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("layer %s is missing: %w; import it again", short(l.DiffID), err)
			}
			return nil, errors.Join(fmt.Errorf("image %s: %w", short(i.ID), err), h.Close())
		}
		h.layers = append(h.layers, layer)
	}
	return h, nil
}

// Lowers are the directories below Store.Layers that an overlay stacks to show the image,
// the topmost first. The overlay is to be mounted with userxattr, and with Store.Layers as
// the working directory, so that all of them fit its options.
func (h *Held) Lowers() ([]string, error) {
	var out []string
	for _, l := range slices.Backward(h.layers) {
		if l.Owners != h.owners {
			return nil, otherIDs(&l.Layer)
		}
		// An overlay does not take a directory twice. Where a layer comes again above,
		// there is nothing that it would add below.
		if dir := layerID(l.DiffID) + "/" + treeDir; !slices.Contains(out, dir) {
			out = append(out, dir)
		}
		if l.Opaque { // overlays do not look at their root's own mark
			break
		}
	}
	return out, nil
}

// otherIDs: the range of this user's ids was another one when the layer came.
func otherIDs(l *Layer) error {
	return fmt.Errorf("layer %s: its files have the ids of another subordinate range; remove the images that have it, and import them again", short(l.DiffID))
}

var _ json.Marshaler = (*imageJSON)(nil)

// imageJSON is how an image is told to people's programs: its configuration as JSON.
type imageJSON Image

// MarshalJSON writes the configuration as what it is.
func (i *imageJSON) MarshalJSON() ([]byte, error) {
	type plain Image
	return json.Marshal(struct {
		*plain
		Bytes  int64           `json:"bytes"`
		Config json.RawMessage `json:"config"`
	}{(*plain)(i), (*Image)(i).Bytes(), i.Config})
}

// Told is the image as JSON tells it, with the configuration as a document.
func (i *Image) Told() json.Marshaler { return (*imageJSON)(i) }
