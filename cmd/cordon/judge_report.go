package main

import (
	"context"
	"errors"
	"fmt"

	"cordon/judge/problem"
)

// judgeReport is what cordon judge --json prints.
type judgeReport struct {
	Problem       string             `json:"problem"`
	Directory     string             `json:"directory"`
	Validation    problem.Validation `json:"validation"`
	Policy        string             `json:"policy"`
	Samples       int                `json:"sample_cases"`
	Secret        int                `json:"secret_cases"`
	TimeMillis    int64              `json:"time_limit_ms"` // 0: none was found
	TimeFrom      string             `json:"time_limit_from,omitempty"`
	WallMillis    int64              `json:"wall_limit_ms"`
	MemoryBytes   int64              `json:"memory_bytes"`
	OutputBytes   int64              `json:"output_bytes"`
	Notes         []string           `json:"notes"`
	Ignored       []string           `json:"ignored"`
	Submissions   []*trial           `json:"submissions"`
	InterruptedBy string             `json:"interrupted_by,omitempty"`
	Status        int                `json:"status"`

	failed bool // the judge failed where no row tells of it
}

func (r *judgeReport) note(text string) { r.Notes = append(r.Notes, text) }

// describe fills in what is known before anything is run.
func (r *judgeReport) describe(j *judging) {
	p := j.problem
	r.Problem, r.Directory, r.Validation, r.Policy = p.Name, p.Dir, p.Validation, j.policy.Name
	r.Notes, r.Ignored = append([]string{}, j.limits.notes...), append([]string{}, p.Ignored...)
	r.MemoryBytes, r.OutputBytes = *j.limits.run.MemoryBytes, *j.limits.run.OutputBytes
	for _, c := range j.cases {
		if c.Sample {
			r.Samples++
		} else {
			r.Secret++
		}
	}
	for _, t := range j.trials {
		t.Cases = []caseResult{}
		t.Sample.Total, t.Secret.Total = r.Samples, r.Secret
		if t.chosen {
			r.Submissions = append(r.Submissions, t)
		}
	}
}

// limits tells what the time limit came to be.
func (r *judgeReport) limits(j *judging) {
	if j.limits.time > 0 {
		r.TimeMillis, r.TimeFrom, r.WallMillis = millis(j.limits.time), j.limits.from, millis(j.limits.wall(j.limits.time))
	}
}

// end finds the exit status.
func (r *judgeReport) end(ctx context.Context) {
	for _, t := range r.Submissions {
		if !t.Kept {
			r.Status = max(r.Status, judgeBroken)
		}
		if t.Verdict == judgeError {
			r.failed = true
		}
	}
	if r.failed {
		r.Status = judgeFailed
	}
	var by ended
	if errors.As(context.Cause(ctx), &by) {
		r.InterruptedBy, r.Status = by.Error(), 128+int(by.Signal)
	}
}

// sum is the last line.
func (r *judgeReport) sum(p paint) string {
	kept, unknown := 0, 0
	for _, t := range r.Submissions {
		switch {
		case t.Kept:
			kept++
		case t.Verdict == notJudged || t.Verdict == judgeError:
			unknown++
		}
	}
	text, colour := fmt.Sprintf("%d of %d submissions got what was promised", kept, len(r.Submissions)), green
	if broken := len(r.Submissions) - kept - unknown; broken > 0 {
		text, colour = text+fmt.Sprintf(", %d did not", broken), red
	}
	if unknown > 0 {
		text, colour = text+fmt.Sprintf(", %d not judged", unknown), yellow
	}
	if r.InterruptedBy != "" {
		text += "; " + r.InterruptedBy
	}
	return p.in(colour, text)
}
