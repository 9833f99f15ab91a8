package image

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"
)

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// beneath opens a name below a directory: through no link, not above it, on no other
// file system.
func beneath(dir int, name string, flags int) (fd int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV}
	err = again(func() error {
		fd, err = unix.Openat2(dir, name, &how)
		if errors.Is(err, unix.EAGAIN) { // a rename came in between
			return unix.EINTR
		}
		return err
	})
	if err != nil {
		return -1, &os.PathError{Op: "openat2", Path: name, Err: err}
	}
	return fd, nil
}

// openFile opens a regular file below a directory, to read.
func openFile(dir int, name string) (*os.File, error) {
	fd, err := beneath(dir, name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

const opaqueName = "user.overlay.opaque"

// made is a layer's tree on the disk, while it is made.
type made struct {
	root, apart int // the tree, and where what was replaced lies
	owners      Owners
	dirs        map[string]int // some directories, open
	order       []string
}

const openDirs = 24

// dir opens a directory of the tree. It stays open for a while: what comes next is mostly
// in the same. No directory is ever removed, so what is open is what the name means.
func (m *made) dir(name string) (int, error) {
	if name == "." {
		return m.root, nil
	}
	if fd, ok := m.dirs[name]; ok {
		return fd, nil
	}
	fd, err := beneath(m.root, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	if len(m.order) >= openDirs {
		unix.Close(m.dirs[m.order[0]])
		delete(m.dirs, m.order[0])
		m.order = m.order[1:]
	}
	m.dirs[name] = fd
	m.order = append(m.order, name)
	return fd, nil
}

func (m *made) close() {
	for _, fd := range m.dirs {
		unix.Close(fd)
	}
	m.dirs, m.order = nil, nil
}

// in does something to a name in its directory.
func (m *made) in(name, op string, do func(dir int, base string) error) error {
	dir, err := m.dir(path.Dir(name))
	if err != nil {
		return err
	}
	if err := again(func() error { return do(dir, path.Base(name)) }); err != nil {
		return &os.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// A directory gets its mode, owner and time when the tree is whole.
func (m *made) mkdir(name string) error {
	return m.in(name, "mkdir", func(dir int, base string) error { return unix.Mkdirat(dir, base, 0o700) })
}

func (m *made) symlink(name string, n *node) error {
	return m.in(name, "symlink", func(dir int, base string) error {
		if err := unix.Symlinkat(n.target, dir, base); err != nil {
			return err
		}
		if err := m.own(dir, base, n); err != nil {
			return err
		}
		return unix.UtimesNanoAt(dir, base, []unix.Timespec{n.time, n.time}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (m *made) own(dir int, base string, n *node) error {
	uid, gid := m.owners.disk(n.uid), m.owners.disk(n.gid)
	if m.owners.Count == 0 {
		return nil
	}
	return unix.Fchownat(dir, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
}

func (m *made) link(name, to string) error {
	from, err := m.dir(path.Dir(to))
	if err != nil {
		return err
	}
	if from, err = unix.FcntlInt(uintptr(from), unix.F_DUPFD_CLOEXEC, 0); err != nil { // opening the other may close it
		return os.NewSyscallError("fcntl", err)
	}
	defer unix.Close(from)
	return m.in(name, "link", func(dir int, base string) error { return unix.Linkat(from, path.Base(to), dir, base, 0) })
}

// whiteout: everybody may make this one device, which is none (mknod(2)).
func (m *made) whiteout(name string) error {
	return m.in(name, "mknod", func(dir int, base string) error { return unix.Mknodat(dir, base, unix.S_IFCHR, 0) })
}

func (m *made) opaque(name string) error {
	dir, err := m.dir(name)
	if err != nil {
		return err
	}
	err = unix.Fsetxattr(dir, opaqueName, []byte("y"), 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("the file system of the image store keeps no extended attributes of users, which overlays need; "+
			"put the store on ext4, xfs or btrfs, or on a tmpfs of Linux 6.6 or later: %w", err)
	}
	return os.NewSyscallError("fsetxattr", err)
}

func (m *made) remove(name string) error {
	return m.in(name, "unlink", func(dir int, base string) error { return unix.Unlinkat(dir, base, 0) })
}

func (m *made) keep(name string, content int) error {
	return m.in(name, "rename", func(dir int, base string) error {
		if err := unix.Renameat(dir, base, m.apart, strconv.Itoa(content)); err != nil {
			return err
		}
		// Where another name of the same file lies there already, rename(2) does nothing.
		if err := unix.Unlinkat(dir, base, 0); err != nil && err != unix.ENOENT {
			return err
		}
		return nil
	})
}

// create makes a file that has no content yet.
func (m *made) create(name string) (*os.File, error) {
	var fd int
	err := m.in(name, "create", func(dir int, base string) (err error) {
		fd, err = unix.Openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// finish gives a file that is whole its owner, mode and time.
func (m *made) finish(name string, f *os.File, n *node) error {
	fd := int(f.Fd())
	if m.owners.Count > 0 {
		if err := unix.Fchown(fd, m.owners.disk(n.uid), m.owners.disk(n.gid)); err != nil {
			return os.NewSyscallError("fchown", err)
		}
	}
	if err := unix.Fchmod(fd, n.mode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	return m.in(name, "utimensat", func(dir int, base string) error {
		return unix.UtimesNanoAt(dir, base, []unix.Timespec{n.time, n.time}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// finishDir is the same for a directory.
func (m *made) finishDir(name string, n *node) error {
	fd, err := m.dir(name)
	if err != nil {
		return err
	}
	if m.owners.Count > 0 {
		if err := unix.Fchown(fd, m.owners.disk(n.uid), m.owners.disk(n.gid)); err != nil {
			return os.NewSyscallError("fchown", err)
		}
	}
	if err := unix.Fchmod(fd, n.mode); err != nil {
		return os.NewSyscallError("fchmod", err)
	}
	if name == "." {
		return os.NewSyscallError("utimensat", unix.UtimesNanoAt(fd, ".", []unix.Timespec{n.time, n.time}, 0))
	}
	return m.in(name, "utimensat", func(dir int, base string) error {
		return unix.UtimesNanoAt(dir, base, []unix.Timespec{n.time, n.time}, unix.AT_SYMLINK_NOFOLLOW)
	})
}
