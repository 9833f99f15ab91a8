package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Process is a process as /proc shows it. The start time tells it from a later
// one with the same pid.
type Process struct {
	Pid, Parent int
	Start       string
	Name        string
	State       string
}

// String names it.
func (p Process) String() string { return fmt.Sprintf("%d %s (%s)", p.Pid, p.Name, p.State) }

// readProcess reads /proc/PID/stat (proc_pid_stat(5)).
func readProcess(pid int) (Process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, false
	}
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if open < 0 || end < 0 {
		return Process{}, false
	}
	f := strings.Fields(string(text[end+1:]))
	if len(f) < 20 {
		return Process{}, false
	}
	parent, _ := strconv.Atoi(f[1])
	return Process{Pid: pid, Parent: parent, State: f[0], Start: f[19], Name: string(text[open+1 : end])}, true
}

// Descendants are all processes below pid, and pid itself.
func Descendants(tb testing.TB, pid int) []Process {
	tb.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		tb.Fatal(err)
	}
	children := map[int][]Process{}
	var out []Process
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, ok := readProcess(n)
		if !ok {
			continue
		}
		children[p.Parent] = append(children[p.Parent], p)
		if n == pid {
			out = append(out, p)
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].Pid]...)
	}
	return out
}

// Living are those of the processes that still run.
func Living(all []Process) []Process {
	var out []Process
	for _, p := range all {
		if now, ok := readProcess(p.Pid); ok && now.Start == p.Start && now.State != "Z" {
			out = append(out, now)
		}
	}
	return out
}

// Groups are the directories of cells' groups below those that the processes'
// own groups lie in: the service has one directory for all of its cells.
func Groups(tb testing.TB, all []Process) []string {
	tb.Helper()
	var out []string
	for _, dir := range instances(tb, all) {
		cells, err := filepath.Glob(filepath.Join(dir, "cell-*"))
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, cells...)
	}
	return out
}

// instances are the directories that a service has made for its cells, in each
// hierarchy: the parents of the groups that its processes are in.
func instances(tb testing.TB, all []Process) []string {
	tb.Helper()
	seen := map[string]bool{}
	var out []string
	for _, p := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Pid))
		if err != nil {
			continue // gone
		}
		for line := range strings.Lines(string(text)) {
			f := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(f) != 3 || !strings.HasPrefix(filepath.Base(f[2]), "cell-") {
				continue
			}
			for _, mount := range []string{"/sys/fs/cgroup", filepath.Join("/sys/fs/cgroup", f[1])} {
				dir := filepath.Dir(filepath.Join(mount, f[2]))
				if _, err := os.Stat(dir); err == nil && !seen[dir] {
					seen[dir] = true
					out = append(out, dir)
				}
			}
		}
	}
	return out
}
