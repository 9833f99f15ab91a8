package cell

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A job's process is a copy of the fork server until it executes the job's
// program: /proc/self/exe names this binary then, and a job may ask for exactly
// that as its program, or as the interpreter of its script. Executed in the cell,
// it could be read, and where ids are not mapped be changed (CVE-2019-5736). So
// each fork server is executed by a mount of its own, from which nothing can be
// executed any more as soon as the server runs: the kernel refuses with EACCES.

// ownBinary is this program's file, opened by its path once: what /proc/self/exe
// leads to may lie in another mount namespace, and cannot be mounted then.
var ownBinary = sync.OnceValues(func() (int, error) {
	path, err := os.Executable()
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var named, running unix.Stat_t
	if err := unix.Fstat(fd, &named); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	if err := unix.Stat("/proc/self/exe", &running); err != nil {
		return -1, os.NewSyscallError("stat /proc/self/exe", err)
	}
	if named.Dev != running.Dev || named.Ino != running.Ino {
		return -1, fmt.Errorf("%s is not the program that runs: it was replaced meanwhile; start the service again", path)
	}
	return fd, nil
})

// HoldProgram opens what is held as long as the service: this program's file, for all fork
// servers to come, so that one that is replaced later is still this one, and the device of
// empty inputs. Start fails where it did.
func HoldProgram() error {
	if _, err := nullMount(); err != nil {
		return err
	}
	_, err := ownBinary()
	return err
}

// program is a mount of the binary alone, attached nowhere.
func program() (*os.File, error) {
	fd, err := ownBinary()
	if err != nil {
		return nil, err
	}
	tree, err := unix.OpenTree(fd, "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("open_tree", err)
	}
	return os.NewFile(uintptr(tree), "cordon-cell"), nil
}

// seal keeps everybody from executing what was executed by this mount.
func seal(program *os.File) error {
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_RDONLY}
	return os.NewSyscallError("mount_setattr", unix.MountSetattr(int(program.Fd()), "", unix.AT_EMPTY_PATH, &attr))
}
