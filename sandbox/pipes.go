package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// Program is a further program of a job: it runs beside the job's own, in a cell of its
// own, and is joined to others by pipes.
type Program struct {
	Name string
	// SameAs is the name of a program that this one is another copy of: it has its files
	// and its build. "": it has its own.
	SameAs           string
	Command          []string // for a copy nil: as that one's
	Args             []string // behind those of the command
	Build            []string
	Files            []File
	RunEnv, BuildEnv []string
	Stdin            Content
	Limits           policy.LimitRequest
	BuildLimits      policy.LimitRequest
}

// The names of those programs of a job that have none of their own.
const (
	MainProgram = "main"
	Interactor  = "interactor"
)

// MaxPrograms of a job, its own one among them, the interactor not.
const MaxPrograms = 8

// MaxPipes of a job.
const MaxPipes = 32

// End is one side of a pipe: a descriptor of a program.
type End struct {
	Program string
	FD      int
}

// String is how it is written.
func (e End) String() string { return e.Program + ":" + strconv.Itoa(e.FD) }

// Pipe leads from one program to another.
type Pipe struct{ From, To End }

// InvalidError is a job that cannot be, and the field at fault.
type InvalidError struct{ Field, Detail string }

// Error names both.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("%v: %s: %s", ErrInvalidJob, e.Field, e.Detail)
}

// Unwrap lets errors.Is find ErrInvalidJob.
func (e *InvalidError) Unwrap() error { return ErrInvalidJob }

var programName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// CheckName says whether a further program can be called so.
func CheckName(name string) error {
	if !programName.MatchString(name) {
		return fmt.Errorf("%.40q given; a lower-case letter is wanted, then lower-case letters, digits, - and _, 32 in all at most", name)
	}
	if name == MainProgram || name == Interactor {
		return fmt.Errorf("%q is the name of another program of each job; choose one of your own", name)
	}
	return nil
}

// ParseEnd reads "name" or "name:3". Without a number it is the one given.
func ParseEnd(text string, fd int) (End, error) {
	name, number, numbered := strings.Cut(text, ":")
	if !programName.MatchString(name) {
		return End{}, fmt.Errorf("%.40q given; the name of a program is wanted, and where it is not standard input or output a colon and the number of the descriptor: %s:3", text, MainProgram)
	}
	if !numbered {
		return End{name, fd}, nil
	}
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || strconv.Itoa(int(n)) != number || int(n) != fd && (n < cell.FirstFurther || n > cell.LastFurther) {
		return End{}, fmt.Errorf("descriptor %.40q given, allowed is %d or %d to %d", number, fd, cell.FirstFurther, cell.LastFurther)
	}
	return End{name, int(n)}, nil
}

// ensemble: several programs run at once.
func (j *Job) ensemble() bool {
	return len(j.Programs) > 0 || len(j.Pipes) > 0 || j.interactive()
}

func (j *Job) interactive() bool { return j.Checker != nil && j.Checker.Interactive }

// program is the index of a further program, -1 when there is none of that name.
func (j *Job) program(name string) int {
	return slices.IndexFunc(j.Programs, func(p Program) bool { return p.Name == name })
}

// names of all programs: the job's own, the further ones, and the interactor last.
func (j *Job) names() []string {
	names := []string{MainProgram}
	for i := range j.Programs {
		names = append(names, j.Programs[i].Name)
	}
	if j.interactive() {
		names = append(names, Interactor)
	}
	return names
}

// pipes are those that were given, or for an interactor and one program the two there are.
func (j *Job) pipes() []Pipe {
	if len(j.Pipes) == 0 && len(j.Programs) == 0 && j.interactive() {
		return []Pipe{{End{MainProgram, 1}, End{Interactor, 0}}, {End{Interactor, 1}, End{MainProgram, 0}}}
	}
	return j.Pipes
}

// Cores says where the programs of an ensemble run.
type Cores string

// The ways; the empty one leaves it to the kernel.
const (
	Together Cores = "together" // all on one core
	Apart    Cores = "apart"    // each on a core of its own
)

// single is a run of several programs as a job with one test.
func (j *Job) single() *Job {
	one := *j
	one.Tests = []Test{{Stdin: j.Stdin, Expect: j.Expect}}
	one.KeepOutput = MaxKept / int64(2*len(j.names()))
	return &one
}

// MaxKept is how much of all outputs a result with several programs or tests holds.
const MaxKept = 64 << 20
