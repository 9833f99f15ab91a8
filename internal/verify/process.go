package verify

import (
	"os"
	"strings"

	"cordon/internal/processes"
)

// kind of a process of the service.
func kind(p processes.Process) string {
	switch {
	case p.First():
		return "init"
	case strings.Contains(p.Arguments(), " __inside-"):
		return "daemon"
	case p.Name == "cordon-cell":
		return "fork server"
	}
	return "start"
}

// cellGroups are the directories of the cell that the process is in.
func cellGroups(p processes.Process) (out []string) {
	for _, dir := range p.CellGroups() {
		if _, err := os.Stat(dir); err == nil {
			out = append(out, dir)
		}
	}
	return out
}

// others: the process belongs to another service of the same user.
func others(all []processes.Process, p processes.Process, daemon int) bool {
	parents := make(map[int]processes.Process, len(all))
	for _, each := range all {
		parents[each.Pid] = each
	}
	for at, ok := p, true; ok; at, ok = parents[at.Parent] {
		if kind(at) == "daemon" {
			return at.Pid != daemon
		}
	}
	return false
}
