// Package cgroup makes, limits, reads and removes the control groups of jobs,
// below a directory that was delegated to the service user. Two drivers stand
// behind one interface: cgroup v2, and v1 (also on hybrid hosts).
package cgroup

import (
	"context"
	"os"
)

// Driver makes groups. One per daemon.
type Driver interface {
	// Name is "cgroup-v2" or "cgroup-v1"; enforced_by strings start with it.
	Name() string
	// Create gives a group that nobody else has, without limits.
	Create() (Group, error)
	// Close removes the driver's own directories. Groups must be gone.
	Close() error
}

// Limits of one group. Swap is always off.
type Limits struct {
	MemoryBytes int64
	Pids        int64 // includes the cell's init: the caller adds it
	CPUs        float64
}

// Applied says which file holds a limit.
type Applied struct {
	Limit      string // "memory_bytes", "pids", "cpus"
	EnforcedBy string // "cgroup-v2 memory.max"
}

// Entry is how a process gets into the group. The files belong to the group.
type Entry struct {
	Dir   *os.File   // v2: for CLONE_INTO_CGROUP; nil on v1
	Tasks []*os.File // v1: the file tasks of each hierarchy; a thread that writes 0 to it enters; nil on v2
}

// CPU is the CPU time used by the group so far, in nanoseconds.
type CPU struct{ Total, User, System int64 }

// Usage are the counters of a group, read once after it is empty. -1 where the
// kernel or the delegation does not offer a counter.
type Usage struct {
	CPU             CPU
	ThrottledNanos  int64
	MemoryPeakBytes int64
	OOMKills        int64
	PidsPeak        int64
	PidsMaxHits     int64
	IOReadBytes     int64
	IOWriteBytes    int64
}

// Now is what a group has at this moment, of what comes and goes.
type Now struct{ MemoryBytes, Pids int64 }

// Group is one single-use control group.
type Group interface {
	Entry() Entry
	// SetLimits writes the limits and reads each back; a value the kernel did
	// not take is an error naming file, wanted and found.
	SetLimits(Limits) ([]Applied, error)
	// CPU reads the CPU time used so far.
	CPU() (CPU, error)
	// OOM is closed or receives when the kernel OOM-killed in the group and
	// nobody killed the rest: the caller then kills the job. Nil where the
	// kernel kills the whole group itself (v2 memory.oom.group).
	OOM() <-chan struct{}
	// Usage reads all counters.
	Usage() (Usage, error)
	// Now reads what the group has at this moment. It may be called beside the others.
	Now() (Now, error)
	// Held reads the limits back as the kernel has them, for people.
	Held() ([]Held, error)
	// Kill kills every process in the group, as a second lock behind the kill
	// of the cell's pid namespace.
	Kill() error
	// Unthrottle lifts the CPU rate: a group that is to end needs the time to. A
	// quota would stretch the death of many processes over minutes.
	Unthrottle() error
	// WaitFew returns when the group has so many processes at most, or ctx is done.
	WaitFew(ctx context.Context, most int64) error
	// Remove gives the group back: its directories are removed, or hold nothing of it.
	Remove() error
}
