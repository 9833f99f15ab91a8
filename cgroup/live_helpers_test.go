package cgroup

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hang ends a wait that would never end. No test measures time by it.
const hang = time.Minute

var instances atomic.Int64

// freshName is an instance that nobody else has, also not another run.
func freshName() string { return fmt.Sprintf("test-%d-%d", os.Getpid(), instances.Add(1)) }

// discover makes a driver in the group that is delegated to this user, and fails
// where there is none: these tests stand for every limit of a job.
func discover(t testing.TB, name string) Driver {
	t.Helper()
	d, err := Discover(Options{Name: name})
	if err != nil {
		t.Fatalf("a delegated cgroup is needed; run: go test -exec \"$PWD/test/as-service-user\" ./cgroup/ (v1), or test/uml/run (v2)\n%v", err)
	}
	return d
}

// live is a driver that must have nothing left when the test has ended.
func live(t testing.TB) Driver {
	t.Helper()
	d := discover(t, freshName())
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the driver: %v", err)
		}
		for _, dir := range baseDirs(d) {
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", dir, err)
			}
		}
	})
	return d
}

// baseDirs are the driver's own directories.
func baseDirs(d Driver) []string {
	switch d := d.(type) {
	case *v2Driver:
		return []string{d.base.path}
	case *v1Driver:
		var out []string
		for _, b := range d.bases {
			out = append(out, b.dir.path)
		}
		return out
	}
	panic("another driver")
}

// groupDirs are those of the only group there ever was.
func groupDirs(t *testing.T, d Driver) []string {
	t.Helper()
	var out []string
	for _, base := range baseDirs(d) {
		names, err := children(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			out = append(out, filepath.Join(base, name))
		}
	}
	return out
}

// value reads one file of a group, in whichever of its directories it is.
func value(t *testing.T, d Driver, file string) string {
	t.Helper()
	for _, dir := range groupDirs(t, d) {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	t.Fatalf("the group has no file %s", file)
	return ""
}

// job is a shell in a group.
type job struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// start runs a script in a group: born there on v2; put there on v1 before its
// first command, as the daemon does.
func start(t *testing.T, g Group, script string) *job {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", "read go; "+script)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	entry := g.Entry()
	if (entry.Dir == nil) == (entry.Tasks == nil) {
		t.Fatalf("one way in is wanted: %+v", entry)
	}
	if entry.Dir != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(entry.Dir.Fd())}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j := &job{cmd, in}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // a no-op for one that was waited for
	for _, f := range entry.Tasks {
		if _, err := f.WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
			t.Fatalf("enter %s: %v", f.Name(), err)
		}
	}
	if _, err := io.WriteString(in, "go\n"); err != nil {
		t.Fatal(err)
	}
	return j
}

// signal waits for the shell and tells which signal ended it, 0 for none.
func (j *job) signal(t *testing.T) syscall.Signal {
	t.Helper()
	_ = j.cmd.Wait()
	j.in.Close()
	if status := j.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return status.Signal()
	}
	return 0
}

// within runs a wait that must not hang.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	t.Cleanup(cancel)
	return ctx
}

// adopt makes this process the parent of what its children leave behind, so that
// the test can see how each ended.
func adopt(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
}

// members are the processes of a group.
func members(t *testing.T, d Driver) []int {
	t.Helper()
	var pids []int
	for line := range strings.Lines(value(t, d, "cgroup.procs")) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// allKilled waits for all that a shell has left behind: each was ended by SIGKILL,
// and none of these pids is there any more. A shell that is being killed may still
// have waited for a child of its own.
func allKilled(t *testing.T, pids []int) {
	t.Helper()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			break
		}
		if !status.Signaled() || status.Signal() != unix.SIGKILL {
			t.Errorf("process %d was not killed: %#x", pid, status)
		}
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}

// until looks again until it holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(hang); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// finish ends a group as a job's end does.
func finish(t *testing.T, g Group) Usage {
	t.Helper()
	if err := g.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	if err := g.WaitFew(within(t), 0); err != nil {
		t.Errorf("wait: %v", err)
	}
	u, err := g.Usage()
	if err != nil {
		t.Errorf("usage: %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Errorf("remove again: %v", err)
	}
	return u
}
