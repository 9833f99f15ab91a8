package cell

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LayerPath is where a cell sees its layer: an empty directory of every root.
const LayerPath = "/layer"

// Layer shows the cell a directory tree, read-only, at LayerPath. The cell waits for
// its job: nothing of that has run yet. No byte is copied.
func (c *Cell) Layer(dir *os.File) error {
	tree, err := detached(dir)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	h := head{kind: msgLayer, c: cellFault()}
	return c.show(h, nil, []int{tree}, pointSendLayer, pointReceiveLayerShown)
}

// Shown is a file of the daemon's, and where below /work a job sees it.
type Shown struct {
	Path string // relative and clean; nothing else of the job's is there
	File *os.File
}

// MostShown is how many files are shown at once, and MostPathBytes how long their paths
// together may be, each with a byte for its end.
const (
	MostShown     = maxFDs - 1 // the other is init's
	MostPathBytes = messageMax - headSize
)

// Show shows the cell files, read-only, each as a regular file at its path. The cell
// waits for its job. No byte is copied. owner is the id that the job has outside, 0
// where it has the service user's: of the empty files that the mounts cover.
func (c *Cell) Show(files []Shown, owner int) error {
	if len(files) == 0 || len(files) > MostShown {
		return fmt.Errorf("%d files to be shown at once, 1 to %d can be", len(files), MostShown)
	}
	h := head{kind: msgFiles, a: int64(owner), c: cellFault()}
	var paths []byte
	trees := make([]int, 0, len(files))
	defer func() { closeFDs(trees) }()
	for _, f := range files {
		tree, err := detached(f.File)
		if err != nil {
			return err
		}
		trees = append(trees, tree)
		paths = append(append(paths, f.Path...), 0)
	}
	if len(paths) > MostPathBytes {
		return fmt.Errorf("paths of %d bytes to be shown at once, %d can be", len(paths), MostPathBytes)
	}
	err := c.show(h, paths, trees, pointSendFiles, pointReceiveFilesShown)
	var failed *Failure
	if errors.As(err, &failed) && failed.Index < len(files) {
		failed.Detail = files[failed.Index].Path
	}
	return err
}

// detached is a mount of a file or directory that stands nowhere yet: at no moment is
// it visible with fewer restrictions.
func detached(f *os.File) (int, error) {
	tree, err := unix.OpenTree(int(f.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(tree)
		return -1, os.NewSyscallError("mount_setattr", err)
	}
	return tree, nil
}

// show has the fork server attach mounts in the cell.
func (c *Cell) show(h head, payload []byte, trees []int, sending, receiving point) error {
	raw, err := c.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var shown head
	var asked error
	err = raw.Control(func(fd uintptr) {
		var got []int
		shown, got, asked = c.server.ask(h, payload, append([]int{int(fd)}, trees...), sending, receiving)
		closeFDs(got)
	})
	if err != nil { // the cell was closed: its server has ended
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if asked != nil {
		return asked
	}
	if f := shown.failure(); f != nil {
		if f.Errno == unix.ESRCH { // init has died while it waited
			return fmt.Errorf("%w: %w", ErrGone, f)
		}
		return f
	}
	if shown.kind != msgLayerShown {
		return fmt.Errorf("fork server: message %d instead of a layer", shown.kind)
	}
	return nil
}

// Shared is a file as a job can read it from: without a copy, and by a mount on which
// nobody can change it, whosever it is.
func Shared(f *os.File) (*os.File, error) {
	if err := failing(pointShareInput); err != nil {
		return nil, fmt.Errorf("share a file: %w", err)
	}
	tree, err := detached(f)
	if err != nil {
		return nil, err
	}
	defer unix.Close(tree)
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", tree), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reopen a shared file: %w", err)
	}
	return os.NewFile(uintptr(fd), "shared"), nil
}
