// Package problem reads problem packages: a directory with problem.yaml, data,
// submissions and output_validators, in the layout that contests of the ICPC
// kind use (the formats legacy, legacy-icpc and 2025-09 with its drafts, and what
// DOMjudge adds: domjudge-problem.ini, .timelimit, @EXPECTED_RESULTS@). It reads
// only: nothing is built or run here.
//
// Every name in a Problem is relative to its directory, with slashes; Open opens
// one. What would change a judgement and is not known here is an error. What
// changes none is listed in Problem.Ignored.
package problem

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Problem is one package.
type Problem struct {
	Dir  string
	Name string // English where there are several

	// Zero means that the package does not say.
	TimeLimit             time.Duration // CPU time of one case
	MemoryBytes           int64
	OutputBytes           int64
	SourceBytes           int64 // all files of a submission together
	CompileTime           time.Duration
	CompileMemoryBytes    int64
	ValidationTime        time.Duration // one run of a validator
	ValidationMemoryBytes int64
	ValidationOutputBytes int64

	Validation  Validation
	Cases       []Case // the samples, then the secret ones, each by name
	Submissions []Submission
	Validators  []Program // none when Validation is Default; otherwise every one has to accept
	Ignored     []string
}

// Validation is how outputs are judged.
type Validation string

const (
	// Default compares the output with the answer: Case.Compare.
	Default Validation = "default"
	// Custom gives the output to the validators.
	Custom Validation = "custom"
	// Interactive connects submission and validator by pipes, both ways.
	Interactive Validation = "custom interactive"
)

// Case is one run of each submission.
type Case struct {
	Name          string // "secret/big/03": below data, without .in
	Sample        bool
	Input, Answer string
	Flags         []string // to a validator, behind input, answer and feedback directory
	Compare       Compare  // what Flags say, when Validation is Default
}

// Submission is a program and what the package says will come of it.
type Submission struct {
	Program
	Folder   string   // below submissions
	Expected []Expect // the verdict on all cases together has to be one of these
}

// Expect is a verdict in the words of the format.
type Expect string

const (
	Accepted      Expect = "accepted"
	WrongAnswer   Expect = "wrong_answer"
	TimeLimit     Expect = "time_limit_exceeded"
	RunTimeError  Expect = "run_time_error"
	CompilerError Expect = "compiler_error"
	NoOutput      Expect = "no_output"    // a wrong answer without any output
	OutputLimit   Expect = "output_limit" // a run-time error by too much output
	MemoryLimit   Expect = "memory_limit" // a run-time error by too much memory
)

// Program is a submission or a validator: one file, or a directory of files.
type Program struct {
	Name     string   // of the file or directory, below the package: "submissions/accepted/a.cpp"
	Language string   // an id of package languages
	Dir      string   // where Files are: below the package
	Files    []string // below Dir, by name; sources, headers, and data that stands beside them
	Sources  []string // those of Files that are in the language
	Main     string   // the one of Sources that the program begins in
}

// Load reads the package in a directory. The error is ErrInvalid, with every
// Mistake that was found, or that of a file that could not be read.
func Load(dir string) (*Problem, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("problem: %w", err)
	}
	// A root follows no link that leads out of it.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("problem: %w", err)
	}
	defer root.Close()
	p := &Problem{Dir: dir, Name: filepath.Base(dir)}
	if err := load(p, root.FS()); err != nil {
		return nil, err
	}
	return p, nil
}

// Open opens one of the package's files by its name in a Case or a Program, and
// refuses what is not a plain file, and links out of the package.
func (p *Problem) Open(name string) (*os.File, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("problem: %w", err)
	}
	defer root.Close()
	// Without O_NONBLOCK the open of a pipe would wait for its other end.
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("problem: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a plain file", name)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("problem: %w", err)
	}
	return f, nil
}
