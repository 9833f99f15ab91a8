package main

import (
	"context"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cordon/judge"
	"cordon/judge/problem"
	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// judging is one package that is being judged.
type judging struct {
	flags   *judgeFlags
	problem *problem.Problem
	policy  *policy.Policy
	limits  judgeLimits
	cases   []judgeCase
	trials  []*trial // all that are run: those that were asked for, and what the time limit is measured with
	report  judgeReport
	scale   float64 // of limits of time on this host

	// Of the engine.
	run      func(context.Context, *sandbox.Job) (*sandbox.Result, error)
	plan     func(language string) (languages.Plan, error)
	resolve  func(policy string, q policy.Request) (*policy.Grant, error)
	progress *judgeProgress
}

// judgeCase is a case, with what a job needs of it.
type judgeCase struct {
	*problem.Case
	input, answer judgeFile
	comparison    judge.Comparison // of the default validator
}

// newJudging reads the package and finds out what is to be done. Its errors are the
// caller's mistakes, or the package's.
func newJudging(timed bool, c *config, f *judgeFlags, dir string, names []string) (*judging, error) {
	j := &judging{flags: f}
	var err error
	if j.scale, err = c.cpuScale(); err != nil {
		return nil, usageError{err}
	}
	if j.problem, err = problem.Load(dir); err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", dir, err)}
	}
	set, err := policies.Load(c.Policies, policyOptions...)
	if err != nil {
		return nil, usageError{err}
	}
	if j.policy, err = set.Get(f.policy); err != nil {
		return nil, usageError{fmt.Errorf("--policy: %w", err)}
	}
	if err := j.choose(names); err != nil {
		return nil, usageError{err}
	}
	j.limits = newJudgeLimits(j.problem, j.policy)
	if timed {
		if most := j.limits.most(); f.timeLimit < time.Millisecond || f.timeLimit > most {
			return nil, usageError{fmt.Errorf("--time-limit: %v given, policy %s allows 1ms to %v", f.timeLimit, j.policy.Name, most)}
		}
		j.limits.set(f.timeLimit, fromFlag, "as --time-limit says")
	}
	for i := range j.problem.Cases {
		if err := j.addCase(&j.problem.Cases[i]); err != nil {
			return nil, usageError{err}
		}
	}
	j.report.describe(j)
	return j, nil
}

// choose finds the submissions that were named; without a name it is all of them.
func (j *judging) choose(names []string) error {
	used := make([]bool, len(names))
	for i := range j.problem.Submissions {
		s := &j.problem.Submissions[i]
		t := &trial{submission: s, Name: s.Name, Language: s.Language, Expected: s.Expected, chosen: len(names) == 0}
		for n, name := range names {
			if names := j.namesOf(s); slices.Contains(names, filepath.ToSlash(filepath.Clean(name))) {
				t.chosen, used[n] = true, true
			}
		}
		j.trials = append(j.trials, t)
	}
	if n := slices.Index(used, false); n >= 0 {
		var known []string
		for _, t := range j.trials {
			known = append(known, strings.TrimPrefix(t.Name, "submissions/"))
		}
		return fmt.Errorf("%q is no submission of this package; it has %s", names[n], strings.Join(known, ", "))
	}
	return nil
}

// namesOf are the names that a submission can be asked for by: its own and its
// folder's, with and without what is above them.
func (j *judging) namesOf(s *problem.Submission) []string {
	folder := path.Join("submissions", s.Folder)
	names := []string{s.Name, strings.TrimPrefix(s.Name, "submissions/"), path.Base(s.Name), folder, s.Folder, "submissions"}
	for _, name := range []string{s.Name, folder, "submissions"} {
		full := filepath.Join(j.problem.Dir, filepath.FromSlash(name))
		names = append(names, filepath.ToSlash(full))
		if near, err := filepath.Rel(".", full); err == nil {
			names = append(names, filepath.ToSlash(near))
		}
		if here, err := filepath.Abs("."); err == nil {
			if near, err := filepath.Rel(here, full); err == nil {
				names = append(names, filepath.ToSlash(near))
			}
		}
	}
	return names
}

// addCase looks whether a case can be given to a program.
func (j *judging) addCase(c *problem.Case) (err error) {
	out := judgeCase{Case: c}
	if out.input, err = j.file(c.Input); err != nil {
		return err
	}
	if out.answer, err = j.file(c.Answer); err != nil {
		return err
	}
	if most := j.policy.Caps.StdinBytes.Max; out.input.size > most {
		return fmt.Errorf("%s: %d bytes long; policy %s allows an input of %d (stdin_bytes)", c.Input, out.input.size, j.policy.Name, most)
	}
	if out.comparison, err = comparisonOf(c.Compare); err != nil {
		return fmt.Errorf("%s: the validator's flags: %w", c.Name, err)
	}
	j.cases = append(j.cases, out)
	return nil
}

// comparisonOf is what the default validator does with these flags.
func comparisonOf(c problem.Compare) (judge.Comparison, error) {
	out := judge.Comparison{Mode: judge.Tokens, IgnoreCase: !c.CaseSensitive, SameSpace: c.SpaceSensitive}
	if c.Floats {
		out.Mode, out.Abs, out.Rel = judge.Float, c.Absolute, c.Relative
		if c.Absolute == 0 && c.Relative == 0 { // numbers, however they are written
			out.Abs = math.SmallestNonzeroFloat64
		}
	}
	return out, out.Check()
}
