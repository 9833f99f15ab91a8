package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// process of a service, as /proc shows it.
type process struct {
	pid, parent int
	inner       string // its pid in its innermost namespace
	name        string
}

// family lists a process and all below it.
func family(pid int) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	var out []process
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, ok := readProcess(n)
		if !ok {
			continue // it has ended meanwhile
		}
		if n == pid {
			out = append(out, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	for i := 0; i < len(out); i++ {
		out = append(out, children[out[i].pid]...)
	}
	return out, nil
}

func readProcess(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return process{}, false
	}
	p := process{pid: pid}
	p.name, _ = keyed(string(text), "Name")
	parent, _ := keyed(string(text), "PPid")
	inner, _ := keyed(string(text), "NSpid")
	p.parent, err = strconv.Atoi(parent)
	if f := strings.Fields(inner); len(f) > 1 {
		p.inner = f[len(f)-1]
	}
	return p, err == nil
}

// daemon is the process of a service that answers: the one that has the fork
// servers below it.
func daemon(all []process) (int, error) {
	for _, p := range all {
		if p.name == "cordon-cell" {
			return p.parent, nil
		}
	}
	return 0, errors.New("the service has no fork server, by which its daemon is known")
}

// warmCells are the first processes of the cells of a service that runs no job.
func warmCells(all []process) (pids []int) {
	servers := map[int]bool{}
	for _, p := range all {
		if p.name == "cordon-cell" {
			servers[p.pid] = true
		}
	}
	for _, p := range all {
		if servers[p.parent] && p.inner == "1" {
			pids = append(pids, p.pid)
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
