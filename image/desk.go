package image

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// desk is a directory of work/ that only its owner uses. It is locked while that lives.
type desk struct {
	store *Store
	name  string
	fd    int
}

func (s *Store) desk() (*desk, error) {
	for {
		name := strings.ToLower(rand.Text())
		if err := unix.Mkdirat(s.work, name, 0o700); err != nil {
			return nil, fmt.Errorf("image store %s: work: %w", s.dir, err)
		}
		fd, err := beneath(s.work, name, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) { // a sweep was quicker
			continue
		}
		if err != nil {
			return nil, err
		}
		err = again(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil && same(s.work, name, fd) {
			b := &desk{s, name, fd}
			if err := b.ownRights(); err != nil {
				return nil, errors.Join(err, b.close())
			}
			return b, nil
		}
		unix.Close(fd)
		if err != nil && err != unix.EWOULDBLOCK {
			return nil, fmt.Errorf("image store %s: work: %w", s.dir, err)
		}
	}
}

// same: a name still stands for what is open.
func same(dir int, name string, fd int) bool {
	var named, open unix.Stat_t
	return unix.Fstatat(dir, name, &named, unix.AT_SYMLINK_NOFOLLOW) == nil && unix.Fstat(fd, &open) == nil &&
		named.Ino == open.Ino && named.Dev == open.Dev
}

// ownRights: what is made in it has the rights that it is given, and no list of others
// that a directory above hands down.
func (b *desk) ownRights() error {
	err := unix.Fremovexattr(b.fd, "system.posix_acl_default")
	if err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
		return fmt.Errorf("image store %s: work: the list of rights that it inherits (setfacl -k takes it away): %w", b.store.dir, err)
	}
	return nil
}

func (b *desk) close() error {
	err := removeAll(b.store.work, b.name)
	return errors.Join(err, unix.Close(b.fd))
}

// file makes a file in it.
func (b *desk) file(name string) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(b.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// sweep removes what killed processes have left, and counts it.
func (s *Store) sweep() (int, error) {
	names, err := namesIn(s.work, ".")
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, name := range names {
		fd, err := beneath(s.work, name, unix.O_RDONLY|unix.O_DIRECTORY)
		if err != nil {
			continue // gone, or nothing of ours
		}
		if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
			if err = removeAll(s.work, name); err == nil {
				n++
			} else {
				errs = append(errs, fmt.Errorf("what a killed process has left cannot be removed: %s: %w", name, err))
			}
		}
		unix.Close(fd)
	}
	return n, errors.Join(errs...)
}

// namesIn lists a directory below another.
func namesIn(dir int, name string) ([]string, error) {
	fd, err := beneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return f.Readdirnames(-1)
}

// removeAll removes a name and all below it, by descriptors. Directories whose owner may
// not do so are changed first.
func removeAll(dir int, name string) error {
	err := again(func() error { return unix.Unlinkat(dir, name, 0) })
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	var st unix.Stat_t
	if unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &os.PathError{Op: "unlinkat", Path: name, Err: err}
	}
	if st.Mode&0o700 != 0o700 {
		if err := unix.Fchmodat(dir, name, 0o700, 0); err != nil { // it is a directory: nothing is followed
			return &os.PathError{Op: "chmod", Path: name, Err: err}
		}
	}
	fd, err := beneath(dir, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	for {
		names, err := f.Readdirnames(1000)
		for _, n := range names {
			if err := removeAll(fd, n); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil { // what was removed moves what is left
			return err
		}
	}
	if err := again(func() error { return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) }); err != nil {
		return &os.PathError{Op: "rmdir", Path: name, Err: err}
	}
	return nil
}

// write makes a file that is on the disk when it returns.
func (b *desk) write(name string, text []byte) error {
	f, err := b.file(name)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = os.NewSyscallError("fsync", again(func() error { return b.store.flush(int(f.Fd())) }))
	}
	return errors.Join(err, f.Close())
}
