package policy

// Request is what a job asks of its policy: the part of a job that the policy
// decides about, and nothing else.
type Request struct {
	Limits      LimitRequest // of the run
	BuildLimits LimitRequest // of the build, when HasBuild
	HasBuild    bool

	Files        int      // number of files placed before the start
	FileBytes    int64    // their sizes together, each rounded up to a page
	StdinBytes   int64    // size of the given standard input
	Outputs      []string // patterns of files to collect
	Env          []string // names of the variables the job sets
	Tests        int      // number of tests
	Programs     int      // number of further programs, which run beside the job's own
	WritableRoot bool     // asks for a tmpfs upper over the root
	Interactive  bool     // asks for an input that is written while it runs
	Terminal     bool     // asks for that to be a terminal
	Inspect      bool     // asks for its cell to be looked at
	RootDirs     []string // asks for these directory trees as lowers instead of the policy's root
}

// Grant is the resolved answer: immutable, every limit set, nothing asked for
// that the policy does not allow.
type Grant struct {
	Policy        string  `json:"policy"`         // name of the policy
	Limits        Limits  `json:"limits"`         // of the run
	BuildLimits   Limits  `json:"build_limits"`   // of the build
	Root          Root    `json:"root"`           // what the job sees as /
	Seccomp       Seccomp `json:"seccomp"`        // resolved rules
	Caps          Caps    `json:"caps"`           // caps on what goes in and comes out
	RequireSubuid bool    `json:"require_subuid"` // refuse to run without an own subordinate ID
}

// The kinds of root.
const (
	RootHost = "host" // a curated read-only set of host directories, made by package rootfs
	RootDirs = "dirs" // directory trees as read-only overlay lowers
)

// Root says what the job sees as "/".
type Root struct {
	Kind     string   `json:"kind"`           // RootHost or RootDirs
	Dirs     []string `json:"dirs,omitempty"` // absolute paths; kind host: additional read-only host directories; kind dirs: lowers, topmost first
	Writable bool     `json:"writable"`       // a tmpfs upper, gone with the cell
}

// Seccomp names the base profile and what is added to or taken from it. Names
// are kernel syscall names ("openat"). A name is never in both lists.
type Seccomp struct {
	Profile string   `json:"profile"`         // "default", "strict" or "ci"
	Allow   []string `json:"allow,omitempty"` // on top of the profile
	Deny    []string `json:"deny,omitempty"`  // taken away from the profile; wins over Allow
}

// Profiles are the names of the seccomp base profiles.
func Profiles() []string { return []string{"default", "strict", "ci"} }

// Caps bound what a request carries and a result returns.
type Caps struct {
	Files      int64 `json:"files"`             // files placed
	StdinBytes int64 `json:"stdin_bytes"`       // standard input
	Outputs    int64 `json:"outputs"`           // files collected
	OutputFile int64 `json:"output_file_bytes"` // one collected file
	EnvVars    int64 `json:"env_vars"`          // variables set by the job
	Tests      int64 `json:"tests"`             // tests of one job
	Programs   int64 `json:"programs"`          // further programs, at the same time
}
