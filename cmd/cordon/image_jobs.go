package main

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
	"cordon/sandbox"
	"cordon/sandbox/cell"
)

// imageRoots are the images of a store, as jobs name them.
type imageRoots struct{ store *image.Store }

// Find finds an image by any of its names.
func (r imageRoots) Find(name string) (*sandbox.ImageInfo, error) {
	ref, err := image.ParseRef(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnknownImage, err)
	}
	i, err := r.store.Get(ref)
	if errors.Is(err, image.ErrNotFound) {
		return nil, fmt.Errorf("%w: %.200q", sandbox.ErrUnknownImage, name)
	}
	if err != nil {
		return nil, &sandbox.InvalidError{Field: "image", Detail: err.Error()}
	}
	return imageInfo(i)
}

// List is every image. One that is damaged is left out: to name it says so.
func (r imageRoots) List() ([]*sandbox.ImageInfo, error) {
	all, err := r.store.List()
	if err != nil {
		return nil, err
	}
	out := make([]*sandbox.ImageInfo, 0, len(all))
	for _, i := range all {
		if info, err := imageInfo(i); err == nil {
			out = append(out, info)
		}
	}
	return out, nil
}

func imageInfo(i *image.Image) (*sandbox.ImageInfo, error) {
	f, err := i.File()
	if err != nil {
		return nil, &sandbox.InvalidError{Field: "image", Detail: err.Error()}
	}
	names := append([]string{}, i.Names...)
	for _, m := range i.Manifests {
		names = append(names, m)
		for _, tag := range i.Names {
			names = append(names, tag[:strings.LastIndexByte(tag, ':')]+"@"+m)
		}
	}
	c := f.Config
	return &sandbox.ImageInfo{Image: policy.Image{Asked: i.ID, ID: i.ID, Names: names}, Tags: i.Names, Env: c.Env, Entrypoint: c.Entrypoint, Cmd: c.Cmd,
		User: c.User, Dir: c.WorkingDir, Platform: path.Join(f.OS, f.Architecture, f.Variant), Layers: len(i.Layers), Bytes: i.Bytes(), Added: i.Added}, nil
}

// Hold keeps an image's layers.
func (r imageRoots) Hold(id string) (sandbox.HeldImage, error) {
	ref, err := image.ParseRef(id)
	if err != nil {
		return nil, err
	}
	held, err := r.store.Hold(ref)
	if err != nil {
		return nil, err
	}
	return &heldRoot{r.store, held}, nil
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

// askedImage is all that is known of an image where its store is not at hand: its name.
func askedImage(text string) *policy.Image {
	i := &policy.Image{Asked: text, Names: []string{text}}
	if ref, err := image.ParseRef(text); err == nil {
		switch {
		case ref.Name != "" && ref.Digest != "":
			i.Names = []string{ref.Name + "@" + ref.Digest, ref.Digest}
		case ref.Name != "":
			i.Names = []string{ref.Name}
		default:
			i.ID, i.Names = "sha256:"+ref.Prefix, nil
		}
	}
	return i
}

// onImage gives the job of cordon run its image.
func (f *runFlags) onImage(j *sandbox.Job, e *engine) error {
	j.Image = nil
	q := sandbox.ImageRequest{Name: f.image, User: f.user, Dir: f.dir, Range: f.idRange, Placed: len(j.Files) > 0}
	if e.images == nil {
		return j.UseImage(nil, q)
	}
	err := j.UseImage(imageRoots{e.images}, q)
	if errors.Is(err, sandbox.ErrUnknownImage) {
		return fmt.Errorf("%w; cordon image list shows those that there are", err)
	}
	return err
}
