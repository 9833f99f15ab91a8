package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// scratch covers the directory for temporary files with a tmpfs of the probe's
// own mount namespace; nobody else sees it, and it goes with the process.
func scratch(options string) (string, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("make the mounts private: %w", err)
	}
	dir := os.TempDir()
	return dir, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

func tryProc() outcome {
	dir, err := scratch("")
	if err != nil {
		return problem("mount a tmpfs", err)
	}
	if err := unix.Mount("proc", dir, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return problem("mount proc", err)
	}
	if self, err := os.Readlink(filepath.Join(dir, "self")); err != nil || self != "1" {
		return outcome{Problem: fmt.Sprintf("a fresh /proc shows the process as %q, %v; 1 is wanted", self, err)}
	}
	return outcome{Found: "mounted in a new pid namespace"}
}

// tryTmpfs proves both bounds of a scratch: bytes and inodes.
func tryTmpfs() outcome {
	dir, err := scratch("size=64k,nr_inodes=8")
	if err != nil {
		return problem("mount a tmpfs", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		return outcome{Problem: fmt.Sprintf("1 MiB in a tmpfs of 64 KiB should answer ENOSPC, and answered %v", err)}
	}
	for i := range 9 {
		err = os.Mkdir(filepath.Join(dir, fmt.Sprint(i)), 0o700)
		if err != nil {
			break
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		return outcome{Problem: fmt.Sprintf("9 files in a tmpfs of 8 inodes should answer ENOSPC, and answered %v", err)}
	}
	return outcome{Found: "bounded in bytes and inodes"}
}

// tryOverlay stacks two directories with an upper one, and deletes a file: it
// must stay deleted.
func tryOverlay() outcome {
	dir, err := scratch("")
	if err != nil {
		return problem("mount a tmpfs", err)
	}
	var errs []error
	for _, name := range []string{"a", "b", "upper", "work", "read", "write"} {
		errs = append(errs, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	errs = append(errs, os.WriteFile(filepath.Join(dir, "a/file"), nil, 0o644), os.Chdir(dir))
	if err := errors.Join(errs...); err != nil {
		return problem("prepare directories", err)
	}
	if err := unix.Mount("overlay", "read", "overlay", unix.MS_RDONLY, "lowerdir=a:b,userxattr"); err != nil {
		return problem("mount a read-only overlay with userxattr", err)
	}
	if err := unix.Mount("overlay", "write", "overlay", 0, "lowerdir=a:b,upperdir=upper,workdir=work,userxattr"); err != nil {
		return problem("mount a writable overlay with userxattr", err)
	}
	if err := os.Remove("write/file"); err != nil {
		return problem("delete a file of a lower directory", err)
	}
	if _, err := os.Stat("write/file"); !errors.Is(err, os.ErrNotExist) {
		return outcome{Problem: fmt.Sprintf("a deleted file of a lower directory is still there: %v", err)}
	}
	if _, err := os.Stat("read/file"); err != nil {
		return problem("read a file of a lower directory", err)
	}
	return outcome{Found: "read-only and writable, with userxattr"}
}

// tryBind makes a read-only bind as a cell does: cloned detached, given its
// attributes, then attached.
func tryBind() outcome {
	dir, err := scratch("")
	if err != nil {
		return problem("mount a tmpfs", err)
	}
	if err := errors.Join(os.Chdir(dir), os.Mkdir("from", 0o755), os.Mkdir("to", 0o755)); err != nil {
		return problem("prepare directories", err)
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, "from", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return problem("open_tree", err)
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return problem("mount_setattr", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, "to", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return problem("move_mount", err)
	}
	if err := os.WriteFile("to/file", nil, 0o644); !errors.Is(err, unix.EROFS) {
		return outcome{Problem: fmt.Sprintf("writing to a read-only bind should answer EROFS, and answered %v", err)}
	}
	return outcome{Found: "open_tree, mount_setattr, move_mount"}
}
