package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// disk is what a failing disk may refuse while the store runs: tests put another one
// in its place.
type disk struct {
	write  func(f *os.File, b []byte) (int, error)
	sync   func(f *os.File) error
	rename func(root int, from, to string) error
	unlink func(root int, name string) error
}

var theDisk = disk{
	write: (*os.File).Write,
	// The name and the times of the file are not what has to be on the disk.
	sync:   func(f *os.File) error { return again(func() error { return unix.Fdatasync(int(f.Fd())) }) },
	rename: func(root int, from, to string) error { return unix.Renameat(root, from, root, to) },
	unlink: func(root int, name string) error { return unix.Unlinkat(root, name, 0) },
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// beneath opens a name below a directory, through no link and not above it.
func beneath(dir int, name string, flags int) (fd int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	err = again(func() error {
		fd, err = unix.Openat2(dir, name, &how)
		if errors.Is(err, unix.EAGAIN) { // a rename came in between
			return unix.EINTR
		}
		return err
	})
	return fd, err
}

// create makes a new file below incoming. Only its owner can read it, and nobody can
// open it to write.
func (s *Store) create(name string) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(s.root, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o400)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s cannot be made: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// look finds what stands under a name.
func look(dir int, name string) (unix.Stat_t, error) {
	var stat unix.Stat_t
	err := again(func() error { return unix.Fstatat(dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW) })
	return stat, err
}

func isRegular(stat *unix.Stat_t) bool { return stat.Mode&unix.S_IFMT == unix.S_IFREG }

// damaged says why what stands under a file's name is not that file.
func damaged(stat *unix.Stat_t, size int64) error {
	if !isRegular(stat) || stat.Size != size {
		return fmt.Errorf("it has %d bytes and mode %o, a file of %d bytes was kept", stat.Size, stat.Mode, size)
	}
	return nil
}

// touch writes down when a file was used. That it could not be is told, and no more:
// the file was used all the same.
func (s *Store) touch(e *entry, at time.Time) {
	mtime, err := unix.TimeToTimespec(at)
	if err == nil {
		err = unix.UtimesNanoAt(s.root, nameOf(e.sum), []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		s.log.Warn("the time of use of a file could not be written down", "sha256", e.sum, "error", err)
	}
}
