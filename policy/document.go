package policy

// Policy is one policy document as its author wrote it. A document that extends
// another leaves out what it takes over; Flatten gives the whole. Everything
// written carries a reason, because a policy is text that people review.
type Policy struct {
	Name        string `json:"name" jsonschema:"The name a job asks for: a lower-case letter, then lower-case letters, digits and dashes, 32 characters at most."`
	Description string `json:"description" jsonschema:"One sentence: for whom this policy is."`
	Extends     string `json:"extends,omitempty" jsonschema:"The policy this one takes over everything from that it does not write itself."`

	Limits        LimitRules   `json:"limits,omitzero" jsonschema:"Limits of the run."`
	BuildLimits   LimitRules   `json:"build_limits,omitzero" jsonschema:"Limits of the build step."`
	Root          RootRules    `json:"root,omitzero" jsonschema:"What the job sees as /."`
	Seccomp       SeccompRules `json:"seccomp,omitzero" jsonschema:"Which system calls the job may make."`
	Caps          CapRules     `json:"caps,omitzero" jsonschema:"What a job may bring along and how much comes back."`
	Interactive   *TalkRule    `json:"interactive,omitempty" jsonschema:"Whether a client may talk with a job while it runs; where nothing is written, none may."`
	Inspect       *InspectRule `json:"inspect,omitempty" jsonschema:"Whether a job may have its cell looked at; where nothing is written, it may."`
	RequireSubuid *SubuidRule  `json:"require_subuid,omitempty" jsonschema:"Whether a job needs a subordinate user ID of its own."`
}

// Rule is the rule for one limit.
type Rule[N int64 | float64] struct {
	Default *N     `json:"default,omitempty" jsonschema:"What a job gets that does not ask."`
	Max     *N     `json:"max,omitempty" jsonschema:"The ceiling: a job that asks for more is refused."`
	Reason  string `json:"reason" jsonschema:"Why this value."`
}

// LimitRules are the rules for all limits of one step. The names and units are
// those of Limits.
type LimitRules struct {
	CPUMillis   *Rule[int64]   `json:"cpu_ms,omitempty"`
	WallMillis  *Rule[int64]   `json:"wall_ms,omitempty"`
	MemoryBytes *Rule[int64]   `json:"memory_bytes,omitempty"`
	Pids        *Rule[int64]   `json:"pids,omitempty"`
	OutputBytes *Rule[int64]   `json:"output_bytes,omitempty"`
	DiskBytes   *Rule[int64]   `json:"disk_bytes,omitempty"`
	DiskFiles   *Rule[int64]   `json:"disk_files,omitempty"`
	OpenFiles   *Rule[int64]   `json:"open_files,omitempty"`
	FileBytes   *Rule[int64]   `json:"file_bytes,omitempty"`
	StackBytes  *Rule[int64]   `json:"stack_bytes,omitempty"`
	CPUs        *Rule[float64] `json:"cpus,omitempty"`
}

// RootRules say what the job sees as "/" and what it may choose itself.
type RootRules struct {
	Kind             string        `json:"kind,omitempty" jsonschema:"host: a curated read-only set of host directories. dirs: the directory trees in dirs, as read-only overlay lowers."`
	Reason           string        `json:"reason,omitempty" jsonschema:"Why this kind; needed wherever kind is written."`
	Dirs             []DirRule     `json:"dirs,omitempty" jsonschema:"kind host: more host directories, read-only. kind dirs: the lowers, topmost first."`
	Writable         *WritableRule `json:"writable,omitempty" jsonschema:"Whether a job may have a writable root: a tmpfs upper, gone with the cell."`
	JobMayChooseDirs *ChoiceRule   `json:"job_may_choose_dirs,omitempty" jsonschema:"Whether a job may name the directory trees of its root itself."`
}

// DirRule is one directory of the host that jobs can read.
type DirRule struct {
	Path   string `json:"path" jsonschema:"Absolute and clean."`
	Reason string `json:"reason" jsonschema:"Why jobs may read it."`
}

// WritableRule says whether a job may have a writable root.
type WritableRule struct {
	Allowed bool   `json:"allowed" jsonschema:"A job may ask for a writable root."`
	Default bool   `json:"default,omitempty" jsonschema:"Every job gets one, asked for or not."`
	Reason  string `json:"reason"`
}

// ChoiceRule says whether a job may choose something itself.
type ChoiceRule struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

// SeccompRules name a base profile and what is added to it and taken from it.
type SeccompRules struct {
	Profile string        `json:"profile,omitempty" jsonschema:"The base profile."`
	Reason  string        `json:"reason,omitempty" jsonschema:"Why this profile; needed wherever profile is written."`
	Allow   []SyscallRule `json:"allow,omitempty" jsonschema:"System calls added to the profile, on top of those the parent adds."`
	Deny    []SyscallRule `json:"deny,omitempty" jsonschema:"System calls taken from the profile, besides those the parent takes; wins over allow."`
}

// SyscallRule is a group of system calls that share one reason.
type SyscallRule struct {
	Syscalls []string `json:"syscalls" jsonschema:"Kernel names, as in openat."`
	Reason   string   `json:"reason"`
}

// CapRules bound what a job brings along and how much comes back.
type CapRules struct {
	Files      *CapRule `json:"files,omitempty"`
	StdinBytes *CapRule `json:"stdin_bytes,omitempty"`
	Outputs    *CapRule `json:"outputs,omitempty"`
	OutputFile *CapRule `json:"output_file_bytes,omitempty"`
	EnvVars    *CapRule `json:"env_vars,omitempty"`
	Tests      *CapRule `json:"tests,omitempty"`
	Programs   *CapRule `json:"programs,omitempty"`
}

// CapRule is one cap. A cap has no default: a job uses as much of it as it
// likes.
type CapRule struct {
	Max    int64  `json:"max" jsonschema:"The most a job may use; 0 forbids it."`
	Reason string `json:"reason"`
}

// SubuidRule says whether a job needs a subordinate user ID of its own, one
// that neither the service user nor another running job has.
type SubuidRule struct {
	Required bool   `json:"required" jsonschema:"Refuse the job on a host without a range of subordinate IDs."`
	Reason   string `json:"reason"`
}

// TalkRule says whether a client may talk with a job while it runs.
type TalkRule struct {
	Allowed  bool   `json:"allowed" jsonschema:"A job may ask for an input that is written while it runs."`
	Terminal bool   `json:"terminal,omitempty" jsonschema:"It may ask for a terminal."`
	Reason   string `json:"reason"`
}

// InspectRule says whether a job may have its cell looked at, and the account of that in its
// result.
type InspectRule struct {
	Allowed bool   `json:"allowed" jsonschema:"A job may ask for that."`
	Reason  string `json:"reason"`
}
