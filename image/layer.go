package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Layer is what is known of a layer in the store.
type Layer struct {
	DiffID  string `json:"diff_id"` // digest of its archive, unpacked
	Entries int64  `json:"entries"` // of its archive
	Bytes   int64  `json:"bytes"`   // of its files' content
	Archive int64  `json:"archive"` // bytes of its archive
	Owners  Owners `json:"owners"`
	Apart   []int  `json:"apart,omitempty"`  // payloads that later entries have replaced
	Opaque  bool   `json:"opaque,omitempty"` // it hides all that is below it
	Notes   []Note `json:"notes,omitempty"`
	Noted   int64  `json:"noted,omitempty"` // how many there were: the list is bounded
}

// layerID is the name of a layer's directory: enough of its digest that nobody finds
// another with the same, and short enough for as many as an image may have.
func layerID(diffID string) string {
	return strings.TrimPrefix(diffID, "sha256:")[:20]
}

// held is a layer that is not removed while this is open.
type held struct {
	Layer
	lock *os.File
}

func (h *held) close() error { return h.lock.Close() }

// hold finds a layer and keeps it from being removed. The error is fs.ErrNotExist where
// there is none.
func (s *Store) hold(diffID string) (*held, error) {
	name := layerID(diffID) + "/" + layerFile
	for {
		f, err := openFile(s.layers, name)
		if err != nil {
			return nil, err
		}
		if err := again(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_SH) }); err != nil {
			f.Close()
			return nil, os.NewSyscallError("flock", err)
		}
		if !same(s.layers, name, int(f.Fd())) { // it was removed in between
			f.Close()
			continue
		}
		h := &held{lock: f}
		err = readJSON(s.layers, name, &h.Layer)
		if err == nil && h.DiffID != diffID {
			err = fmt.Errorf("%w: the layer %s has the place of %s", ErrDamaged, quoted(h.DiffID), diffID)
		}
		if errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("layer %s: %w; remove the images that have it, and import them again", short(diffID), err)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		return h, nil
	}
}

// unstack unpacks an archive of a layer below a directory of work, and gives the digest of
// its bytes unpacked.
func (s *Store) unstack(ctx context.Context, b *desk, name string, l *blob) (*Layer, error) {
	if err := unix.Mkdirat(b.fd, name, 0o700); err != nil {
		return nil, os.NewSyscallError("mkdirat", err)
	}
	u, done, err := s.prepare(ctx, b, name, l.budget)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := u.unpack(l); err != nil {
		u.record.abandon()
		return nil, err
	}
	layer := &Layer{DiffID: sum(l.sum), Entries: u.entries, Bytes: u.bytes, Owners: s.owners, Apart: u.apart,
		Opaque: u.tree.nodes["."].opaque, Notes: u.notes, Noted: u.noted}
	for i := range layer.Notes {
		layer.Notes[i].Layer = layer.DiffID
	}
	return layer, nil
}

// prepare makes the places of a layer.
func (s *Store) prepare(ctx context.Context, b *desk, name string, budget *budget) (*unpacking, func(), error) {
	m := &made{root: -1, apart: -1, owners: s.owners, dirs: map[string]int{}}
	done := func() {
		m.close()
		for _, fd := range []int{m.root, m.apart} {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	}
	for _, p := range []struct {
		name string
		fd   *int
	}{{treeDir, &m.root}, {apartDir, &m.apart}} {
		err := unix.Mkdirat(b.fd, name+"/"+p.name, 0o700)
		if err == nil {
			*p.fd, err = beneath(b.fd, name+"/"+p.name, unix.O_RDONLY|unix.O_DIRECTORY)
		}
		if err != nil {
			done()
			return nil, nil, fmt.Errorf("work: %w", err)
		}
	}
	f, err := b.file(name + "/" + recordArk)
	if err != nil {
		done()
		return nil, nil, err
	}
	record, err := newRecorder(f)
	if err != nil {
		f.Close()
		done()
		return nil, nil, err
	}
	u := &unpacking{ctx: ctx, made: m, record: record, budget: budget, buffer: make([]byte, 256<<10)}
	u.tree = newTree(keptDisk{m, &u.apart})
	u.tree.implied = budget.entry // one entry may imply a hundred
	return u, func() { f.Close(); done() }, nil
}

// seal writes what is known of a layer beside it, and gives it held.
func (b *desk) seal(name string, l *Layer) (*held, error) {
	text, err := stored(l)
	if err != nil {
		return nil, fmt.Errorf("layer %s: %s: %w", short(l.DiffID), layerFile, err)
	}
	f, err := b.file(name + "/" + layerFile)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(text); err == nil {
		err = again(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_SH) })
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &held{*l, f}, nil
}

// place gives a sealed layer its place. Where another process was quicker, its layer is
// held instead.
func (s *Store) place(b *desk, name string, h *held) (*held, error) {
	id := layerID(h.DiffID)
	for tries := 0; ; tries++ {
		err := unix.Renameat2(b.fd, name, s.layers, id, unix.RENAME_NOREPLACE)
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return nil, &os.PathError{Op: "rename", Path: id, Err: err}
		}
		other, err := s.hold(h.DiffID)
		if err == nil {
			if err := h.close(); err != nil {
				return nil, errors.Join(err, other.close())
			}
			return other, nil
		}
		if tries == mostTries && errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: the directory of layer %s holds none; remove the images that have it, and import them again", ErrDamaged, short(h.DiffID))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// mostTries: that others remove a layer each time between two calls is not to be believed.
const mostTries = 10
