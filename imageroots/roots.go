// Package imageroots shows the images of a store as the roots of jobs: by the names that
// jobs give them, and by the layers that they are mounted of.
package imageroots

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"cordon/image"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/sandbox/cell"
)

// Store are the images of a store, as jobs name them.
type Store struct{ Images *image.Store }

// Find finds an image by any of its names.
func (r Store) Find(name string) (*rootfs.ImageInfo, error) {
	ref, err := image.ParseRef(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", rootfs.ErrUnknownImage, err)
	}
	i, err := r.Images.Get(ref)
	if errors.Is(err, image.ErrNotFound) {
		unknown := policy.Image{Asked: name}
		if named := nameOf(ref); named != "" {
			unknown.Names = []string{named}
		}
		return nil, &rootfs.UnknownImageError{Image: unknown}
	}
	if err != nil {
		return nil, err
	}
	info, err := infoOf(i)
	if err != nil {
		return nil, err
	}
	if named := nameOf(ref); named != "" {
		info.Asked = named
	}
	return info, nil
}

// nameOf is a reference as every service writes it; "" for one that is by an id's beginning.
func nameOf(ref image.Ref) string {
	if ref.Digest != "" && ref.Name != "" {
		return ref.Name + "@" + ref.Digest
	}
	return cmp.Or(ref.Name, ref.Digest)
}

// List is every image. One that is damaged is left out: to name it says so.
func (r Store) List() ([]*rootfs.ImageInfo, error) {
	all, err := r.Images.List()
	if err != nil {
		return nil, err
	}
	out := make([]*rootfs.ImageInfo, 0, len(all))
	for _, i := range all {
		if info, err := infoOf(i); err == nil {
			out = append(out, info)
		}
	}
	return out, nil
}

func infoOf(i *image.Image) (*rootfs.ImageInfo, error) {
	f, err := i.File()
	if err != nil {
		return nil, err
	}
	names := append([]string{}, i.Names...)
	for _, m := range i.Manifests {
		names = append(names, m)
		for _, tag := range i.Names {
			names = append(names, tag[:strings.LastIndexByte(tag, ':')]+"@"+m)
		}
	}
	c := f.Config
	return &rootfs.ImageInfo{Image: policy.Image{Asked: i.ID, ID: i.ID, Names: names}, Tags: i.Names, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
		User: c.User, Dir: c.WorkingDir, Platform: path.Join(f.OS, f.Architecture, f.Variant), Layers: len(i.Layers), Bytes: i.Bytes(), Added: i.Added}, nil
}

// Hold keeps an image's layers.
func (r Store) Hold(id string) (rootfs.HeldImage, error) {
	ref, err := image.ParseRef(id)
	if err != nil {
		return nil, err
	}
	held, err := r.Images.Hold(ref)
	if err != nil {
		return nil, err
	}
	return &heldRoot{r.Images, held}, nil
}

// Look looks names up in an image.
func (r Store) Look(id string, do func(rootfs.Files) error) error {
	held, err := r.Hold(id)
	if err != nil {
		return err
	}
	h := held.(*heldRoot)
	v, err := h.held.View(h.store)
	if err == nil {
		err = errors.Join(do(v), v.Close())
	}
	return errors.Join(err, h.Close())
}

type heldRoot struct {
	store *image.Store
	held  *image.Held
}

// accountsMost is more than any image has in /etc/passwd.
const accountsMost = 1 << 20

// Root is what a root is made of: the layers, their ids, and the image's users.
func (h *heldRoot) Root() (*rootfs.Image, error) {
	lowers, err := h.held.Lowers()
	if err != nil {
		return nil, err
	}
	v, err := h.held.View(h.store)
	if err != nil {
		return nil, err
	}
	out := &rootfs.Image{Layers: h.store.Layers(), Lowers: lowers}
	owners := h.held.Owners()
	out.IDs = cell.IDs{First: int(owners.First), Count: int(owners.Count)}
	for name, to := range map[string]*string{"/etc/passwd": &out.Passwd, "/etc/group": &out.Group} {
		text, readErr := v.ReadFile(name, accountsMost)
		if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
			err = cmp.Or(err, fmt.Errorf("image: %w", readErr))
		}
		*to = string(text)
	}
	if err := errors.Join(err, v.Close()); err != nil {
		return nil, err
	}
	return out, nil
}

// Close lets the layers go.
func (h *heldRoot) Close() error { return h.held.Close() }
