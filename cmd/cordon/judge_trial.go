package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cordon/judge/problem"
	"cordon/sandbox"
)

// trial is one submission, and what came of it.
type trial struct {
	submission *problem.Submission
	chosen     bool // it was asked for, and is told of

	Name       string           `json:"name"`
	Language   string           `json:"language"`
	Expected   []problem.Expect `json:"expected"`
	Verdict    word             `json:"verdict"` // "" when it was not judged
	Silent     bool             `json:"no_output"`
	Kept       bool             `json:"as_promised"`
	Failing    string           `json:"first_failing,omitempty"` // name of the case
	Message    string           `json:"message,omitempty"`
	BuildOut   string           `json:"build_output,omitempty"` // of a build that failed
	CPUNanos   int64            `json:"max_cpu_ns"`
	WallNanos  int64            `json:"max_wall_ns"`
	MemoryPeak int64            `json:"max_memory_peak_bytes"`
	Sample     passed           `json:"sample"`
	Secret     passed           `json:"secret"`
	Cases      []caseResult     `json:"cases"`
}

// passed counts cases.
type passed struct {
	Passed int `json:"passed"`
	Run    int `json:"run"`
	Total  int `json:"total"`
}

func (p passed) String() string { return fmt.Sprintf("%d/%d", p.Passed, p.Total) }

// caseResult is what one case said.
type caseResult struct {
	Name       string          `json:"name"`
	Verdict    word            `json:"verdict"`
	Sandbox    sandbox.Verdict `json:"sandbox_verdict"`
	Message    string          `json:"message,omitempty"`
	CPUNanos   int64           `json:"cpu_ns"`
	WallNanos  int64           `json:"wall_ns"`
	MemoryPeak int64           `json:"memory_peak_bytes"`
	silent     bool
}

// judge runs a submission on all cases. What it found before is forgotten.
func (t *trial) judge(ctx context.Context, j *judging, limit time.Duration) {
	*t = trial{submission: t.submission, chosen: t.chosen, Name: t.Name, Language: t.Language, Expected: t.Expected, Cases: []caseResult{}}
	defer t.conclude(j)
	p, err := j.program(&t.submission.Program)
	if err != nil {
		t.failed(err.Error())
		return
	}
	if most := j.problem.SourceBytes; most > 0 && p.size > most {
		t.Verdict, t.Message = compileError, fmt.Sprintf("its files have %d bytes, the package allows %d (limits.code)", p.size, most)
		return
	}
	// A job has no more tests than the policy allows.
	for cases := range slices.Chunk(j.cases, int(max(j.policy.Caps.Tests.Max, 1))) {
		if !t.part(ctx, j, p, cases, limit) {
			return
		}
	}
}

func (t *trial) failed(why string) { t.Verdict, t.Message = judgeError, why }

// part runs it on some of the cases, once for each validator: all have to accept. It
// says whether to go on.
func (t *trial) part(ctx context.Context, j *judging, p *program, cases []judgeCase, limit time.Duration) bool {
	var validators []*problem.Program
	for i := range j.problem.Validators {
		validators = append(validators, &j.problem.Validators[i])
	}
	if len(validators) == 0 {
		validators = []*problem.Program{nil}
	}
	results := make([]caseResult, len(cases))
	defer func() { t.Cases = append(t.Cases, results...) }()
	for n, validator := range validators {
		job, err := j.job(p, validator, cases, limit)
		if err != nil {
			t.failed(err.Error())
			return false
		}
		job.TestDone = func(i int) {
			if n == 0 {
				j.progress.ran(t.Name)
			}
		}
		r, err := j.run(ctx, job)
		if err != nil {
			if ctx.Err() == nil {
				t.failed(err.Error())
			}
			return false
		}
		if ctx.Err() != nil && (r.Summary == nil || r.Summary.Run == 0) {
			return false // ended before its first case: that says nothing of it
		}
		t.merge(results, r, n == 0, j.problem.Validation == problem.Interactive)
		if !t.whole(r) {
			return false
		}
	}
	return j.flags.all || !slices.ContainsFunc(results, func(c caseResult) bool { return c.Verdict != accepted })
}

// merge takes over what the tests of a job said. What is wrong by one validator stays so.
func (t *trial) merge(results []caseResult, r *sandbox.Result, first, interactive bool) {
	for i := range min(len(results), len(r.Tests)) { // without tests the judge failed before it came to them
		c, test := &results[i], &r.Tests[i]
		if !first && c.Verdict != accepted {
			continue
		}
		*c = caseResult{Name: test.Name, Verdict: wordOf(test.Verdict), Sandbox: test.Verdict, Message: test.Message,
			CPUNanos: max(c.CPUNanos, test.Usage.CPUNanos), WallNanos: max(c.WallNanos, test.Usage.WallNanos),
			MemoryPeak: max(c.MemoryPeak, test.Usage.MemoryPeakBytes), silent: !interactive && len(test.Stdout) == 0}
	}
}

// whole says whether a job's tests could be run at all; where not, that is the verdict.
func (t *trial) whole(r *sandbox.Result) bool {
	if r.Summary != nil && r.Summary.Run > 0 && r.Verdict != sandbox.InternalError {
		return wordOf(r.Verdict) != notJudged
	}
	t.Verdict, t.Message = wordOf(r.Verdict), r.Message
	if t.Verdict == accepted {
		t.failed("no case was run")
	}
	for _, build := range []*sandbox.Step{r.Build, r.CheckerBuild} {
		if build != nil && build.Verdict != sandbox.OK {
			t.BuildOut = string(bytes.ToValidUTF8(bytes.TrimSpace(append(bytes.TrimSpace(build.Stderr), append([]byte("\n"), build.Stdout...)...)), []byte("?")))
			t.Message = strings.TrimSuffix("the build: "+build.Message, ": ")
			if build == r.CheckerBuild {
				t.Message = "the validator's build: " + build.Message
			}
		}
	}
	return false
}

// conclude finds the submission's verdict: that of the first case, in order, which
// was not passed. Where the judge failed in any case, it does not know.
func (t *trial) conclude(j *judging) {
	if i := slices.IndexFunc(t.Cases, func(c caseResult) bool { return c.Verdict == judgeError }); i >= 0 && t.Verdict == notJudged {
		t.Verdict, t.Failing, t.Message = judgeError, t.Cases[i].Name, t.Cases[i].Message
	}
	for i := range j.cases {
		count := &t.Secret
		if j.cases[i].Sample {
			count = &t.Sample
		}
		count.Total++
		if i >= len(t.Cases) || t.Cases[i].Verdict == notJudged {
			continue
		}
		c := &t.Cases[i]
		count.Run++
		t.CPUNanos, t.WallNanos, t.MemoryPeak = max(t.CPUNanos, c.CPUNanos), max(t.WallNanos, c.WallNanos), max(t.MemoryPeak, c.MemoryPeak)
		if c.Verdict == accepted {
			count.Passed++
		} else if t.Failing == "" && t.Verdict == notJudged {
			t.Verdict, t.Failing, t.Message, t.Silent = c.Verdict, c.Name, c.Message, c.silent
		}
	}
	if t.Verdict == notJudged && t.Sample.Passed+t.Secret.Passed == len(j.cases) {
		t.Verdict = accepted
	}
	t.Kept = keeps(t.Expected, t.Verdict, t.Silent)
}
