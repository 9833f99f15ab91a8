package sandbox

import (
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// rlimits are the limits of the job's process that no cgroup holds. CPU is only a
// lock behind the group's own account: it is each process's, in whole seconds, and
// counts the placing of files.
func rlimits(l policy.Limits, core uint64) []cell.Rlimit {
	cpu := uint64(math.Ceil(float64(l.CPUMillis)/1000)) + uint64(prepareAllowance/time.Second)
	same := func(resource int, v int64) cell.Rlimit {
		return cell.Rlimit{Resource: resource, Soft: uint64(v), Hard: uint64(v)}
	}
	return []cell.Rlimit{
		same(unix.RLIMIT_NOFILE, l.OpenFiles),
		same(unix.RLIMIT_FSIZE, l.FileBytes),
		same(unix.RLIMIT_STACK, l.StackBytes),
		{Resource: unix.RLIMIT_CORE, Soft: core, Hard: core},
		{Resource: unix.RLIMIT_CPU, Soft: cpu, Hard: cpu + 1},
		same(unix.RLIMIT_MEMLOCK, 64<<10),
		same(unix.RLIMIT_MSGQUEUE, 0),
		same(unix.RLIMIT_RTPRIO, 0),
		same(unix.RLIMIT_SIGPENDING, 1024),
	}
}

const corePattern = "/proc/sys/kernel/core_pattern"

// coreLimit is 1 and not 0: a piped core handler runs on the host for 0 as well,
// but not for 1 (core(5); CVE-2025-4598). Where the service's own hard limit is 0
// already, that does, unless there is such a handler.
func coreLimit(hard uint64, pattern string) (uint64, error) {
	switch {
	case hard >= 1:
		return 1, nil
	case strings.HasPrefix(pattern, "|"):
		return 0, fmt.Errorf("RLIMIT_CORE: the service's own hard limit is 0, and %s is a pipe: a crashed job's memory would be given to it; "+
			"start the service with a hard limit of 1 (ulimit -Hc 1; systemd: LimitCORE=1)", corePattern)
	}
	return 0, nil
}

// ownCoreLimit asks this machine.
func ownCoreLimit() (uint64, error) {
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &own); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	pattern, err := os.ReadFile(corePattern)
	if err != nil {
		return 0, err
	}
	return coreLimit(own.Max, string(pattern))
}

// hardLimits are the service's own, by resource. They are read once: its fork
// servers have those of their start.
type hardLimits map[int]uint64

// ownHardLimits reads them.
func ownHardLimits() (hardLimits, error) {
	out := hardLimits{}
	for _, r := range rlimits(policy.Limits{}, 0) {
		var own unix.Rlimit
		if err := unix.Getrlimit(r.Resource, &own); err != nil {
			return nil, os.NewSyscallError("getrlimit", err)
		}
		out[r.Resource] = own.Max
	}
	return out, nil
}

// check: what a job's process sets may not be above the service's own hard limits.
// Better said when the service starts than by every job.
func (h hardLimits) check(l policy.Limits, core uint64) error {
	names := map[int]string{unix.RLIMIT_NOFILE: "NOFILE", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_STACK: "STACK", unix.RLIMIT_CPU: "CPU",
		unix.RLIMIT_MEMLOCK: "MEMLOCK", unix.RLIMIT_SIGPENDING: "SIGPENDING"}
	for _, r := range rlimits(l, core) {
		if own := h[r.Resource]; r.Hard > own {
			name := names[r.Resource]
			return fmt.Errorf("RLIMIT_%s: a job needs %d, the service's own hard limit is %d; raise it (systemd: Limit%s=)",
				name, r.Hard, own, name)
		}
	}
	return nil
}

// rlimitApplied says in a Result what the rlimits hold.
func rlimitApplied(l policy.Limits) []AppliedLimit {
	return []AppliedLimit{
		{Name: "open_files", Value: float64(l.OpenFiles), EnforcedBy: "RLIMIT_NOFILE"},
		{Name: "file_bytes", Value: float64(l.FileBytes), EnforcedBy: "RLIMIT_FSIZE"},
		{Name: "stack_bytes", Value: float64(l.StackBytes), EnforcedBy: "RLIMIT_STACK"},
	}
}
