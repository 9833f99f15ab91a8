package sandbox

import (
	"syscall"

	"cordon/sandbox/cell"
)

// Evidence are the facts observed about one step. Decide looks at nothing else.
type Evidence struct {
	Internal error         // a failure of ours: the account is incomplete
	Failure  *cell.Failure // the program never ran; StageExec: the kernel refused it

	Ended  bool // the main process ended and Status is its own
	Status syscall.WaitStatus

	Killed   KillReason // why we ended the cell, if we did
	OOMKills int64      // oom_kill of the group

	CPUNanos, CPULimitNanos int64  // CPU time of the whole group
	StdoutOver, StderrOver  bool   // a stream went past its cap
	PipeOver                bool   // and so did what it wrote into a pipe, where that is counted
	FatalSyscall            string // the filter's reader ended the cell for this call
}

// KillReason says why the runner ended a cell.
type KillReason int

// The reasons; the first one that fires stays.
const (
	NotKilled KillReason = iota
	KilledInterrupted
	KilledCancelled
	KilledOOM
	KilledCPU
	KilledWall
	KilledOutput
	KilledSyscall
	KilledStuck // init did not end after its main process had
	KilledBlind // a counter that a limit needs could not be read
)
