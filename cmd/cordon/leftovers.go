package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The names that this process's own things have carry its pid: what a killed one
// has left is known by that.
const (
	onceRun   = "run-"
	onceBench = "bench-"
	rootName  = "cordon-root-"
	runName   = "userns-"
)

// leftovers count what killed processes have left and this start has removed. Their
// jobs, mounts and namespaces are none of it: the kernel ended those with them.
type leftovers struct{ groups, runFiles, roots int }

// tell says it in one line; after an orderly end there is nothing to say.
func (l leftovers) tell(logger *slog.Logger) {
	if l != (leftovers{}) {
		logger.Warn("removed what a killed service has left", "groups", l.groups, "run_files", l.runFiles, "roots", l.roots)
	}
}

// staleInstance: a run or benchmark whose process is gone.
func staleInstance(name string) bool {
	for _, prefix := range []string{onceRun, onceBench} {
		if pid, ok := strings.CutPrefix(name, prefix); ok {
			return gone(pid)
		}
	}
	return false
}

// gone: there is no process with this pid, or only its corpse, which waits until
// somebody collects it. Another process may have the pid by now: then the leftovers
// wait for a later start.
func gone(pid string) bool {
	if _, err := strconv.Atoi(pid); err != nil {
		return false
	}
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return true
	}
	name := bytes.LastIndexByte(text, ')') // which may hold anything (proc_pid_stat(5))
	return err == nil && name >= 0 && bytes.HasPrefix(text[name:], []byte(") Z"))
}

// sweep removes the entries of dir that begin with prefix and the pid of a process
// that is gone, and counts them. What cannot be removed, such as another user's, is
// in nobody's way.
func sweep(dir, prefix string, remove func(string) error) (n int) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), prefix)
		pid, _, _ := strings.Cut(rest, "-")
		if ours && gone(pid) && remove(filepath.Join(dir, e.Name())) == nil {
			n++
		}
	}
	return n
}

// sweepRunFiles removes the directories that killed starts have left for RootlessKit.
func sweepRunFiles(dir string) int {
	if dir == "" {
		return 0
	}
	return sweep(dir, runName, os.RemoveAll)
}

// sweepRoots removes the mount points that killed processes have left: empty
// directories, for what was mounted there went with its mount namespace.
func sweepRoots() int { return sweep(os.TempDir(), rootName, os.Remove) }

// mountPoint makes the directory on which fork servers build their roots, each in
// a mount namespace of its own.
func mountPoint() (string, error) {
	return os.MkdirTemp("", fmt.Sprintf("%s%d-", rootName, os.Getpid()))
}
