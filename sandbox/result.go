package sandbox

import (
	"syscall"

	"cordon/judge"
)

// Result is the account of a finished job, whatever its verdict.
type Result struct {
	ID        string
	Policy    string
	Image     string  // id of the one that the job ran on; "" for none
	Isolation string  // "subuid" (own subordinate ID) or "single-uid" (no range on this host)
	CPUScale  float64 // that limits of time were multiplied by; 0 is 1
	Step              // of the run; of the build when the verdict is build_failed
	Build     *Step   // set when the job has a build
	// BuildCached: the build was made for an earlier job, and this is its account.
	BuildCached bool
	Difference  *judge.Difference // where the output is not what was expected
	Measured    *Measured         // set when it was asked to be measured
	Tests       []TestResult      // set when the job has tests, in their order
	Summary     *Summary          // likewise
	// CheckerBuild is set when the job has a checker that could not be built.
	CheckerBuild *Step
	// Of a single run with further programs, or with an interactor.
	Checker    *Step
	Points     *float64
	Programs   []ProgramResult
	Fault      []string
	Transcript *Transcript
	Inside     *Inside   // where it was to be inspected, and came so far
	Timeline   []Printed // where it was to be kept
	Files      []OutputFile
	Timings    Timings
	CPUNanos   int64 // of all cells of the job, those of its builds, too
}

// Step is the account of one cell: the build or the run.
type Step struct {
	Verdict         Verdict
	ExitCode        *int          // nil when signaled or never started
	Signal          string        // "SIGSEGV", "" when not signaled
	ExecErrno       syscall.Errno // why the kernel refused to start the program; 0 when it did not
	Message         string        // one sentence for a person; "" when ok
	Stdout, Stderr  []byte        // at most limits.output_bytes each, the first bytes
	StdoutTruncated bool
	StderrTruncated bool
	Usage           Usage
	Limits          []AppliedLimit
	Events          Events
}

// Usage is what the step used. Nanoseconds and bytes.
type Usage struct {
	WallNanos       int64 `json:"wall_ns"`
	CPUNanos        int64 `json:"cpu_ns"`
	UserNanos       int64 `json:"user_ns"`
	SystemNanos     int64 `json:"system_ns"`
	MemoryPeakBytes int64 `json:"memory_peak_bytes"`
	PidsPeak        int64 `json:"pids_peak"` // -1 where the kernel does not count it
	ThrottledNanos  int64 `json:"throttled_ns"`
	IOReadBytes     int64 `json:"io_read_bytes"`  // -1 where no io controller is delegated
	IOWriteBytes    int64 `json:"io_write_bytes"` // -1 where no io controller is delegated
	DiskBytes       int64 `json:"disk_bytes"`     // scratch in use at the end
}

// AppliedLimit is a limit in force and the mechanism that holds it.
type AppliedLimit struct {
	Name       string  // as in the request: "memory_bytes"
	Value      float64 // in the unit of the name
	Asked      float64 // what was granted before it was brought to this host's scale; 0: the same
	EnforcedBy string  // "cgroup-v2 memory.max", "tmpfs size", "RLIMIT_NOFILE", …
}

// Events are facts that explain a verdict.
type Events struct {
	OOMKill        int64           `json:"oom_kill"`
	PidsMaxHits    int64           `json:"pids_max_hits"`
	StrayKilled    int64           `json:"stray_killed"` // processes still alive when the main one ended
	DeniedSyscalls []DeniedSyscall `json:"denied_syscalls"`
}

// DeniedSyscall counts how often the filter denied one system call.
type DeniedSyscall struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Why   string `json:"why,omitempty" doc:"In a line, for people"`
}

// OutputFile is a collected file, or the reason why it was not collected.
type OutputFile struct {
	Path   string
	Size   int64
	Data   []byte // unless it is kept
	SHA256 string // of one that is
	Error  string // "", "not_found", "not_regular", "too_large", "too_many", "store_full"
}

// Timings of the whole job, in nanoseconds.
type Timings struct {
	QueuedNanos   int64 `json:"queued_ns"`
	SetupNanos    int64 `json:"setup_ns"` // from the grant to the exec, all steps together
	RunNanos      int64 `json:"run_ns"`
	TeardownNanos int64 `json:"teardown_ns"` // from the program's end to its account; what is cleared away later is in no job's time
}

// ProgramResult is the account of one of several programs.
type ProgramResult struct {
	Name string
	Step
}
