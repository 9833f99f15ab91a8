package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/cgroup"
)

// groupView is what the cgroup rows look at together.
type groupView struct {
	host     *host
	offer    cgroup.Offer
	offerErr error
	place    cgroup.Place // the zero value where nothing is delegated
	placeErr error
}

const (
	bootV2     = "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line and boot again"
	bootMemory = "add cgroup_enable=memory to the kernel's command line and boot again"
)

// delegateFix makes this user's place. With cgroup v1 it is for the session of the
// one who asks, which sudo keeps.
func (v *groupView) delegateFix() string {
	a, _ := v.host.runner()
	setup := "sudo cordon setup"
	if a.name != serviceUser {
		setup += " --user " + a.name
	}
	_, err := os.Stat(v.host.at("/run/systemd/system"))
	systemd := err == nil
	switch {
	case v.offer.Version != 2 || v.host.uid == 0 || systemd && a.name == serviceUser:
		return setup
	case errors.Is(v.placeErr, cgroup.ErrNoScope):
		return "sudo loginctl enable-linger " + a.name
	case systemd:
		return cgroup.UserDelegate
	}
	return setup + " --quiet -- cordon doctor"
}

func (h *host) cgroupRows(path string) []Row {
	v := groupView{host: h}
	v.offer, v.offerErr = h.offered()
	v.place, v.placeErr = h.look(path)
	return []Row{v.version(), v.controllers(), v.delegation(), v.kill(), v.oom(), v.memoryPeak(), v.pidsPeak(), v.swap(), v.io()}
}

func (v *groupView) version() Row {
	r := Row{Name: "cgroup version", Needed: true, Lost: "no limit of memory, processes and CPU", Fix: bootV2}
	switch {
	case v.offerErr != nil:
		r.Status, r.Found = Missing, errText(v.offerErr)
	case v.offer.Version == 2:
		r.Status, r.Found = OK, "v2"
	case v.offer.Version == 1:
		r.Status, r.Found = Degraded, "v1, or hybrid with the controllers on v1"
		r.Lost = "every limit holds; atomic kill, one OOM kill for the whole job and I/O counts are lost"
	default:
		r.Status, r.Found = Missing, "no hierarchy carries the memory controller"
		r.Fix = "sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup"
		if len(v.offer.Controllers) > 0 {
			r.Found, r.Fix = "v2, with "+strings.Join(v.offer.Controllers, " ")+" alone", bootV2
		}
	}
	return r
}

func (v *groupView) controllers() Row {
	r := Row{Name: "cgroup controllers", Needed: true, Status: OK, Lost: "no limit of what the controller counts", Fix: bootV2}
	if v.offerErr != nil {
		r.Status, r.Found = Missing, errText(v.offerErr)
		return r
	}
	var lacking []string
	for _, c := range v.offer.Needed() {
		if !slices.Contains(v.offer.Controllers, c) {
			lacking = append(lacking, c)
		}
	}
	r.Found = strings.Join(v.offer.Needed(), ", ")
	if len(lacking) > 0 {
		r.Status, r.Found = Missing, "not there: "+strings.Join(lacking, ", ")
		if slices.Contains(lacking, "memory") {
			r.Fix = bootMemory
		}
	}
	return r
}

func (v *groupView) delegation() Row {
	r := Row{Name: "cgroup delegation", Needed: true, Status: OK, Lost: "no limit of memory, processes and CPU", Fix: v.delegateFix()}
	if v.placeErr != nil {
		r.Status, r.Found = Missing, reasons(v.placeErr)
		return r
	}
	r.Found = v.dir("memory") + " (" + v.place.How + ")"
	return r
}

// reasons takes the places that were refused out of the message, which otherwise
// repeats the row's own advice.
func reasons(err error) string {
	var out []string
	for line := range strings.Lines(err.Error()) {
		if strings.HasPrefix(line, "  ") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	if len(out) == 0 {
		return errText(err)
	}
	return strings.Join(out, "; ")
}

// dir is a delegated directory, "" where there is none.
func (v *groupView) dir(controller string) string { return v.place.Dirs[controller] }

// has finds a file of a controller: in the delegated directory or, because the
// root of a hierarchy shows few of them, in a group below it.
func (v *groupView) has(controller, name string) bool {
	dir := v.dir(controller)
	if dir == "" {
		return false
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return true
	}
	below, err := filepath.Glob(filepath.Join(dir, "*", name))
	return err == nil && len(below) > 0
}

// file makes a row of a file that a newer kernel has.
func (v *groupView) file(r Row, controller, name, since string) Row {
	switch {
	case v.placeErr != nil:
		r.Status, r.Found, r.Fix = Degraded, "cannot be seen without a delegated group", v.delegateFix()
	case v.has(controller, name):
		r.Status, r.Found = OK, name
	default:
		r.Status, r.Found, r.Fix = Degraded, "no "+name, fmt.Sprintf(newerKernel, since)
	}
	if v.placeErr == nil && r.Needed && r.Status != OK {
		r.Status = Missing // without a place the row of the delegation says so already
	}
	return r
}

func (v *groupView) kill() Row {
	r := Row{Name: "cgroup.kill", Lost: "leftover processes are killed one by one"}
	if v.place.Version == 1 {
		r.Status, r.Found, r.Fix = Degraded, "not with cgroup v1", bootV2
		return r
	}
	return v.file(r, "pids", "cgroup.kill", "5.14")
}

// oom: who ends a job whose memory is at its limit. v1 tells by an eventfd, and
// Cordon ends the rest of the job.
func (v *groupView) oom() Row {
	r := Row{Name: "out of memory", Needed: true, Lost: "a job at its memory limit would go on half dead"}
	if v.place.Version != 1 {
		return v.file(r, "memory", "memory.oom.group", "4.19")
	}
	r = v.file(r, "memory", "cgroup.event_control", "4.13")
	if r.Status != OK {
		return r
	}
	r.Found = "v1 tells by eventfd, Cordon ends the job"
	text, err := os.ReadFile(filepath.Join(v.dir("memory"), "memory.oom_control"))
	if err != nil || !strings.Contains(string(text), "oom_kill ") {
		r.Status, r.Found, r.Fix = Missing, "memory.oom_control does not count kills", fmt.Sprintf(newerKernel, "4.13")
	}
	return r
}

func (v *groupView) memoryPeak() Row {
	r := Row{Name: "memory.peak", Lost: "no peak memory in results"}
	if v.place.Version == 1 {
		return v.file(r, "memory", "memory.max_usage_in_bytes", "3.0")
	}
	return v.file(r, "memory", "memory.peak", "5.19")
}

func (v *groupView) pidsPeak() Row {
	return v.file(Row{Name: "pids.peak", Lost: "no peak of processes in results"}, "pids", "pids.peak", "6.1")
}
