package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"cordon/internal/processes"
)

// Process is a process as /proc shows it.
type Process = processes.Process

// Descendants are all processes below pid, and pid itself.
func Descendants(tb testing.TB, pid int) []Process {
	tb.Helper()
	all, err := processes.All()
	if err != nil {
		tb.Fatal(err)
	}
	return processes.Below(all, pid)
}

// Living are those of the processes that still run.
func Living(all []Process) []Process {
	var out []Process
	for _, p := range all {
		if now, ok := processes.Read(p.Pid); ok && now.Start == p.Start && !now.Ended() {
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
		cells, err := processes.GroupsBelow(dir)
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
		for _, cell := range p.CellGroups() {
			dir := filepath.Dir(cell)
			if _, err := os.Stat(dir); err == nil && !seen[dir] {
				seen[dir] = true
				out = append(out, dir)
			}
		}
	}
	return out
}
