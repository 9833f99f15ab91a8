package sandbox

import (
	"errors"

	"golang.org/x/sys/unix"

	"cordon/cgroup"
)

// cpuUsed is the program's CPU time so far: neither the making of its cell nor the
// placing of its files is its own.
func (r *running) cpuUsed() (int64, error) {
	used, err := r.warm.group.CPU()
	return r.programCPU(used), err
}

func (r *running) programCPU(used cgroup.CPU) int64 {
	return max(used.Total-r.baseline.Total-r.warm.cell.PlaceNanos(), 0)
}

// evidence puts together what was observed.
func (r *running) evidence(killed KillReason, used cgroup.Usage) *Evidence {
	e := &Evidence{Failure: r.end.Failure, Ended: r.end.Ended, Status: r.end.Status, Killed: r.reason(killed), OOMKills: used.OOMKills,
		CPUNanos: r.programCPU(used.CPU), CPULimitNanos: r.spec.limits.CPUMillis * 1e6,
		StdoutOver: r.warm.stdout.past, StderrOver: r.warm.stderr.past, FatalSyscall: r.fatalSyscall, Internal: r.blind}
	select {
	case <-r.piped:
		e.PipeOver = true
	default:
	}
	if r.endErr != nil {
		e.Internal = r.endErr
	}
	if e.Internal == nil && e.Failure == nil && r.untold(e, killed) {
		e.Internal = stepAwait.failed(errUntold)
	}
	return e
}

// untold: the account is not complete, and that is nobody's doing: neither ours
// nor that of the kernel's OOM killer.
func (r *running) untold(e *Evidence, killed KillReason) bool {
	if e.Ended {
		return !r.end.Complete && killed == NotKilled && e.OOMKills == 0
	}
	return Decide(e) == InternalError
}

// errUntold: init is gone, nobody knows why, and what it should have told is missing.
var errUntold = errors.New("the cell ended without telling how its program ended")

// reason is why the cell was ended, when that is what ended the program. A program
// that had ended by itself, in time, before our signal came owes nothing to it;
// and a call that is fatal is so even as the last one, with no time left to act.
func (r *running) reason(killed KillReason) KillReason {
	if killed == NotKilled && r.fatalSyscall != "" {
		return KilledSyscall
	}
	if !r.end.Ended {
		return killed
	}
	late := r.end.EndNanos-r.warm.cell.ExecNanos() >= r.spec.limits.WallMillis*1e6
	switch killed {
	case NotKilled: // the timer was late as well
		if late {
			return KilledWall
		}
	case KilledCancelled, KilledInterrupted:
		return NotKilled
	case KilledWall:
		if !late {
			return NotKilled
		}
	}
	return killed
}

// step is the account of a finished step. dead is when the last process was gone.
func (r *running) step(e *Evidence, used cgroup.Usage, dead int64) Step {
	l := r.spec.limits
	s := Step{Verdict: Decide(e), Limits: r.applied,
		Stdout: r.warm.stdout.kept, StdoutTruncated: e.StdoutOver, Stderr: r.warm.stderr.kept, StderrTruncated: e.StderrOver,
		Events: Events{OOMKill: used.OOMKills, PidsMaxHits: used.PidsMaxHits, StrayKilled: r.end.Strays,
			DeniedSyscalls: []DeniedSyscall{}}}
	s.Message = Explain(s.Verdict, e, Limited{r.spec.args[0], l.MemoryBytes, l.WallMillis, l.OutputBytes})
	for _, d := range r.warm.listener.Denied() {
		s.Events.DeniedSyscalls = append(s.Events.DeniedSyscalls, DeniedSyscall{d.Name, d.Count, r.warm.kind.program.Why(d.Name)})
	}
	if s.Verdict == ExecFailed {
		s.ExecErrno = e.Failure.Errno
	}
	if e.Ended && e.Status.Exited() {
		code := e.Status.ExitStatus()
		s.ExitCode = &code
	}
	if e.Ended && e.Status.Signaled() {
		s.Signal = SignalName(e.Status.Signal())
	} else if !e.Ended && e.Failure == nil {
		s.Signal = "SIGKILL" // taken with its whole cell
	}
	s.Usage = r.usage(used, r.over(dead))
	return s
}

// usage is what the program used: the cell's own set-up is taken off where it was
// measured, and init is not one of the job's processes. until is now, or when the
// program's own time was over.
func (r *running) usage(used cgroup.Usage, until int64) Usage {
	u := Usage{
		CPUNanos:        r.programCPU(used.CPU),
		MemoryPeakBytes: used.MemoryPeakBytes, PidsPeak: used.PidsPeak, ThrottledNanos: used.ThrottledNanos,
		IOReadBytes: used.IOReadBytes, IOWriteBytes: used.IOWriteBytes,
	}
	u.UserNanos, u.SystemNanos = split(u.CPUNanos, used.CPU.User-r.baseline.User, used.CPU.System-r.baseline.System-r.warm.cell.PlaceNanos())
	if u.PidsPeak > 0 {
		u.PidsPeak--
	}
	if exec := r.warm.cell.ExecNanos(); exec > 0 {
		u.WallNanos = until - exec
	}
	var st unix.Statfs_t
	if unix.Fstatfs(int(r.warm.cell.Scratch.Fd()), &st) == nil {
		u.DiskBytes = int64(st.Blocks-st.Bfree) * st.Bsize
	}
	return u
}

// split divides the total, which the kernel counts exactly, as the two counters of
// user and system time do, which come in ticks on cgroup v1.
func split(total, user, system int64) (int64, int64) {
	user, system = max(user, 0), max(system, 0)
	if user+system == 0 {
		return total, 0
	}
	u := int64(float64(total) * float64(user) / float64(user+system))
	return u, total - u
}
