package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Removed is what a removal has taken away.
type Removed struct {
	Names  []string `json:"names"`
	Images []string `json:"images"`
	Layers []string `json:"layers"`
	Bytes  int64    `json:"bytes"`               // of the layers' files
	Busy   []string `json:"in_use,omitempty"`    // layers that somebody uses: a later prune takes them
	Stale  int      `json:"leftovers,omitempty"` // of processes that were killed
}

// Remove takes a name away, and the image when that was its last one. Named by its digest
// the image goes with all its names.
func (s *Store) Remove(r Ref) (*Removed, error) {
	out := &Removed{Names: []string{}, Images: []string{}, Layers: []string{}}
	err := s.locked(func() error {
		i, err := s.removable(r)
		if err != nil {
			return err
		}
		gone := i.Names
		if r.Name != "" && r.Digest == "" && len(i.Names) > 1 {
			gone = []string{r.Name}
		}
		if err := s.rename(func(all map[string]named) {
			for _, n := range gone {
				delete(all, n)
			}
		}); err != nil {
			return err
		}
		out.Names = append(out.Names, gone...)
		if len(gone) < len(i.Names) {
			return nil
		}
		return s.removeImage(i.ID, out)
	})
	if err != nil {
		return nil, err
	}
	return out, s.collect(out)
}

// removable finds an image, also one whose own file is damaged, so that it can be got rid of.
func (s *Store) removable(r Ref) (*Image, error) {
	i, err := s.Get(r)
	if !errors.Is(err, ErrDamaged) {
		return i, err
	}
	names, e := s.names()
	if e != nil {
		return nil, errors.Join(err, e)
	}
	id := names[r.Name].ID
	if r.Name == "" && len(r.Prefix) == 64 {
		id = "sha256:" + r.Prefix
	}
	var st unix.Stat_t
	if id == "" || unix.Fstatat(s.root, imageName(id), &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return nil, err
	}
	return &Image{ID: id, Names: namesOf(names, id)}, nil
}

func (s *Store) removeImage(id string, out *Removed) error {
	if err := unix.Unlinkat(s.root, imageName(id), 0); err != nil {
		return &os.PathError{Op: "unlink", Path: imageName(id), Err: err}
	}
	out.Images = append(out.Images, id)
	return s.syncDir(imagesDir)
}

// Prune takes away images without a name, layers of no image, and what killed processes
// have left.
func (s *Store) Prune() (*Removed, error) {
	out := &Removed{Names: []string{}, Images: []string{}, Layers: []string{}}
	err := s.locked(func() error {
		all, err := s.List()
		if err != nil {
			return err
		}
		for _, i := range all {
			if len(i.Names) == 0 {
				if err := s.removeImage(i.ID, out); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Stale, err = s.sweep()
	return out, errors.Join(err, s.collect(out))
}

// collect takes away layers that no image has and nobody uses. What is taken away has no
// place at once, and is removed behind that.
func (s *Store) collect(out *Removed) (err error) {
	b, err := s.desk()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	return s.locked(func() error {
		wanted, err := s.wanted()
		if err != nil {
			return err
		}
		ids, err := namesIn(s.layers, ".")
		if err != nil {
			return err
		}
		for _, id := range ids {
			if wanted[id] {
				continue
			}
			if err := s.discard(b, id, out); err != nil {
				return fmt.Errorf("layer %s: %w", id, err)
			}
		}
		return nil
	})
}

// wanted are the layers that images have.
func (s *Store) wanted() (map[string]bool, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, i := range all {
		for _, l := range i.Layers {
			wanted[layerID(l.DiffID)] = true
		}
	}
	return wanted, nil
}

func (s *Store) discard(b *desk, id string, out *Removed) error {
	var l Layer
	f, err := openFile(s.layers, id+"/"+layerFile)
	switch {
	case err == nil:
		defer f.Close()
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) { // also one that is being brought in
			out.Busy = append(out.Busy, id)
			return nil
		}
		if err != nil {
			return os.NewSyscallError("flock", err)
		}
		if err := readJSON(s.layers, id+"/"+layerFile, &l); err != nil && !errors.Is(err, ErrDamaged) {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := unix.Renameat(s.layers, id, b.fd, id); err != nil {
		return os.NewSyscallError("rename", err)
	}
	out.Layers = append(out.Layers, strings.TrimSpace(id))
	out.Bytes += l.Bytes
	return nil
}
