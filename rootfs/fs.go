package rootfs

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS looks at the host's files. Tests put a fake one in its place.
type FS interface {
	Lstat(path string) (os.FileInfo, error)
	Readlink(path string) (string, error)
	Stat(path string) (os.FileInfo, error)
	EvalSymlinks(path string) (string, error)
	ReadFile(path string) ([]byte, error)
	Enter(path string) error
}

// HostFS is the real one.
type HostFS struct{}

// Lstat is os.Lstat.
func (HostFS) Lstat(path string) (os.FileInfo, error) { return os.Lstat(path) }

// Readlink is os.Readlink.
func (HostFS) Readlink(path string) (string, error) { return os.Readlink(path) }

// Stat is os.Stat.
func (HostFS) Stat(path string) (os.FileInfo, error) { return os.Stat(path) }

// ReadFile is os.ReadFile.
func (HostFS) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// EvalSymlinks is filepath.EvalSymlinks.
func (HostFS) EvalSymlinks(path string) (string, error) { return filepath.EvalSymlinks(path) }

// Enter says whether this process may list a directory and go on from it.
func (HostFS) Enter(path string) error { return unix.Access(path, unix.R_OK|unix.X_OK) }
