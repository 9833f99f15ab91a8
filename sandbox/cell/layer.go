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
	tree, err := unix.OpenTree(int(dir.Fd()), "", unix.AT_EMPTY_PATH|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("open_tree", err)
	}
	defer unix.Close(tree)
	// Detached: at no moment is it visible with fewer restrictions.
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return os.NewSyscallError("mount_setattr", err)
	}
	raw, err := c.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	h := head{kind: msgLayer, c: cellFault()}
	var shown head
	var asked error
	err = raw.Control(func(fd uintptr) {
		var got []int
		shown, got, asked = c.server.ask(h, []int{int(fd), tree}, pointSendLayer, pointReceiveLayerShown)
		closeFDs(got)
	})
	if err := errors.Join(err, asked); err != nil {
		return err
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
