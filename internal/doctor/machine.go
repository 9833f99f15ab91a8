package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// tunRow is about a way out to chosen hosts, which no job has by default.
func tunRow(h *host) Row {
	const node = "/dev/net/tun"
	r := Row{Name: "tun", Lost: "no network for jobs besides their own loopback", Status: OK, Found: node}
	err := unix.Access(h.at(node), unix.R_OK|unix.W_OK)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		r.Status, r.Found = Degraded, "no "+node
		r.Fix = "echo tun | sudo tee /etc/modules-load.d/cordon-tun.conf && sudo modprobe tun"
	default:
		r.Status, r.Found, r.Fix = Degraded, node+": "+errText(err), "sudo chmod 0666 "+node
	}
	return r
}

// coreRow: a handler runs on the host, as root. RLIMIT_CORE of jobs is 1, which
// the kernel takes as "none" for a file and for a pipe (fs/coredump.c); 0 would
// not stop a pipe. A socket is the handler's own business.
func coreRow(h *host) Row {
	r := Row{Name: "core dumps", Status: OK, Lost: "memory of a crashed job could reach a handler on the host"}
	pattern, err := h.read("/proc/sys/kernel/core_pattern")
	switch {
	case err != nil:
		r.Status, r.Found, r.Fix = Degraded, errText(err), "sudo mount -t proc proc /proc"
	case strings.HasPrefix(pattern, "@"):
		r.Status, r.Found = Degraded, "to a socket: "+pattern
		r.Fix = "sudo sysctl -w kernel.core_pattern=core"
	case strings.HasPrefix(pattern, "|"):
		r.Found = "to a program, stopped for jobs by RLIMIT_CORE=1: " + pattern
	default:
		r.Found = "to a file, stopped for jobs by RLIMIT_CORE=1"
	}
	return r
}

// toolchainRow counts; the names of what is missing are in the JSON.
func toolchainRow(all []Toolchain, err error) Row {
	r := Row{Name: "toolchains", Lost: "no job by language; jobs by command still run", Status: OK}
	var found []string
	hint := "sudo apt-get install gcc g++ python3"
	for _, t := range all {
		if t.Missing == "" {
			found = append(found, t.ID)
		}
	}
	switch {
	case err != nil:
		r.Status, r.Found, r.Fix = Degraded, errText(err), "cordon doctor --json"
	case len(found) == 0:
		r.Status, r.Found, r.Fix = Missing, "none", hint
	default:
		r.Found = fmt.Sprintf("%d of %d: %s", len(found), len(all), strings.Join(found, " "))
	}
	return r
}
