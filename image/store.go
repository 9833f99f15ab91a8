package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Config says where a store is and what it takes.
type Config struct {
	Dir    string // made where it is missing; its parent is there
	Owners Owners
	Limits Limits // zero: DefaultLimits
}

// Store is a directory of layers and images. Several processes may use it at once.
//
//	layers/ID/      a layer: ID is the beginning of its digest, so that many names fit one mount
//	  fs/           its tree, as an overlay wants it
//	  apart/        content that a later entry of the layer has replaced
//	  record        what its archive had besides
//	  layer.json
//	images/ID.json  an image: its configuration and its layers, by the configuration's digest
//	names.json      which image has which name
//	work/           what is being made; what a killed process has left there goes at the next start
//	lock            held while names and images change
type Store struct {
	dir    string
	root   int
	layers int
	work   int
	owners Owners
	limits Limits
	sync   func(fd int) error // forces a file system to the disk
	flush  func(fd int) error // forces a file, or the names in a directory, there
}

const (
	layersDir = "layers"
	imagesDir = "images"
	workDir   = "work"
	lockName  = "lock"
	namesName = "names.json"
	treeDir   = "fs"
	apartDir  = "apart"
	layerFile = "layer.json"
	recordArk = "record"
)

// Open opens a store, and makes it where there is none.
func Open(c Config) (*Store, error) {
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits()
	}
	if err := c.Limits.Check(); err != nil {
		return nil, err
	}
	s := &Store{dir: c.Dir, owners: c.Owners, limits: c.Limits, sync: unix.Syncfs, flush: unix.Fsync, root: -1, layers: -1, work: -1}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("image store %s: %w", c.Dir, err), s.Close())
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := os.Mkdir(s.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if s.root, err = unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	for _, d := range []string{layersDir, imagesDir, workDir} {
		if err := unix.Mkdirat(s.root, d, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	if s.layers, err = beneath(s.root, layersDir, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
		return err
	}
	if s.work, err = beneath(s.root, workDir, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
		return err
	}
	// What cannot be removed is in nobody's way; Prune tries again, and tells.
	_, _ = s.sweep()
	return nil
}

// Close closes the store; what is in use stays so until it is closed itself.
func (s *Store) Close() error {
	var errs []error
	for _, fd := range []int{s.root, s.layers, s.work} {
		if fd >= 0 {
			errs = append(errs, unix.Close(fd))
		}
	}
	s.root, s.layers, s.work = -1, -1, -1
	return errors.Join(errs...)
}

// Layers is the directory of the layers: what Lowers names lies below it.
func (s *Store) Layers() string { return s.dir + "/" + layersDir }

// locked does something while no other process changes names or images.
func (s *Store) locked(do func() error) error {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(s.root, lockName, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		return err
	})
	if err != nil {
		return fmt.Errorf("image store %s: lock: %w", s.dir, err)
	}
	defer unix.Close(fd)
	if err := again(func() error { return unix.Flock(fd, unix.LOCK_EX) }); err != nil {
		return fmt.Errorf("image store %s: lock: %w", s.dir, err)
	}
	return do()
}

// writeJSON puts a document where it belongs: whole, or not at all.
func (s *Store) writeJSON(name string, v any) error {
	text, err := stored(v)
	if err != nil {
		return fmt.Errorf("image store %s: %s: %w", s.dir, name, err)
	}
	b, err := s.desk()
	if err != nil {
		return err
	}
	err = b.write("new", text)
	if err == nil {
		err = unix.Renameat(b.fd, "new", s.root, name)
	}
	if err == nil {
		err = s.syncDir(parentOf(name))
	}
	if err = errors.Join(err, b.close()); err != nil {
		return fmt.Errorf("image store %s: %s: %w", s.dir, name, err)
	}
	return nil
}

func parentOf(name string) string {
	if dir, _, ok := strings.Cut(name, "/"); ok {
		return dir
	}
	return "."
}

func (s *Store) syncDir(name string) error {
	fd, err := beneath(s.root, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("fsync", again(func() error { return s.flush(fd) })), unix.Close(fd))
}

// readJSON reads a document of the store's.
func readJSON(dir int, name string, to any) error {
	f, err := openFile(dir, name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, storedMax))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	return nil
}
