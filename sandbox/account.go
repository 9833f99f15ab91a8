package sandbox

import (
	"golang.org/x/sys/unix"

	"cordon/cgroup"
)

// evidence puts together what was observed.
func (r *running) evidence(killed KillReason, used cgroup.Usage) *Evidence {
	e := &Evidence{Failure: r.end.Failure, Ended: r.end.Ended, Status: r.end.Status, Killed: killed, OOMKills: used.OOMKills,
		CPUNanos: used.CPU.Total - r.baseline.Total, CPULimitNanos: r.spec.limits.CPUMillis * 1e6,
		StdoutOver: r.stdout.past, StderrOver: r.stderr.past, FatalSyscall: r.fatalSyscall}
	if r.endErr != nil {
		e.Internal = &StageError{Stage: "cell", Op: "read its account", Err: r.endErr}
	}
	return e
}

// step is the account of a finished step. dead is when the last process was gone.
func (r *running) step(e *Evidence, used cgroup.Usage, dead int64) Step {
	l := r.spec.limits
	s := Step{Verdict: Decide(e), Limits: r.applied,
		Stdout: r.stdout.kept, StdoutTruncated: e.StdoutOver, Stderr: r.stderr.kept, StderrTruncated: e.StderrOver,
		Events: Events{OOMKill: used.OOMKills, PidsMaxHits: used.PidsMaxHits, StrayKilled: r.end.Strays,
			DeniedSyscalls: []DeniedSyscall{}}}
	s.Message = Explain(s.Verdict, e, Limited{r.spec.args[0], l.MemoryBytes, l.WallMillis, l.OutputBytes})
	for _, d := range r.listener.Denied() {
		s.Events.DeniedSyscalls = append(s.Events.DeniedSyscalls, DeniedSyscall{d.Name, d.Count})
	}
	if e.Ended && e.Status.Exited() {
		code := e.Status.ExitStatus()
		s.ExitCode = &code
	}
	if e.Ended && e.Status.Signaled() {
		s.Signal = unix.SignalName(e.Status.Signal())
	} else if !e.Ended && e.Failure == nil {
		s.Signal = "SIGKILL" // taken with its whole cell
	}
	s.Usage = r.usage(used, dead)
	return s
}

// usage is what the program used: the cell's own set-up is taken off where it was
// measured, and init is not one of the job's processes.
func (r *running) usage(used cgroup.Usage, dead int64) Usage {
	u := Usage{
		CPUNanos: used.CPU.Total - r.baseline.Total, UserNanos: max(used.CPU.User-r.baseline.User, 0),
		SystemNanos:     max(used.CPU.System-r.baseline.System, 0),
		MemoryPeakBytes: used.MemoryPeakBytes, PidsPeak: used.PidsPeak, ThrottledNanos: used.ThrottledNanos,
		IOReadBytes: used.IOReadBytes, IOWriteBytes: used.IOWriteBytes,
	}
	if u.PidsPeak > 0 {
		u.PidsPeak--
	}
	if exec := r.warm.cell.ExecNanos(); exec > 0 {
		end := dead
		if r.end.Ended {
			end = r.end.EndNanos
		}
		u.WallNanos = end - exec
	}
	var st unix.Statfs_t
	if unix.Fstatfs(int(r.warm.cell.Scratch.Fd()), &st) == nil {
		u.DiskBytes = int64(st.Blocks-st.Bfree) * st.Bsize
	}
	return u
}
