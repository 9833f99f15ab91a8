package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// madeDir holds, by key, which image was made of what. Only this store writes there: what
// an image says of itself is never believed.
const madeDir = "made"

var keyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

type madeNote struct {
	Image string    `json:"image"`
	Made  time.Time `json:"made"`
}

// Made finds the image that was made for a key, whole, and holds it; ErrNotFound where
// there is none any more.
func (s *Store) Made(key string) (*Held, error) {
	var m madeNote
	if err := s.madeAt(key); err != nil {
		return nil, err
	}
	if err := readJSON(s.root, madeDir+"/"+key+".json", &m); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNotFound
		}
		return nil, err
	}
	h, err := s.Hold(Ref{Prefix: strings.TrimPrefix(m.Image, "sha256:")})
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(ErrNotFound, err)
	}
	return h, err
}

// Remember notes what was made for a key, and forgets what is not there any more.
func (s *Store) Remember(key string, i *Image) error {
	if err := s.madeAt(key); err != nil {
		return err
	}
	if err := s.writeJSON(madeDir+"/"+key+".json", madeNote{i.ID, time.Now().UTC().Truncate(time.Second)}); err != nil {
		return err
	}
	return s.forgetMade()
}

func (s *Store) madeAt(key string) error {
	if !keyForm.MatchString(key) {
		return fmt.Errorf("key of what was made: %q given, 64 hexadecimal digits are wanted", key)
	}
	if err := unix.Mkdirat(s.root, madeDir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "mkdir", Path: madeDir, Err: err}
	}
	return nil
}

// forgetMade removes notes about images that were removed.
func (s *Store) forgetMade() error {
	names, err := namesIn(s.root, madeDir)
	if err != nil {
		return err
	}
	for _, n := range names {
		var m madeNote
		var st unix.Stat_t
		name := madeDir + "/" + n
		if !strings.HasSuffix(n, ".json") || readJSON(s.root, name, &m) != nil || !digestForm.MatchString(m.Image) {
			continue
		}
		if errors.Is(unix.Fstatat(s.root, imageName(m.Image), &st, unix.AT_SYMLINK_NOFOLLOW), unix.ENOENT) {
			if err := unix.Unlinkat(s.root, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
				return &os.PathError{Op: "unlink", Path: name, Err: err}
			}
		}
	}
	return nil
}

// LockMade waits until nobody else makes what a key stands for; waiting is told once where
// somebody does. It ends with the process, however that ends.
func (s *Store) LockMade(ctx context.Context, key string, waiting func()) (unlock func() error, err error) {
	if err := s.madeAt(key); err != nil {
		return nil, err
	}
	name := madeDir + "/" + key + ".lock"
	for told := false; ; {
		fd, err := unix.Openat(s.root, name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		err = again(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil && same(s.root, name, fd) {
			return func() error { return errors.Join(unix.Unlinkat(s.root, name, 0), unix.Close(fd)) }, nil
		}
		unix.Close(fd)
		if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, os.NewSyscallError("flock", err)
		}
		if err != nil && !told {
			told = true
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockLook):
		}
	}
}

// lockLook is how long who waits for another does not look.
const lockLook = 100 * time.Millisecond

// Name gives an image a name, and takes it from another that has it.
func (s *Store) Name(i *Image, name string) error {
	return s.locked(func() error {
		var st unix.Stat_t
		if err := unix.Fstatat(s.root, imageName(i.ID), &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("image %s: %w", short(i.ID), err)
		}
		return s.rename(func(all map[string]named) {
			if all[name].ID != i.ID {
				all[name] = named{i.ID, time.Now().UTC().Truncate(time.Second)}
			}
		})
	})
}
