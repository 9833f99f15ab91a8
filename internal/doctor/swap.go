package doctor

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// swap: a job has none. Where the kernel does not count it, none may be on.
func (v *groupView) swap() Row {
	r := Row{Name: "swap", Needed: true, Status: OK, Lost: "a job could exceed its memory limit in swap",
		Fix: "sudo swapoff -a   (or add swapaccount=1 to the kernel's command line and boot again)"}
	on, err := v.host.swapOn()
	limit := "memory.swap.max"
	if v.place.Version == 1 {
		limit = "memory.memsw.limit_in_bytes"
	}
	switch {
	case err != nil:
		r.Status, r.Found = Missing, errText(err)
	case v.placeErr == nil && v.has("memory", limit):
		r.Found = "counted by " + limit + "; " + onOff(on)
	case !on:
		r.Found = onOff(on)
	case v.placeErr != nil:
		r.Status, r.Found, r.Fix = Degraded, "swap is on; whether it is counted cannot be seen without a delegated group", v.delegateFix()
	default:
		r.Status, r.Found = Missing, "swap is on and not counted"
	}
	return r
}

func onOff(on bool) string {
	if on {
		return "swap is on"
	}
	return "swap is off"
}

// swapOn: /proc/swaps has a line besides its head; it is not there without CONFIG_SWAP.
func (h *host) swapOn() (bool, error) {
	text, err := h.read("/proc/swaps")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return strings.Contains(text, "\n"), err
}

func (v *groupView) io() Row {
	r := Row{Name: "io controller", Status: OK, Found: "delegated", Lost: "no counts of bytes read and written"}
	switch {
	case v.placeErr != nil:
		r.Status, r.Found, r.Fix = Degraded, "cannot be seen without a delegated group", v.delegateFix()
	case v.place.Version == 1:
		r.Status, r.Found, r.Fix = Degraded, "not with cgroup v1", bootV2
	case v.dir("io") == "" && slices.Contains(v.offer.Controllers, "io"):
		r.Status, r.Found, r.Fix = Degraded, "not delegated", v.delegateFix()
	case v.dir("io") == "":
		r.Status, r.Found, r.Fix = Degraded, "the kernel has none", "boot a kernel built with CONFIG_BLK_CGROUP=y"
	}
	return r
}
