package verify

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is what /proc shows of one.
type process struct {
	pid, parent int
	uid         uint64 // real, as the observer's user namespace has it
	name        string
	inner       []string // pids in each namespace, outermost first
	arguments   string
}

// processes lists all that there are. One that ends meanwhile is left out.
func processes() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if p, ok := read(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// read takes /proc/PID/status and cmdline (proc_pid_status(5)). A zombie is no
// process any more: its parent has only not looked yet.
func read(pid int) (process, bool) {
	p := process{pid: pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, false
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		if len(f) == 0 {
			continue
		}
		switch key {
		case "Name":
			p.name = f[0]
		case "State":
			if f[0] == "Z" || f[0] == "X" {
				return p, false
			}
		case "PPid":
			p.parent, _ = strconv.Atoi(f[0])
		case "Uid":
			p.uid, _ = strconv.ParseUint(f[0], 10, 64)
		case "NSpid":
			p.inner = f
		}
	}
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.arguments = strings.ReplaceAll(string(arguments), "\x00", " ")
	return p, true
}

// waiting: the first process of a cell.
func (p process) waiting() bool { return len(p.inner) > 1 && p.inner[len(p.inner)-1] == "1" }

// kind of a process of the service.
func (p process) kind() string {
	switch {
	case p.waiting():
		return "init"
	case strings.Contains(p.arguments, " __inside-"):
		return "daemon"
	case p.name == "cordon-cell":
		return "fork server"
	}
	return "start"
}

// String names it.
func (p process) String() string { return fmt.Sprintf("%d %s (uid %d)", p.pid, p.name, p.uid) }

// cellGroups are the directories of the cell that the process is in.
func (p process) cellGroups() []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.pid))
	if err != nil {
		return nil // gone
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(filepath.Base(f[2]), "cell-") {
			continue
		}
		for _, mount := range []string{"/sys/fs/cgroup", filepath.Join("/sys/fs/cgroup", f[1])} {
			dir := filepath.Join(mount, f[2])
			if _, err := os.Stat(dir); err == nil {
				out = append(out, dir)
			}
		}
	}
	return out
}

// others: the process belongs to another service of the same user.
func others(all []process, p process, daemon int) bool {
	parents := make(map[int]process, len(all))
	for _, each := range all {
		parents[each.pid] = each
	}
	for at, ok := p, true; ok; at, ok = parents[at.parent] {
		if at.kind() == "daemon" {
			return at.pid != daemon
		}
	}
	return false
}

// below are a process and all its descendants.
func below(all []process, pid int) []process {
	children := map[int][]process{}
	var out []process
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
		if p.pid == pid {
			out = append(out, p)
		}
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].pid]...)
	}
	return out
}
