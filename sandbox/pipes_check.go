package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"cordon/policy"
	"cordon/sandbox/cell"
)

// Check finds what is wrong with a job's further programs and its pipes, without asking
// the host.
func (j *Job) Check() error {
	if err := j.checkInteractive(); err != nil {
		return err
	}
	if !j.ensemble() {
		if j.Cores != "" || j.TranscriptBytes != 0 {
			return &InvalidError{"pipes", "there are none; cores and a transcript are for programs that talk with each other"}
		}
		return nil
	}
	if n := len(j.Programs) + 1; n > MaxPrograms {
		return &InvalidError{"programs", fmt.Sprintf("%d given, allowed is 0 to %d: with the job's own there are %d at most", n-1, MaxPrograms-1, MaxPrograms)}
	}
	for i := range j.Programs {
		if err := j.checkProgram(i); err != nil {
			return err
		}
	}
	if err := j.checkPipes(); err != nil {
		return err
	}
	if err := j.checkInputs(); err != nil {
		return err
	}
	if j.Measure.Pin && (j.Cores != "" || len(j.Programs) > 0) {
		return &InvalidError{"measure.pin", "of several programs cores says where they run; use it instead"}
	}
	return nil
}

func (j *Job) checkProgram(i int) error {
	p, at := &j.Programs[i], fmt.Sprintf("programs[%d].", i)
	if err := CheckName(p.Name); err != nil {
		return &InvalidError{at + "name", err.Error()}
	}
	if j.program(p.Name) != i {
		return &InvalidError{at + "name", fmt.Sprintf("%q is the name of another program, too", p.Name)}
	}
	switch {
	case p.SameAs == "" && len(p.Command) == 0:
		return &InvalidError{at + "command", "nothing to run: give command, or language with source, or same_as"}
	case p.SameAs == "" || p.SameAs == MainProgram:
	case j.program(p.SameAs) < 0:
		return &InvalidError{at + "same_as", fmt.Sprintf("there is no program %.40q; name %s or one of programs", p.SameAs, MainProgram)}
	case j.Programs[j.program(p.SameAs)].SameAs != "":
		return &InvalidError{at + "same_as", fmt.Sprintf("%q is itself the same as another; name that one", p.SameAs)}
	}
	if p.SameAs != "" && (len(p.Build) > 0 || len(p.Files) > 0 || p.BuildLimits != (policy.LimitRequest{})) {
		return &InvalidError{at + "same_as", "a copy has the build and the files of the other program; leave its own out"}
	}
	return nil
}

func (j *Job) checkPipes() error {
	names, pipes := j.names(), j.pipes()
	if len(pipes) == 0 {
		return &InvalidError{"pipes", "none, and there are several programs; join them, from the output of one to the input of another"}
	}
	if len(pipes) > MaxPipes {
		return &InvalidError{"pipes", fmt.Sprintf("%d given, allowed is 1 to %d", len(pipes), MaxPipes)}
	}
	taken, joined := map[End]int{}, map[string]bool{}
	for i, p := range pipes {
		for side, e := range []End{p.To, p.From} { // which standard input and output have as numbers, too
			at := fmt.Sprintf("pipes[%d].%s", i, []string{"to", "from"}[side])
			if !slices.Contains(names, e.Program) {
				return &InvalidError{at, fmt.Sprintf("there is no program %.40q; there are %s", e.Program, strings.Join(names, ", "))}
			}
			if e.FD != side && (e.FD < cell.FirstFurther || e.FD > cell.LastFurther) {
				return &InvalidError{at, fmt.Sprintf("descriptor %d given, allowed is %d or %d to %d", e.FD, side, cell.FirstFurther, cell.LastFurther)}
			}
			if _, found := taken[e]; found {
				return &InvalidError{at, fmt.Sprintf("%s is an end of pipes[%d], too; each end has one pipe", e, taken[e])}
			}
			joined[e.Program] = true
		}
		taken[p.From], taken[p.To] = i, i
		if p.From.Program == p.To.Program {
			return &InvalidError{fmt.Sprintf("pipes[%d].to", i), fmt.Sprintf("%q would talk with itself; lead the pipe to another program", p.To.Program)}
		}
	}
	for i, name := range names {
		if !joined[name] {
			at := map[string]string{MainProgram: "pipes", Interactor: Interactor}[name]
			if at == "" {
				at = fmt.Sprintf("programs[%d]", i-1)
			}
			return &InvalidError{at, fmt.Sprintf("no pipe leads from %s or to it; join it to another program", name)}
		}
	}
	if i := circle(pipes); i >= 0 {
		return &InvalidError{fmt.Sprintf("pipes[%d]", i), fmt.Sprintf("with it %s waits in a circle of programs, and no interactor is among them to judge who is at fault; "+
			"let an interactor be in between", pipes[i].From.Program)}
	}
	return nil
}

// circle is the first pipe by which programs, without the interactor, are joined in a
// circle; -1: they are not.
func circle(pipes []Pipe) int {
	leads := map[string][]string{}
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return from == to || slices.ContainsFunc(leads[from], func(next string) bool { return reaches(next, to) })
	}
	for i, p := range pipes {
		from, to := p.From.Program, p.To.Program
		if from == Interactor || to == Interactor {
			continue
		}
		if reaches(to, from) {
			return i
		}
		if !slices.Contains(leads[from], to) { // else there would be many ways to follow
			leads[from] = append(leads[from], to)
		}
	}
	return -1
}

// checkInputs: what comes by a pipe is not given as well, and what goes into one cannot
// be compared.
func (j *Job) checkInputs() error {
	for _, p := range j.pipes() {
		i := j.program(p.To.Program)
		switch {
		case p.To.FD != 0:
		case i >= 0 && j.Programs[i].Stdin.Size() > 0:
			return &InvalidError{fmt.Sprintf("programs[%d].stdin", i), "its standard input is a pipe; leave one of the two out"}
		case p.To.Program != MainProgram || j.interactive(): // whose input.txt it is
		case j.Stdin.Size() > 0:
			return &InvalidError{"stdin", "the program's standard input is a pipe; leave one of the two out"}
		default:
			if i := slices.IndexFunc(j.Tests, func(t Test) bool { return t.Stdin.Size() > 0 }); i >= 0 {
				return &InvalidError{fmt.Sprintf("tests[%d].stdin", i), "the program's standard input is a pipe; leave one of the two out"}
			}
		}
	}
	if j.interactive() || !slices.ContainsFunc(j.pipes(), func(p Pipe) bool { return p.From == End{MainProgram, 1} }) {
		return nil
	}
	const piped = "the program's standard output goes into a pipe, and cannot be judged; let the last program of the pipes be the job's own"
	if j.Expect != nil {
		return &InvalidError{"expect", piped}
	}
	if j.Checker != nil {
		return &InvalidError{"checker", piped}
	}
	if i := slices.IndexFunc(j.Tests, func(t Test) bool { return t.Expect != nil }); i >= 0 {
		return &InvalidError{fmt.Sprintf("tests[%d].expect", i), piped}
	}
	return nil
}

// checkEnsemble refuses what no host could run, and what this one cannot.
func (r *Runner) checkEnsemble(j *Job) error {
	if err := j.Check(); err != nil {
		return err
	}
	if n := len(j.names()); j.Cores == Apart && n > cap(r.cores) {
		return &InvalidError{"cores", fmt.Sprintf("%q given for %d programs, and this service may use %d cores; use %q, or leave it out", Apart, n, cap(r.cores), Together)}
	}
	return nil
}
