package imageroots

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cordon/image"
	"cordon/policy"
	"cordon/rootfs"
)

// Elsewhere stands for the images of the services that run a queue's jobs, in one that runs
// none: a job may name any, and waits for a service that has it.
type Elsewhere struct {
	Names func() []string // of all that is there
}

var errElsewhere = errors.New("this service has no images: they are where jobs run")

// Find takes every name that could be one.
func (Elsewhere) Find(name string) (*rootfs.ImageInfo, error) {
	ref, err := image.ParseRef(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", rootfs.ErrUnknownImage, err)
	}
	named := nameOf(ref)
	if named == "" {
		if named = "sha256:" + ref.Prefix; len(ref.Prefix) != 64 {
			return nil, fmt.Errorf("%w: %.200q: this service runs no jobs; give a name, or the whole id", rootfs.ErrUnknownImage, name)
		}
	}
	names := []string{named}
	if ref.Digest != "" {
		names = append(names, ref.Digest)
	}
	return &rootfs.ImageInfo{Image: policy.Image{Asked: named, Names: slices.Compact(names)}, Elsewhere: true}, nil
}

// List has the names that are known, and nothing else of each.
func (e Elsewhere) List() (out []*rootfs.ImageInfo, err error) {
	names := slices.Sorted(slices.Values(e.Names()))
	for _, n := range slices.Compact(names) {
		if !strings.Contains(n, "sha256:") {
			out = append(out, &rootfs.ImageInfo{Image: policy.Image{Asked: n, Names: []string{n}}, Tags: []string{n}, Elsewhere: true})
		}
	}
	slices.SortFunc(out, func(a, b *rootfs.ImageInfo) int { return cmp.Compare(a.Asked, b.Asked) })
	return out, nil
}

// Look looks nowhere.
func (Elsewhere) Look(string, func(rootfs.Files) error) error { return errElsewhere }

// Hold holds nothing.
func (Elsewhere) Hold(string) (rootfs.HeldImage, error) { return nil, errElsewhere }
