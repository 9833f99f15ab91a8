package doctor

import (
	"fmt"
	"strings"
)

// tried makes a row of one probe.
func (h *host) tried(probe string, r Row) Row {
	o := h.outcomes[probe]
	r.Status, r.Found = OK, o.text()
	if o.ok() {
		return r
	}
	r.Status = Degraded
	if r.Needed {
		r.Status = Missing
	}
	if h.filtered() && (o.Errno == "EPERM" || o.Errno == "ENOSYS") {
		r.Fix = outerSandbox
	}
	return r
}

func namespacesRow(h *host) Row {
	return h.tried("namespaces", Row{Name: "other namespaces", Needed: true, Lost: noJob,
		Fix: "boot a kernel built with CONFIG_PID_NS, NET_NS, IPC_NS, UTS_NS and CGROUPS"})
}

func nestingRow(h *host) Row {
	return h.tried("nesting", Row{Name: "no nested user namespaces", Needed: true,
		Lost: noJob + ": each cell forbids its job user namespaces",
		Fix:  "make /proc/sys writable, for example: docker run --security-opt systempaths=unconfined"})
}

// procRow: the kernel refuses a fresh /proc where the one that is there has
// something mounted over it (mount_too_revealing in fs/namespace.c).
func procRow(h *host) Row {
	r := h.tried("proc", Row{Name: "fresh /proc", Needed: true, Lost: noJob, Fix: "sudo mount -t proc proc /proc"})
	if r.Status == OK {
		return r
	}
	if covered := h.overProc(); len(covered) > 0 {
		r.Found += "; mounted over: " + strings.Join(covered, " ")
		r.Fix = "sudo umount " + strings.Join(covered, " ") + "   (in Docker: docker run --security-opt systempaths=unconfined)"
	}
	return r
}

// overProc are the mount points below /proc. binfmt_misc has a place made for it
// and is no obstacle.
func (h *host) overProc() []string {
	text, err := h.read("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasPrefix(f[4], "/proc/") && f[4] != "/proc/sys/fs/binfmt_misc" {
			out = append(out, f[4])
		}
	}
	return out
}

func tmpfsRow(h *host) Row {
	return h.tried("tmpfs", Row{Name: "bounded tmpfs", Needed: true, Lost: "no limit of disk bytes and files",
		Fix: "boot a kernel built with CONFIG_TMPFS=y"})
}

func overlayRow(h *host) Row {
	r := h.tried("overlay", Row{Name: "overlay", Lost: "no root of directory trees (--root) and no writable root",
		Fix: fmt.Sprintf(newerKernel, "5.11")})
	if h.outcomes["overlay"].Errno == "ENODEV" {
		r.Fix = "echo overlay | sudo tee /etc/modules-load.d/cordon.conf && sudo modprobe overlay"
	}
	return r
}

func bindRow(h *host) Row {
	return h.tried("bind", Row{Name: "read-only binds", Needed: true, Lost: noJob, Fix: fmt.Sprintf(newerKernel, "5.12")})
}

func seccompRow(h *host) Row {
	r := h.tried("seccomp", Row{Name: "seccomp", Needed: true, Lost: noJob + " behind a system call filter",
		Fix: fmt.Sprintf(newerKernel, "5.0") + ", built with CONFIG_SECCOMP_FILTER=y"})
	if h.outcomes["seccomp"].Errno == "EBUSY" {
		r.Fix = "an outer sandbox listens to this process's system calls already; start Cordon outside of it"
	}
	return r
}

func killableRow(h *host) Row {
	return h.tried("killable", Row{Name: "seccomp wait-killable", Lost: "a denied call can be restarted by signals, and is counted more than once",
		Fix: fmt.Sprintf(newerKernel, "5.19")})
}

func clone3Row(h *host) Row {
	return h.tried("clone3", Row{Name: "clone3", Needed: true, Lost: noJob, Fix: fmt.Sprintf(newerKernel, "5.7")})
}

// callsRow joins the calls that one kernel version after the other has brought.
func callsRow(h *host) Row {
	r := Row{Name: "kernel calls", Needed: true, Status: OK, Lost: noJob, Fix: fmt.Sprintf(newerKernel, "5.9")}
	var good, bad []string
	for _, name := range []string{"pidfd", "memfd", "openat2", "close_range"} {
		one := h.tried(name, Row{Needed: true, Fix: r.Fix})
		if one.Status == OK {
			good = append(good, one.Found)
			continue
		}
		bad, r.Status, r.Fix = append(bad, one.Found), Missing, one.Fix
	}
	r.Found = strings.Join(good, ", ")
	if len(bad) > 0 {
		r.Found = strings.Join(bad, ", ")
	}
	return r
}

func oomScoreRow(h *host) Row {
	return h.tried("oom_score", Row{Name: "oom_score_adj", Needed: true, Lost: noJob + ": cells offer themselves to the kernel first",
		Fix: "mount /proc writable: sudo mount -o remount,rw /proc"})
}
