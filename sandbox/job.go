package sandbox

import (
	"context"
	"errors"
	"io"
	"os"

	"cordon/policy"
)

// Job is the program, its files and its input, as the caller gave them.
type Job struct {
	ID          string // UUIDv7
	Tenant      string // whose job it is; "": nobody's in particular
	Policy      string // name of the policy
	Limits      policy.LimitRequest
	BuildLimits policy.LimitRequest

	Command []string // argv of the run; Command[0] without a slash is looked up in the job's PATH
	Build   []string // argv of the build; empty: no build
	Files   []File   // placed below /work before the first step
	Env     []string // "NAME=value", on top of the fixed environment
	// RunEnv and BuildEnv come from the language (runtime-aware settings) and
	// apply to one step only; Env wins over them.
	RunEnv, BuildEnv []string
	Outputs          []string // patterns below /work, path.Match syntax, collected after the run
	Keep             Keeper   // of the outputs; nil: they are in the Result

	Stdin     Content  // used when StdinFile is nil
	StdinFile *os.File // handed to the job as fd 0 as it is (cordon run)
	// Stdout and Stderr, when set, get the bytes as they arrive, besides the
	// capped copy in the Result (cordon run).
	Stdout, Stderr io.Writer

	// Gauge, when set, shows what the running program uses to whoever reads it, and Timeline
	// notes when it prints what. Tests do neither.
	Gauge        *Gauge
	Timeline     *Timeline
	KeepTimeline bool // in the Result as well

	// Inspect has the cell looked at when the program is about to be executed. It waits for
	// that: see Inside.
	Inspect bool

	// Placed, when set, is called when the job has its place and is about to run.
	Placed func()

	// Interactive, when set, is the input of the run, instead of Stdin.
	Interactive *Interactive

	// Expect is what the program has to print; nil: anything.
	Expect *Expectation
	// Tests are run instead of one run, each in a cell of its own, with what the build
	// has left, or the files.
	Tests              []Test
	Checker            *Checker
	StopOnFirstFailure bool
	ParallelTests      int     // at once, at most; 0: one after the other
	KeepOutput         int64   // bytes of each stream of a test that the Result keeps
	Measure            Measure // of the run, or of each test
	BuildFresh         bool    // no build that was made for another job
	// Programs run beside the job's own, joined by Pipes: all of them for each run or test.
	Programs []Program
	Pipes    []Pipe
	Cores    Cores
	// TranscriptBytes: what goes through the pipes is noted, up to so many bytes. The
	// service carries it then; else, at 0, the kernel does.
	TranscriptBytes int64
	// TestDone, when set, is told which test has come to its end, from where it ran.
	TestDone func(test int)

	WritableRoot bool
	RootDirs     []string
}

// Keeper keeps outputs, each under its SHA-256.
type Keeper interface {
	// Keep reads r to its end, size bytes, and keeps them. ErrNoRoom and ErrTooLong are no
	// failures: the Result has them.
	Keep(ctx context.Context, size int64, r io.Reader) (sha256 string, err error)
}

// What a Keeper may have against a file.
var (
	ErrNoRoom  = errors.New("no room for the file")
	ErrTooLong = errors.New("the file is larger than one may be")
)

// File is a regular file, a directory or a symbolic link below /work.
type File struct {
	Path   string      // relative, clean, no "..", not empty
	Mode   os.FileMode // permission bits and os.ModeDir or os.ModeSymlink
	Data   []byte      // content of a regular file
	Kept   Kept        // the same, of a file that is kept; nil: Data. One that is Shared is shown as it is where Mode has no right to write
	Target string      // of a symbolic link
}
