package sandbox

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// Spec is all a job needs to run: the job and its grant, resolved. It does not
// change any more.
type Spec struct {
	Job     *Job
	Grant   *policy.Grant
	Tests   []*policy.Grant // of each test
	Checker *policy.Grant   // where there is one
	// Programs are those of the further programs, in their order.
	Programs []*policy.Grant
	Single   bool // a single run of several programs: its one test stands for the job

	place  *place       // among the running jobs
	queued bool         // it came with a place that was reserved
	bill   atomic.Int64 // CPU time of all its cells, ns
}

// stepSpec is one cell's part of a Spec.
type stepSpec struct {
	granted policy.Limits
	limits  policy.Limits // as they are enforced: on this host's scale
	core    uint64        // RLIMIT_CORE
	args    []string
	env     []string
	entries []cell.Entry
	shown   []shown

	terminal bool // it has one
}

// outputBy says what holds its output.
func (s *stepSpec) outputBy() string {
	if s.terminal {
		return "capped terminal"
	}
	return "capped pipe"
}

// Path is the fixed search path of every job.
const Path = "/usr/local/bin:/usr/local/go/bin:/usr/bin:/bin"

// fixedEnv is what every job has; the language's and the job's own come on top.
var fixedEnv = []string{"PATH=" + Path, "HOME=/work", "PWD=/work", "TMPDIR=/tmp", "USER=job", "LOGNAME=job",
	"LANG=C.UTF-8", "LC_ALL=C.UTF-8"}

// mergeEnv joins lists of "NAME=value"; a later one wins over an earlier one.
func mergeEnv(lists ...[]string) []string {
	var out []string
	at := map[string]int{}
	for _, kv := range slices.Concat(lists...) {
		name, _, _ := strings.Cut(kv, "=")
		if i, ok := at[name]; ok {
			out[i] = kv
			continue
		}
		at[name] = len(out)
		out = append(out, kv)
	}
	return out
}

// Request is the part of a job that its policy decides about.
func (j *Job) Request() policy.Request {
	q := policy.Request{Limits: j.Limits, BuildLimits: j.BuildLimits, HasBuild: len(j.Build) > 0,
		Files: len(j.Files), FileBytes: placedBytes(j.Files), StdinBytes: j.Stdin.Size(), Outputs: j.Outputs, Tests: len(j.Tests),
		Programs:     len(j.Programs),
		WritableRoot: j.WritableRoot, RootDirs: j.RootDirs, Inspect: j.Inspect, Interactive: j.Interactive != nil, Terminal: j.Interactive != nil && j.Interactive.Terminal}
	for _, kv := range j.Env {
		name, _, _ := strings.Cut(kv, "=")
		q.Env = append(q.Env, name)
	}
	return q
}

// wholePages is what a file of so many bytes takes in a tmpfs.
func wholePages(size int64) int64 {
	page := int64(os.Getpagesize())
	return (size + page - 1) / page * page
}

// entries turns the job's files into what a cell places: directories and files
// first, links last, so that nothing is ever placed through a link. Files that
// cannot all be placed, or not in so many inodes, are the caller's mistake and
// are refused here: in the cell they would look like a failure of ours. Files that are
// shown are checked with them, and left out.
func entries(files []File, inodes int64) ([]cell.Entry, error) {
	var out, links []cell.Entry
	taken := places{}
	for _, f := range files {
		e := cell.Entry{Path: f.Path, Mode: uint32(f.Mode.Perm()), Data: f.Data, Target: f.Target}
		if err := CheckPath(f.Path); err != nil {
			return nil, err
		}
		if err := taken.add(f.Path, f.Mode.IsDir()); err != nil {
			return nil, err
		}
		switch {
		case f.isShown():
			continue
		case f.Mode.IsDir():
			e.Kind = cell.Dir
		case f.Mode.IsRegular():
			if e.Mode == 0 {
				e.Mode = 0o644
			}
			var err error
			if e.Data, err = try(stepReadKept, (&Content{f.Data, f.Kept}).bytes); err != nil {
				return nil, err
			}
		default:
			e.Kind = cell.Symlink
			links = append(links, e)
			continue
		}
		out = append(out, e)
	}
	if n := int64(len(taken)); n > inodes {
		return nil, fmt.Errorf("%w: files: %d with the directories they lie in, disk_files allows %d; send fewer, or ask for more disk_files",
			ErrInvalidJob, n, inodes)
	}
	return append(out, links...), nil
}

// places are the paths that files and the directories above them take; the value
// says whether it is a directory.
type places map[string]bool

func (p places) add(name string, dir bool) error {
	if isDir, ok := p[name]; ok && !(isDir && dir) {
		return fmt.Errorf("%w: file path %.80q: given twice, or a file and a directory at once", ErrInvalidJob, name)
	}
	p[name] = dir
	for above := path.Dir(name); above != "."; above = path.Dir(above) {
		isDir, ok := p[above]
		if ok && !isDir {
			return fmt.Errorf("%w: file path %.80q: %.80q is no directory but a file itself", ErrInvalidJob, name, above)
		}
		if ok {
			break // and so are those above it
		}
		p[above] = true
	}
	return nil
}

// maxPath is the longest path a program can use: PATH_MAX without its NUL.
const maxPath = 4095

// CheckPath wants a relative, clean path below /work.
func CheckPath(p string) error {
	if p == "" || len(p) > maxPath || strings.HasPrefix(p, "/") || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%w: file path %.80q: a relative path of 1 to 4095 bytes without NUL is wanted", ErrInvalidJob, p)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return fmt.Errorf("%w: file path %.80q: parts may not be empty, \".\", \"..\" or longer than 255 bytes", ErrInvalidJob, p)
		}
	}
	return nil
}

// top is the first part of a path.
func top(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

// resolveTests has the policy decide about each test, and about the checker.
func (r *Runner) resolveTests(s *Spec) error {
	for i := range s.Job.Tests {
		t := &s.Job.Tests[i]
		if t.Limits == (policy.LimitRequest{}) && len(t.Files) == 0 && t.Stdin.Size() <= s.Grant.Caps.StdinBytes {
			s.Tests = append(s.Tests, s.Grant) // it asks for nothing of its own
			continue
		}
		grant, err := r.config.Policies.Resolve(s.Job.Policy, s.Job.TestRequest(t))
		if err != nil {
			return policy.Within(err, fmt.Sprintf("tests[%d]", i))
		}
		s.Tests = append(s.Tests, grant)
	}
	for i := range s.Job.Programs {
		grant, err := r.config.Policies.Resolve(s.Job.Policy, s.Job.ProgramRequest(i))
		if err != nil {
			return policy.Within(err, fmt.Sprintf("programs[%d]", i))
		}
		s.Programs = append(s.Programs, grant)
	}
	if s.Job.Checker == nil {
		if err := s.checkExpected(); err != nil {
			return err
		}
	}
	if c := s.Job.Checker; c != nil {
		grant, err := r.config.Policies.Resolve(s.Job.Policy, s.Job.CheckerRequest())
		if err != nil {
			return policy.Within(err, c.field())
		}
		s.Checker = grant
	}
	return nil
}

// checkExpected refuses what no output could be equal to, whatever white space is in it:
// all of it would come into memory, for each test that runs.
func (s *Spec) checkExpected() error {
	check := func(field string, e *Expectation, g *policy.Grant) error {
		if most := 2*g.Limits.OutputBytes + expectedMore; e != nil && e.Output.Size() > most {
			return &InvalidError{field, fmt.Sprintf("%d bytes given, at most %d can be compared, which is twice output_bytes (%d) and %d more", e.Output.Size(), most, g.Limits.OutputBytes, expectedMore)}
		}
		return nil
	}
	err := check("expect", s.Job.Expect, s.Grant)
	for i := range s.Job.Tests {
		field := fmt.Sprintf("tests[%d].expect", i)
		if s.Single {
			field = "expect"
		}
		err = cmp.Or(err, check(field, s.Job.Tests[i].Expect, s.Tests[i]))
	}
	return err
}

const expectedMore = 64 << 10

// field of the API that it is given by.
func (c *Checker) field() string {
	if c.Interactive {
		return "interactor"
	}
	return "checker"
}

// TestRequest is the part of a test that the policy decides about: its own limits win
// over the job's.
func (j *Job) TestRequest(t *Test) policy.Request {
	return policy.Request{Limits: j.Limits.With(t.Limits), Files: len(t.Files), FileBytes: placedBytes(t.Files), StdinBytes: t.Stdin.Size(),
		WritableRoot: j.WritableRoot, RootDirs: j.RootDirs}
}

// CheckerRequest is that of the checker. It runs in the job's kind of cell.
func (j *Job) CheckerRequest() policy.Request {
	c := j.Checker
	return policy.Request{Limits: c.Limits, BuildLimits: c.BuildLimits, HasBuild: len(c.Build) > 0, Files: len(c.Files), FileBytes: placedBytes(c.Files),
		WritableRoot: j.WritableRoot, RootDirs: j.RootDirs}
}

// ProgramRequest is that of a further program. A copy has the limits of the program that
// it is the same as, but for those that it asks for itself.
func (j *Job) ProgramRequest(i int) policy.Request {
	p := &j.Programs[i]
	q := policy.Request{Limits: p.Limits, BuildLimits: p.BuildLimits, HasBuild: len(p.Build) > 0, Files: len(p.Files),
		FileBytes: placedBytes(p.Files), StdinBytes: p.Stdin.Size(), WritableRoot: j.WritableRoot, RootDirs: j.RootDirs}
	if p.SameAs == MainProgram {
		q.Limits = j.Limits.With(p.Limits)
	} else if of := j.program(p.SameAs); of >= 0 {
		q.Limits = j.Programs[of].Limits.With(p.Limits)
	}
	return q
}

// size of a regular file's content.
func (f *File) size() int64 { return (&Content{f.Data, f.Kept}).Size() }
