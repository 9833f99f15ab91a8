package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"cordon/internal/processes"
)

// family lists a process and all below it.
func family(pid int) ([]processes.Process, error) {
	all, err := processes.All()
	return processes.Below(all, pid), err
}

// daemon is the process of a service that answers: the one that has the fork
// servers below it.
func daemon(all []processes.Process) (int, error) {
	for _, p := range all {
		if p.Name == "cordon-cell" {
			return p.Parent, nil
		}
	}
	return 0, errors.New("the service has no fork server, by which its daemon is known")
}

// warmCells are the first processes of the cells of a service that runs no job.
func warmCells(all []processes.Process) (pids []int) {
	servers := map[int]bool{}
	for _, p := range all {
		if p.Name == "cordon-cell" {
			servers[p.Pid] = true
		}
	}
	for _, p := range all {
		if servers[p.Parent] && p.First() {
			pids = append(pids, p.Pid)
		}
	}
	return pids
}

// resident memory of a process in bytes, which everybody may read.
func resident(pid int) (int64, error) {
	return kibibytes(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
}

// proportional share of the memory of a process, in bytes. The user who owns the
// daemon's user namespace may look at what runs below it.
func proportional(pid int) (int64, error) {
	return kibibytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
}

// gauge reads a metric without labels from what /metrics has said.
func gauge(metrics []byte, name string) (float64, error) {
	for line := range bytes.Lines(metrics) {
		if value, found := bytes.CutPrefix(line, []byte(name+" ")); found {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, fmt.Errorf("the service has no metric %s", name)
}
