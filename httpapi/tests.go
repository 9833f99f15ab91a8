package httpapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cordon/judge"
	"cordon/languages"
	"cordon/policy"
	"cordon/sandbox"
)

// maxRepeat is how often a program is measured at most.
const maxRepeat = 100

// What a result with tests may hold of their outputs, in all.
const (
	defaultKeep = 4096
	maxKept     = sandbox.MaxKept
)

// tests fills in what a job with tests has, and what outputs are compared with.
func (s *Server) tests(j *sandbox.Job, r *RunRequest, k *kept) *Problem {
	if m := r.Measure; m != nil {
		if m.Repeat < 0 || m.Repeat > maxRepeat {
			return problem(CodeInvalidField, "measure.repeat", fmt.Sprintf("%d given, allowed is 1 to %d", m.Repeat, maxRepeat))
		}
		j.Measure = sandbox.Measure{Pin: m.Pin, Repeat: max(int(m.Repeat), 1), WarmUp: m.WarmUp}
	}
	c, p := comparison(r)
	if p != nil {
		return p
	}
	if r.Tests != nil {
		p = s.several(j, r, k, c)
	} else {
		p = k.single(j, r, c)
	}
	if p == nil {
		p = s.programs(j, r, k)
	}
	if p != nil {
		return p
	}
	if r.Interactor == nil {
		return s.checker(j, r.Checker, "checker", k)
	}
	if r.Checker != nil {
		return problem(CodeInvalidField, "interactor", "checker is given too; give one of them: an interactor judges what it has read")
	}
	p = s.checker(j, r.Interactor, "interactor", k)
	if j.Checker != nil {
		j.Checker.Interactive = true
	}
	return p
}

// several are the tests of a job.
func (s *Server) several(j *sandbox.Job, r *RunRequest, k *kept, c judge.Comparison) *Problem {
	if p := noneBeside(r); p != nil {
		return p
	}
	// Before anything is made of them.
	if _, p := s.granted(j, policy.Request{Tests: len(r.Tests)}, ""); p != nil {
		return p
	}
	for i := range r.Tests {
		t, p := k.test(&r.Tests[i], fmt.Sprintf("tests[%d]", i), c)
		if p != nil {
			return p
		}
		j.Tests = append(j.Tests, *t)
	}
	j.StopOnFirstFailure, j.ParallelTests, j.KeepOutput = r.StopOnFirst, int(min(r.Parallel, 1<<16)), defaultKeep
	if r.KeepOutput != nil {
		j.KeepOutput = *r.KeepOutput
	}
	if most := int64(maxKept / streams(r) / len(r.Tests)); j.KeepOutput < 0 || j.KeepOutput > most {
		return problem(CodeInvalidField, "keep_output_bytes", fmt.Sprintf("%d given, allowed for %d tests is 0 to %d: the result holds %d bytes of all outputs at most",
			j.KeepOutput, len(r.Tests), most, maxKept))
	}
	if r.Parallel < 0 {
		return problem(CodeInvalidField, "parallel_tests", fmt.Sprintf("%d given, allowed is 0 or more; what the service cannot run at once it does not", r.Parallel))
	}
	return nil
}

// streams of a test that a result may hold: two of each program, and of its checker.
func streams(r *RunRequest) int {
	n := 2 + 2*min(len(r.Programs), sandbox.MaxPrograms)
	if r.Checker != nil || r.Interactor != nil {
		n += 2
	}
	return n
}

// single is what one run has of all that.
func (k *kept) single(j *sandbox.Job, r *RunRequest, c judge.Comparison) *Problem {
	for field, given := range map[string]bool{"checker": r.Checker != nil, "parallel_tests": r.Parallel != 0,
		"stop_on_first_failure": r.StopOnFirst, "keep_output_bytes": r.KeepOutput != nil} {
		if given {
			return problem(CodeInvalidField, field, "belongs to a job with tests; give tests, or leave it out")
		}
	}
	var p *Problem
	if j.Expect, p = k.expectation(r.Expect, r.ExpectBase64, r.ExpectSHA256, ""); j.Expect != nil {
		j.Expect.Comparison = c
	}
	if p == nil && j.Expect == nil && (r.Compare != "" || r.Tolerance != nil) {
		return problem(CodeInvalidField, "compare", "there is nothing to compare with; give expect, or tests that have it")
	}
	return p
}

// noneBeside: a job with tests has no run of its own.
func noneBeside(r *RunRequest) *Problem {
	if len(r.Tests) == 0 {
		return problem(CodeInvalidField, "tests", "empty; give a test, or leave tests out for a single run")
	}
	for field, given := range map[string]bool{"stdin": r.Stdin != "", "stdin_base64": r.StdinBase64 != "", "stdin_sha256": r.StdinSHA256 != "", "expect_sha256": r.ExpectSHA256 != "", "expect": r.Expect != nil,
		"expect_base64": r.ExpectBase64 != nil, "outputs": len(r.Outputs) > 0, "keep_outputs": r.KeepOutputs} {
		if given {
			return problem(CodeInvalidField, field, "a job with tests has no run of its own; give it to a test, or leave tests out")
		}
	}
	return nil
}

// comparison is how the job's outputs are compared.
func comparison(r *RunRequest) (judge.Comparison, *Problem) {
	c := judge.Comparison{Mode: judge.Mode(r.Compare)}
	if c.Mode == "" {
		c.Mode = judge.Exact
	}
	if t := r.Tolerance; t != nil {
		if c.Mode != judge.Float {
			return c, problem(CodeInvalidField, "tolerance", fmt.Sprintf("compare is %q, and only float has a tolerance; set compare to float, or leave it out", clip(string(c.Mode))))
		}
		c.Abs, c.Rel = t.Abs, t.Rel
	}
	var wrong *judge.FieldError
	if err := c.Check(); errors.As(err, &wrong) {
		field := "compare"
		if wrong.Field != "mode" {
			field = "tolerance." + wrong.Field
		}
		return c, problem(CodeInvalidField, field, fmt.Sprintf("%s given, allowed is %s", clip(wrong.Given), wrong.Allowed))
	}
	return c, nil
}

func (k *kept) test(r *TestRequest, at string, c judge.Comparison) (*sandbox.Test, *Problem) {
	t := &sandbox.Test{Name: r.Name, Args: r.Args, Limits: r.Limits}
	var p *Problem
	if t.Stdin, p = k.stdin(r.Stdin, r.StdinBase64, r.StdinSHA256, at+"."); p != nil {
		return nil, p
	}
	if t.Files, p = k.list(r.Files, at+"."); p != nil {
		return nil, p
	}
	if t.Expect, p = k.expectation(r.Expect, r.ExpectBase64, r.ExpectSHA256, at+"."); p != nil {
		return nil, p
	}
	if t.Expect != nil {
		t.Expect.Comparison = c
	}
	return t, words(r.Args, at+".args", false)
}

// checker turns the request's checker into a job's, as job does for the program.
func (s *Server) checker(j *sandbox.Job, r *CheckerRequest, at string, k *kept) *Problem {
	if r == nil {
		return nil
	}
	c := &sandbox.Checker{Style: judge.Style(r.Style), Command: r.Command, Limits: r.Limits}
	switch c.Style {
	case "":
		c.Style = judge.Testlib
	case judge.Testlib, judge.Kattis:
	default:
		return problem(CodeInvalidField, at+".style", fmt.Sprintf("%q given, allowed is testlib or kattis", clip(r.Style)))
	}
	if r.Build != nil {
		c.Build, c.BuildLimits = r.Build.Command, r.Build.Limits
	}
	var p *Problem
	if c.Files, p = k.list(r.Files, at+"."); p != nil {
		return p
	}
	j.Checker = c
	var plan *languages.Plan
	if r.Language != "" || r.Source != nil {
		if plan, p = s.planned(j, r.Language, r.Source, &c.Files, at+"."); p != nil {
			return p
		}
		if len(c.Build) == 0 {
			c.Build = plan.Build
		}
		if len(c.Command) == 0 {
			c.Command = plan.Run
		}
	}
	if len(c.Command) == 0 {
		return problem(CodeInvalidField, at+".command", "nothing to run: give command, or language with source")
	}
	if p := words(c.Command, at+".command", true); p != nil {
		return p
	}
	if p := words(c.Build, at+".build.command", true); p != nil {
		return p
	}
	if plan == nil {
		return nil
	}
	return s.fillChecker(j, r, plan, at)
}

// fillChecker gives the checker what its language makes of the limits that it gets.
func (s *Server) fillChecker(j *sandbox.Job, r *CheckerRequest, plan *languages.Plan, at string) *Problem {
	c := j.Checker
	grant, p := s.granted(j, j.CheckerRequest(), at)
	if p != nil {
		return p
	}
	if r.Build == nil || len(r.Build.Command) == 0 {
		c.Build = plan.BuildArgs(grant.BuildLimits)
	}
	if len(r.Command) == 0 {
		c.Command = plan.RunArgs(grant.Limits)
	}
	c.BuildEnv, c.RunEnv = plan.BuildEnv(grant.BuildLimits), plan.RunEnv(grant.Limits)
	return nil
}

// fillTests gives those tests a command of their own that have limits of their own:
// runtimes are told how much memory they have.
func (s *Server) fillTests(j *sandbox.Job, r *RunRequest, plan *languages.Plan) *Problem {
	for i := range j.Tests {
		t := &j.Tests[i]
		if t.Limits == (LimitsRequest{}) {
			continue
		}
		grant, p := s.granted(j, j.TestRequest(t), fmt.Sprintf("tests[%d]", i))
		if p != nil {
			return p
		}
		if len(r.Command) == 0 {
			t.Command = plan.RunArgs(grant.Limits)
		}
		t.RunEnv = plan.RunEnv(grant.Limits)
	}
	return nil
}

// words can be given to a program.
func words(args []string, at string, program bool) *Problem {
	if i := slices.IndexFunc(args, func(a string) bool { return strings.ContainsRune(a, 0) }); i >= 0 {
		return problem(CodeInvalidField, fmt.Sprintf("%s[%d]", at, i), fmt.Sprintf("%q: a word without NUL is wanted", clip(args[i])))
	}
	if program && len(args) > 0 && args[0] == "" {
		return problem(CodeInvalidField, at+"[0]", "empty: the program's name is wanted")
	}
	return nil
}
