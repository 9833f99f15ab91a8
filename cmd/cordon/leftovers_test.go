package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// deadPid is of a process that has been, and is gone.
func deadPid(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// What the dead have left is removed and counted; what the living have, and what
// only looks like it, stays.
func TestSweep(t *testing.T) {
	tmp, run := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dead, living := deadPid(t), os.Getpid()
	var stay []string
	for _, e := range []struct {
		dir, name string
		stays     bool
	}{
		{tmp, fmt.Sprintf("cordon-root-%d-17", dead), false},
		{tmp, fmt.Sprintf("cordon-root-%d-18", dead), false},
		{tmp, fmt.Sprintf("cordon-root-%d-19", living), true},
		{tmp, fmt.Sprintf("cordon-root-%d-20/full", dead), true},
		{tmp, "cordon-root-x-1", true},
		{tmp, "cordon-root-", true},
		{run, fmt.Sprintf("userns-%d/lock", dead), false},
		{run, fmt.Sprintf("userns-%d/lock", living), true},
		{run, "userns-", true},
		{run, fmt.Sprintf("other-%d", dead), true},
	} {
		path := filepath.Join(e.dir, e.name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if e.stays {
			stay = append(stay, path)
		}
	}
	if n := sweepRoots(); n != 2 {
		t.Errorf("%d roots removed, want 2", n)
	}
	if n := sweepRunFiles(run); n != 1 {
		t.Errorf("%d runtime files removed, want 1", n)
	}
	if n := sweepRoots() + sweepRunFiles(run) + sweepRunFiles("") + sweepRunFiles(filepath.Join(run, "none")); n != 0 {
		t.Errorf("%d removed, and nothing was left", n)
	}
	left := slices.Concat(glob(t, tmp+"/*"), glob(t, run+"/*"))
	for _, path := range stay {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("gone, and not ours to remove: %v", err)
		}
	}
	if len(left) != len(stay) {
		t.Errorf("left: %q, want %q", left, stay)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// One line with every count, and none when there was nothing.
func TestLeftoversAreTold(t *testing.T) {
	for want, l := range map[string]leftovers{
		"": {},
		"level=WARN msg=\"removed what a killed service has left\" groups=3 run_files=0 roots=1\n": {groups: 3, roots: 1},
		"level=WARN msg=\"removed what a killed service has left\" groups=0 run_files=1 roots=0\n": {runFiles: 1},
	} {
		var log bytes.Buffer
		l.tell(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
		if log.String() != want {
			t.Errorf("%+v: logged %q, want %q", l, log.String(), want)
		}
	}
}

// A process that has ended and that nobody has collected is gone.
func TestGone(t *testing.T) {
	cmd := exec.Command("sh", "-c", "read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := fmt.Sprint(cmd.Process.Pid)
	if gone(pid) {
		t.Error("gone, and it runs")
	}
	in.Close()
	var state unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &state, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Error("a corpse is not gone")
	}
	_ = cmd.Wait()
	if !gone(pid) {
		t.Error("not gone, and it is collected")
	}
}

func TestStaleInstance(t *testing.T) {
	dead, living := deadPid(t), os.Getpid()
	for name, want := range map[string]bool{
		fmt.Sprintf("run-%d", dead): true, fmt.Sprintf("bench-%d", dead): true,
		fmt.Sprintf("run-%d", living): false, fmt.Sprintf("bench-%d", living): false,
		fmt.Sprintf("cordon-%d", dead): false, fmt.Sprint(dead): false, "run-": false, "run-x": false,
	} {
		if got := staleInstance(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
