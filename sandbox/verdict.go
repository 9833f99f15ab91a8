package sandbox

// Verdict is the closed set of outcomes of a job.
type Verdict string

// The verdicts, in the order in which Decide looks for them: first match wins.
const (
	InternalError Verdict = "internal_error"
	Interrupted   Verdict = "interrupted"
	Cancelled     Verdict = "cancelled"
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
	OK            Verdict = "ok"
)

// Verdicts lists every verdict in order of precedence.
func Verdicts() []Verdict {
	return []Verdict{InternalError, Interrupted, Cancelled, BuildFailed, ExecFailed, MemoryLimit,
		CPULimit, WallLimit, OutputLimit, SyscallDenied, Signaled, Nonzero, WrongAnswer, OK}
}
