// Package processes shows the tree of processes as /proc has it, for those who look
// at a service from outside.
package processes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is what /proc/PID/stat and status show of one (proc_pid_stat(5),
// proc_pid_status(5)). The start time tells it from a later one with the same pid.
type Process struct {
	Pid, Parent int
	UID         uint64 // real, as the reader's user namespace has it
	Name        string
	State       string   // one letter; Z is a zombie
	Start       string   // clock ticks since the machine started
	Inner       []string // pids in each namespace, the reader's first
}

// String names it.
func (p Process) String() string {
	return fmt.Sprintf("%d %s (%s, uid %d)", p.Pid, p.Name, p.State, p.UID)
}

// First says that it is pid 1 of a namespace of its own.
func (p Process) First() bool { return len(p.Inner) > 1 && p.Inner[len(p.Inner)-1] == "1" }

// Ended: only its parent has not looked yet.
func (p Process) Ended() bool { return p.State == "Z" || p.State == "X" }

// Read looks at one process; false when there is none.
func Read(pid int) (Process, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Process{}, false
	}
	return parse(pid, string(stat), string(status))
}

// parse takes the name from stat, where it is not escaped: it stands between the
// first parenthesis and the last.
func parse(pid int, stat, status string) (Process, bool) {
	p := Process{Pid: pid}
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return p, false
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 20 {
		return p, false
	}
	p.Name, p.State, p.Start = stat[open+1:end], f[0], f[19]
	var err error
	if p.Parent, err = strconv.Atoi(f[1]); err != nil {
		return p, false
	}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		switch {
		case key == "Uid" && len(f) > 0:
			if p.UID, err = strconv.ParseUint(f[0], 10, 64); err != nil {
				return p, false
			}
		case key == "NSpid":
			p.Inner = f
		}
	}
	return p, true
}

// All lists what there is. One that ends meanwhile is left out.
func All() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if p, ok := Read(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// Below are a process and all its descendants, outermost first.
func Below(all []Process, pid int) []Process {
	children := map[int][]Process{}
	var out []Process
	for _, p := range all {
		children[p.Parent] = append(children[p.Parent], p)
		if p.Pid == pid {
			out = append(out, p)
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].Pid]...)
	}
	return out
}

// Arguments are those it was started with, a space between them; "" when it is gone.
func (p Process) Arguments() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// IsCellGroup says whether a directory of such a name is a cell's group: a cell's own, or
// a lane of cgroup v1, which cells have one after the other.
func IsCellGroup(name string) bool {
	return strings.HasPrefix(name, "cell-") || strings.HasPrefix(name, "lane-")
}

// GroupsBelow are the cells' groups in a service's directory. A lane without a process is
// nobody's, and left out.
func GroupsBelow(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() || !IsCellGroup(e.Name()) {
			continue
		}
		if strings.HasPrefix(e.Name(), "lane-") {
			pids, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			if err != nil || len(pids) == 0 {
				continue // or gone meanwhile
			}
		}
		out = append(out, path)
	}
	return out, nil
}

// CellGroups are the directories that the groups of the cell it is in may have: on a
// hybrid host one and the same hierarchy can be mounted in either place.
func (p Process) CellGroups() (dirs []string) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.Pid))
	if err != nil {
		return nil // gone
	}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || !IsCellGroup(filepath.Base(f[2])) {
			continue
		}
		for _, mount := range []string{"/sys/fs/cgroup", filepath.Join("/sys/fs/cgroup", f[1])} {
			dirs = append(dirs, filepath.Join(mount, f[2]))
		}
	}
	return dirs
}

// ComesAndGoes says of what a descriptor of the service leads to (readlink of
// /proc/PID/fd/N) that their number tells nothing of leaks: what is kept unused for cells
// to come, as many as were needed at once (network namespaces, and the lanes of
// cgroup v1 with an eventfd each), and the files of the queue's journal, of which idle
// ones are closed and opened again.
func ComesAndGoes(to string) bool {
	return strings.HasPrefix(to, "net:") || strings.Contains(to, "/lane-") || to == "anon_inode:[eventfd]" || strings.Contains(to, "/queue/jetstream/")
}
