package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockState makes this the only service with its state directory: two would take
// each other's groups for leftovers. The lock goes with the process.
func lockState(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		return nil, fmt.Errorf("state: %s is in use by a running service (process %s); end that, or name another directory with --state",
			dir, strings.TrimSpace(string(holder)))
	}
	_ = f.Truncate(0) // for people only
	_, _ = fmt.Fprintln(f, os.Getpid())
	return f, nil
}
