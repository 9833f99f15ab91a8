package main

import (
	"time"

	"github.com/google/uuid"

	"cordon/judge"
	"cordon/judge/problem"
	"cordon/sandbox"
)

// job is a submission's run on some of the cases. validator is nil for the default
// one; limit 0 stands for the most that the policy allows.
func (j *judging) job(p *program, validator *problem.Program, cases []judgeCase, limit time.Duration) (*sandbox.Job, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	job := &sandbox.Job{ID: id.String(), Policy: j.policy.Name, Files: p.files, Command: p.plan.Run, Build: p.plan.Build,
		Limits: j.limits.timed(limit), StopOnFirstFailure: !j.flags.all, KeepOutput: 1} // one byte tells whether there is any
	if len(p.plan.Build) > 0 {
		job.BuildLimits = j.limits.build
	}
	for i := range cases {
		c := &cases[i]
		t := sandbox.Test{Name: c.Name, Stdin: c.input.content(), Expect: &sandbox.Expectation{Output: c.answer.content(), Comparison: c.comparison}}
		if validator != nil {
			t.CheckerArgs = c.Flags
		}
		job.Tests = append(job.Tests, t)
	}
	grant, err := j.resolve(job.Policy, job.Request())
	if err != nil {
		return nil, err
	}
	job.Command, job.RunEnv = p.words(p.plan.RunArgs(grant.Limits)), p.plan.RunEnv(grant.Limits)
	job.Build, job.BuildEnv = p.words(p.plan.BuildArgs(grant.BuildLimits)), p.plan.BuildEnv(grant.BuildLimits)
	if validator == nil {
		return job, nil
	}
	return job, j.addChecker(job, validator)
}

// addChecker: the same validator in each job, so that it is built once.
func (j *judging) addChecker(job *sandbox.Job, validator *problem.Program) error {
	p, err := j.program(validator)
	if err != nil {
		return err
	}
	c := &sandbox.Checker{Style: judge.Kattis, Files: p.files, Command: p.plan.Run, Build: p.plan.Build, Limits: j.limits.check,
		Interactive: j.problem.Validation == problem.Interactive}
	if len(c.Build) > 0 {
		c.BuildLimits = j.limits.checkBuild
	}
	job.Checker = c
	grant, err := j.resolve(job.Policy, job.CheckerRequest())
	if err != nil {
		return err
	}
	c.Command, c.RunEnv = p.words(p.plan.RunArgs(grant.Limits)), p.plan.RunEnv(grant.Limits)
	c.Build, c.BuildEnv = p.words(p.plan.BuildArgs(grant.BuildLimits)), p.plan.BuildEnv(grant.BuildLimits)
	return nil
}
