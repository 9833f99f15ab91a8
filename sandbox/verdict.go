package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// Verdict is the closed set of outcomes of a job.
type Verdict string

// The verdicts, in the order in which Decide looks for them: first match wins.
const (
	InternalError Verdict = "internal_error"
	Interrupted   Verdict = "interrupted"
	Cancelled     Verdict = "cancelled"
	CheckerFailed Verdict = "checker_failed"
	BuildFailed   Verdict = "build_failed"
	ExecFailed    Verdict = "exec_failed"
	MemoryLimit   Verdict = "memory_limit"
	CPULimit      Verdict = "cpu_limit"
	WallLimit     Verdict = "wall_limit"
	OutputLimit   Verdict = "output_limit"
	SyscallDenied Verdict = "syscall_denied"
	Signaled      Verdict = "signaled"
	Nonzero       Verdict = "nonzero"
	WrongAnswer   Verdict = "wrong_answer"
	Skipped       Verdict = "skipped" // of a test that was not run
	OK            Verdict = "ok"
)

// Verdicts lists every verdict in order of precedence.
func Verdicts() []Verdict {
	return []Verdict{InternalError, Interrupted, Cancelled, CheckerFailed, BuildFailed, ExecFailed, MemoryLimit,
		CPULimit, WallLimit, OutputLimit, SyscallDenied, Signaled, Nonzero, WrongAnswer, Skipped, OK}
}

// Decide names the outcome of one step. It is pure, and it never guesses from a
// signal or an exit number what a limit did: each limit has its own evidence.
// CheckerFailed, BuildFailed, WrongAnswer and Skipped belong to a job or a test, and are
// decided there.
func Decide(e *Evidence) Verdict {
	switch {
	case e.Internal != nil, e.setupFailed():
		return InternalError
	case e.Killed == KilledInterrupted:
		return Interrupted
	case e.Killed == KilledCancelled:
		return Cancelled
	case e.Failure != nil && e.Failure.Stage == cell.StageExec:
		return ExecFailed
	case e.OOMKills > 0:
		return MemoryLimit
	case e.Killed == KilledCPU, e.CPUNanos > e.CPULimitNanos:
		return CPULimit
	case e.Killed == KilledWall:
		return WallLimit
	case e.StdoutOver, e.StderrOver, e.PipeOver:
		return OutputLimit
	case e.Killed == KilledSyscall:
		return SyscallDenied
	case !e.Ended:
		return InternalError // nobody knows how it ended
	case e.Status.Signaled():
		return Signaled
	case e.Status.ExitStatus() != 0:
		return Nonzero
	}
	return OK
}

// setupFailed: a step of ours failed before the exec. When the kernel's OOM
// killer took the job's process while it was being prepared, the limit was
// simply too small for the program: that is the memory's verdict.
func (e *Evidence) setupFailed() bool {
	return e.Failure != nil && e.Failure.Stage != cell.StageExec && (e.OOMKills == 0 || e.Failure.Errno != 0)
}

// Explain is the verdict in one sentence for a person, "" for OK.
func Explain(v Verdict, e *Evidence, l Limited) string {
	switch v {
	case InternalError:
		if e.Internal != nil {
			return e.Internal.Error()
		}
		if e.Failure != nil {
			return e.Failure.Error()
		}
		return "the cell ended without telling how its program ended"
	case Interrupted:
		return "the service stopped while the program ran"
	case Cancelled:
		return "stopped because the caller went away or asked for it"
	case ExecFailed:
		if e.Failure.Index == cell.NoDir {
			return fmt.Sprintf("%q could not start in its working directory: %s (%s)", l.Program, e.Failure.Errno.Error(), unix.ErrnoName(e.Failure.Errno))
		}
		return fmt.Sprintf("the kernel refused to start %q: %s (%s)", l.Program, e.Failure.Errno.Error(), unix.ErrnoName(e.Failure.Errno))
	case MemoryLimit:
		return fmt.Sprintf("out of memory: the limit is %d bytes (memory_bytes)", l.MemoryBytes)
	case CPULimit:
		return fmt.Sprintf("used %d ms of CPU time, the limit is %d ms (cpu_ms)", e.CPUNanos/1e6, e.CPULimitNanos/1e6)
	case WallLimit:
		return fmt.Sprintf("still running after the wall limit of %d ms (wall_ms)", l.WallMillis)
	case OutputLimit:
		return fmt.Sprintf("wrote more than %d bytes to one stream (output_bytes)", l.OutputBytes)
	case SyscallDenied:
		return "ended for the system call " + e.FatalSyscall
	case Signaled:
		return "ended by " + SignalName(e.Status.Signal())
	case Nonzero:
		return fmt.Sprintf("exit code %d", e.Status.ExitStatus())
	}
	return ""
}

// Limited is what Explain names besides the evidence.
type Limited struct {
	Program                              string
	MemoryBytes, WallMillis, OutputBytes int64
}
