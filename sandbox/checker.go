package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"cordon/judge"
	"cordon/policy"
	"cordon/sandbox/cell"
)

// checker is a job's checker, built. It runs in a cell of its own: what it does is
// never laid to the program that it judges.
type checker struct {
	*Checker
	grant *policy.Grant
	build *built
	links []cell.Entry
}

// Names of the files that a checker sees.
const (
	checkerInput    = "input.txt"
	checkerOutput   = "output.txt"
	checkerAnswer   = "answer.txt"
	checkerFeedback = "feedback" // a directory
)

// makeChecker builds it; nil when that ended badly, which the result then tells.
func (r *Runner) makeChecker(ctx context.Context, k *kind, s *Spec, result *Result) (*checker, error) {
	c := s.Job.Checker
	b, err := r.build(ctx, k, &buildSpec{args: c.Build, env: mergeEnv(s.Job.baseEnv(), c.BuildEnv), files: c.Files,
		limits: s.Checker.BuildLimits, tenant: s.Job.Tenant}, s.Checker)
	if err != nil {
		return nil, err
	}
	if out := b.Account.outcome; out != nil && out.Verdict != OK {
		result.CheckerBuild = &out.Step
		result.Step = out.Step
		result.Verdict = builtVerdict(out.Verdict)
		if result.Verdict == BuildFailed {
			result.Verdict = CheckerFailed
		}
		result.Message = "the build of the checker: " + out.Message
		b.Release()
		return nil, nil
	}
	return &checker{c, s.Checker, b, without(links(b.Names), checkerInput, checkerOutput, checkerAnswer, checkerFeedback)}, nil
}

// ask has the checker say what it thinks of an output.
func (c *checker) ask(ctx context.Context, t *suite, test *Test, r *TestResult) error {
	r.Difference = nil
	spec := t.runner.stepSpec(c.grant.Limits)
	files, err := c.files(test, spec)
	if err != nil {
		return err
	}
	spec.args, spec.env, spec.entries = c.args(test), mergeEnv(t.spec.Job.baseEnv(), c.RunEnv), files
	in := stepInput{core: noCore, layer: c.build.Dir}
	if c.Style == judge.Kattis {
		done, err := in.feed(&Content{Data: r.Stdout})
		if err != nil {
			return err
		}
		defer done()
	} else {
		spec.entries = append(spec.entries, placed(checkerOutput, r.Stdout))
	}
	spec.entries = append(spec.entries, c.links...)
	var said []byte
	out, err := t.runner.runStep(ctx, t.kind, spec, in, c.feedback(&said))
	if err != nil {
		return err
	}
	r.Checker = &out.Step
	c.rule(r, said)
	keep(&out.Stdout, &out.StdoutTruncated, t.spec.Job.KeepOutput)
	keep(&out.Stderr, &out.StderrTruncated, t.spec.Job.KeepOutput)
	return nil
}

// files that it sees of a test. Those that can be shown are entered into its spec.
func (c *checker) files(test *Test, spec *stepSpec) (out []cell.Entry, err error) {
	var answer Content
	if test.Expect != nil {
		answer = test.Expect.Output
	}
	for _, f := range []struct {
		name    string
		content Content
	}{{checkerInput, test.Stdin}, {checkerAnswer, answer}} {
		if _, shared := f.content.Kept.(Shared); shared {
			spec.shown = append(spec.shown, shown{f.name, f.content.Kept})
			continue
		}
		data, err := try(stepReadKept, f.content.bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, placed(f.name, data))
	}
	if c.Style == judge.Kattis {
		out = append(out, cell.Entry{Path: checkerFeedback, Kind: cell.Dir, Mode: 0o755})
	}
	return out, nil
}

// args are its command and what it is called with. Validators in the style of Kattis
// put names of files directly behind that of their directory.
func (c *checker) args(test *Test) []string {
	names := []string{checkerInput, checkerOutput, checkerAnswer}
	if c.Style == judge.Kattis {
		names = []string{checkerInput, checkerAnswer, checkerFeedback + "/"}
	}
	return slices.Concat(c.Command, names, test.CheckerArgs)
}

// What a validator in the style of Kattis has to say, and as much of it as is read.
var feedbackFiles = []string{checkerFeedback + "/judgemessage.txt", checkerFeedback + "/judgeerror.txt"}

const feedbackBytes = 64 << 10

// feedback reads the first of the files that says something.
func (c *checker) feedback(said *[]byte) func(remains, Verdict) error {
	if c.Style != judge.Kattis {
		return nil
	}
	return func(left remains, _ Verdict) error {
		files, err := collectOutputs(left.scratch, feedbackFiles, int64(len(feedbackFiles)), feedbackBytes)
		for _, f := range files {
			if len(*said) == 0 && len(bytes.TrimSpace(f.Data)) > 0 {
				*said = f.Data
			}
		}
		return err
	}
}

// opinion is what a checker's or interactor's end says; one that was ended has failed.
// said is what it wrote besides its standard error, and wins.
func (c *checker) opinion(s *Step, said []byte) judge.Opinion {
	if s.ExitCode == nil || s.Verdict != OK && s.Verdict != Nonzero {
		return judge.Opinion{Failed: true, Message: fmt.Sprintf("%s: %s", s.Verdict, s.Message)}
	}
	if len(said) == 0 {
		said = s.Stderr
	}
	return judge.Outcome(c.Style, *s.ExitCode, said)
}

func placed(name string, data []byte) cell.Entry {
	return cell.Entry{Path: name, Mode: 0o644, Data: data}
}

// rule turns the checker's end into the test's verdict.
func (c *checker) rule(r *TestResult, said []byte) {
	s := r.Checker
	if s.Verdict == Cancelled || s.Verdict == Interrupted {
		r.Verdict, r.Message = s.Verdict, s.Message
		return
	}
	opinion := c.opinion(s, said)
	r.Points = opinion.Points
	switch {
	case opinion.Failed:
		r.Verdict, r.Message = CheckerFailed, strings.TrimSuffix("the checker has failed: "+opinion.Message, ": ")
	case !opinion.Accepted:
		r.Verdict, r.Message = WrongAnswer, opinion.Message
	default:
		r.Message = opinion.Message
	}
}
