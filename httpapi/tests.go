package httpapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cordon/judge"
	"cordon/languages"
	"cordon/sandbox"
)

// What a result with tests may hold of their outputs, in all.
const (
	defaultKeep = 4096
	maxKept     = 64 << 20
)

// tests fills in what a job with tests has, and what outputs are compared with.
func (s *Server) tests(j *sandbox.Job, r *RunRequest) *Problem {
	c, p := comparison(r)
	if p != nil {
		return p
	}
	if r.Tests == nil {
		return single(j, r, c)
	}
	if p := noneBeside(r); p != nil {
		return p
	}
	for i := range r.Tests {
		t, p := test(&r.Tests[i], fmt.Sprintf("tests[%d]", i), c)
		if p != nil {
			return p
		}
		j.Tests = append(j.Tests, *t)
	}
	j.StopOnFirstFailure, j.ParallelTests, j.KeepOutput = r.StopOnFirst, int(min(r.Parallel, 1<<16)), defaultKeep
	if r.KeepOutput != nil {
		j.KeepOutput = *r.KeepOutput
	}
	if most := int64(maxKept / 2 / len(r.Tests)); j.KeepOutput < 0 || j.KeepOutput > most {
		return problem(CodeInvalidField, "keep_output_bytes", fmt.Sprintf("%d given, allowed for %d tests is 0 to %d: the result holds %d bytes of all outputs at most",
			j.KeepOutput, len(r.Tests), most, maxKept))
	}
	if r.Parallel < 0 {
		return problem(CodeInvalidField, "parallel_tests", fmt.Sprintf("%d given, allowed is 0 or more; what the service cannot run at once it does not", r.Parallel))
	}
	if r.Interactor == nil {
		return s.checker(j, r.Checker, "checker")
	}
	if r.Checker != nil {
		return problem(CodeInvalidField, "interactor", "checker is given too; give one of them: an interactor judges what it has read")
	}
	p = s.checker(j, r.Interactor, "interactor")
	if j.Checker != nil {
		j.Checker.Interactive = true
	}
	return p
}

// single is what one run has of all that.
func single(j *sandbox.Job, r *RunRequest, c judge.Comparison) *Problem {
	for field, given := range map[string]bool{"checker": r.Checker != nil, "interactor": r.Interactor != nil, "parallel_tests": r.Parallel != 0,
		"stop_on_first_failure": r.StopOnFirst, "keep_output_bytes": r.KeepOutput != nil} {
		if given {
			return problem(CodeInvalidField, field, "belongs to a job with tests; give tests, or leave it out")
		}
	}
	var p *Problem
	j.Expect, p = expectation(r.Expect, r.ExpectBase64, "", c)
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
	for field, given := range map[string]bool{"stdin": r.Stdin != "", "stdin_base64": r.StdinBase64 != "", "expect": r.Expect != nil,
		"expect_base64": r.ExpectBase64 != nil, "outputs": len(r.Outputs) > 0} {
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

func expectation(text, encoded *string, at string, c judge.Comparison) (*sandbox.Expectation, *Problem) {
	switch {
	case text == nil && encoded == nil:
		return nil, nil
	case text != nil && encoded != nil:
		return nil, problem(CodeInvalidField, at+"expect_base64", "expect is given too; give one of them")
	case text != nil:
		return &sandbox.Expectation{Output: []byte(*text), Comparison: c}, nil
	}
	data, err := base64.StdEncoding.DecodeString(*encoded)
	if err != nil {
		return nil, problem(CodeInvalidField, at+"expect_base64", "not base64 (RFC 4648 with padding): "+err.Error())
	}
	return &sandbox.Expectation{Output: data, Comparison: c}, nil
}

func test(r *TestRequest, at string, c judge.Comparison) (*sandbox.Test, *Problem) {
	t := &sandbox.Test{Name: r.Name, Args: r.Args, Limits: r.Limits}
	var p *Problem
	if t.Stdin, p = stdin(r.Stdin, r.StdinBase64, at+"."); p != nil {
		return nil, p
	}
	if t.Files, p = files(r.Files, at+"."); p != nil {
		return nil, p
	}
	if t.Expect, p = expectation(r.Expect, r.ExpectBase64, at+".", c); p != nil {
		return nil, p
	}
	return t, words(r.Args, at+".args", false)
}

// checker turns the request's checker into a job's, as job does for the program.
func (s *Server) checker(j *sandbox.Job, r *CheckerRequest, at string) *Problem {
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
	if c.Files, p = files(r.Files, at+"."); p != nil {
		return p
	}
	j.Checker = c
	var plan *languages.Plan
	if r.Language != "" || r.Source != nil {
		if plan, p = s.planned(r.Language, r.Source, &c.Files, at+"."); p != nil {
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
