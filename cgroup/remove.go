package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// waitFew polls: pids.current wakes nobody. When this is called the pid namespace is
// dead, or its init has told that it is alone, so the first look is nearly always the
// last.
func waitFew(ctx context.Context, most int64, current func() (int64, error)) error {
	pause := 100 * time.Microsecond
	for {
		n, err := current()
		if n <= most || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the group still has %d processes, not %d: %w", n, most, ctx.Err())
		case <-time.After(pause):
		}
		pause = min(2*pause, 20*time.Millisecond)
	}
}

const removeTries = 50

// removeGroup removes one directory. For a moment after the last process has
// ended the kernel may still answer EBUSY.
func removeGroup(parent int, name, path string) error {
	pause := 200 * time.Microsecond
	for i := 0; ; i++ {
		err := rmdir(parent, name, path)
		if !errors.Is(err, unix.EBUSY) || i == removeTries {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// rmdir removes a directory that may be gone already.
func rmdir(parent int, name, path string) error {
	err := unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
	if err == nil || err == unix.ENOENT {
		return nil
	}
	return &os.PathError{Op: "rmdir", Path: path, Err: err}
}

// children are the names of the groups in a directory; none where there is no
// directory (any more).
func children(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// sweep removes what a dead daemon has left below base: processes first, then
// groups, the innermost first.
func sweep(base string) error {
	names, err := children(base)
	if err != nil {
		return err
	}
	for _, name := range names {
		child := filepath.Join(base, name)
		d, err := openDir(child)
		if err != nil {
			return err
		}
		err = d.killEach()
		d.close()
		if err != nil {
			return fmt.Errorf("leftover group: %w", err)
		}
		if err := sweep(child); err != nil {
			return err
		}
		if err := removeGroup(unix.AT_FDCWD, child, child); err != nil {
			return fmt.Errorf("leftover group: %w", err)
		}
	}
	return nil
}
