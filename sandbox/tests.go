package sandbox

import (
	"context"
	"math"

	"cordon/judge"
	"cordon/policy"
)

// Test is one run of a job's program, in a cell of its own.
type Test struct {
	Name string
	Args []string // behind those of the command
	// Command and RunEnv are instead of the job's; nil: they are the job's.
	Command []string
	RunEnv  []string
	Stdin   Content
	Files   []File // beside what the build left
	Limits  policy.LimitRequest
	Expect  *Expectation // nil: any output will do
	// CheckerArgs come behind those that the job's checker has anyway.
	CheckerArgs []string
}

// Expectation is what a program has to print.
type Expectation struct {
	Output     Content
	Comparison judge.Comparison // not looked at where the job has a checker
}

// compare looks for the first difference of an output that ended well, and settles the
// verdict.
func (r *Runner) compare(ctx context.Context, e *Expectation, s *Step) (*judge.Difference, error) {
	want, err := try(stepReadKept, e.Output.bytes)
	if err != nil {
		return nil, err
	}
	until, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(r.stopping, stop)()
	d, finished := e.Comparison.CompareUntil(until.Done(), want, s.Stdout)
	switch {
	case !finished && r.ending():
		s.Verdict, s.Message = Interrupted, "the service stopped while the output was compared"
	case !finished:
		s.Verdict, s.Message = Cancelled, Explain(Cancelled, nil, Limited{})
	case d != nil:
		s.Verdict, s.Message = WrongAnswer, d.Message
	}
	return d, nil
}

// Checker is a program that says whether an output is right. It is built as the job's
// own program is, and sees the files input.txt, output.txt and answer.txt.
type Checker struct {
	Style            judge.Style
	Command          []string // the names of the files, or what else the style has, come behind it
	Build            []string // empty: no build
	Files            []File
	RunEnv, BuildEnv []string
	Limits           policy.LimitRequest
	BuildLimits      policy.LimitRequest
	// Interactive: it talks with the program, each reading what the other writes, instead
	// of looking at the output. It is an interactor then.
	Interactive bool
}

// TestResult is the account of one test.
type TestResult struct {
	Name string
	Step
	Difference *judge.Difference // where the output is wrong, for wrong_answer without a checker
	Points     *float64          // as the checker gave them
	Measured   *Measured
	Checker    *Step           // of the checker's own run
	Programs   []ProgramResult // set when the job has further programs: all of them, its own first
	Fault      []string        // the names of those whose verdict it is
	Transcript *Transcript     // set when it was asked for
}

// Summary of a job's tests.
type Summary struct {
	Verdict         Verdict // the worst
	Total           int
	Run             int // were run to their end
	Passed          int
	Parallel        int   // could run at once
	CPUNanos        int64 // most that a test used
	WallNanos       int64
	MemoryPeakBytes int64
	Points          *float64 // all together; nil where the checker gave none
}

// summarize looks at all tests.
func summarize(tests []TestResult) *Summary {
	s := &Summary{Verdict: OK, Total: len(tests)}
	for i := range tests {
		t := &tests[i]
		s.Verdict = worse(s.Verdict, t.Verdict)
		if t.Verdict == Skipped || t.Verdict == Cancelled || t.Verdict == Interrupted {
			continue
		}
		s.Run++
		if t.Verdict == OK {
			s.Passed++
		}
		s.CPUNanos = max(s.CPUNanos, t.Usage.CPUNanos)
		s.WallNanos = max(s.WallNanos, t.Usage.WallNanos)
		s.MemoryPeakBytes = max(s.MemoryPeakBytes, t.Usage.MemoryPeakBytes)
		if t.Points != nil {
			if s.Points == nil {
				s.Points = new(float64)
			}
			*s.Points = min(*s.Points+*t.Points, math.MaxFloat64)
		}
	}
	return s
}

// worse is the one that Verdicts has first; a test that was not run says nothing.
func worse(a, b Verdict) Verdict {
	for _, v := range Verdicts() {
		if v == Skipped {
			continue
		}
		if v == a || v == b {
			return v
		}
	}
	return a
}
