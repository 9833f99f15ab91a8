package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"cordon/policy"
	"cordon/sandbox/cell"
	"cordon/sandbox/line"
)

// suite runs the tests of one job. The build is made once and shown to the cell of
// each test, read-only, at cell.LayerPath; /work has a link to everything in it.
type suite struct {
	runner  *Runner
	kind    *kind
	spec    *Spec
	layer   *os.File
	links   []cell.Entry
	checker *checker // nil: none
	parts   []part   // the job's further programs
	files   []OutputFile
	results []TestResult
	want    line.Want // of a test

	mu      sync.Mutex
	next    int
	failed  bool // and no further test is to be begun
	err     error
	stop    context.CancelCauseFunc
	begun   context.CancelFunc // every test has been begun: nobody need wait for a place any more
	timings Timings
}

// errEnough ends tests that need not be run any more.
var errEnough = errors.New("another test has failed")

// runTests builds, and runs the tests.
func (r *Runner) runTests(ctx context.Context, k *kind, s *Spec, result *Result) error {
	b, err := r.build(ctx, k, s.buildSpec(), s.Grant)
	if err != nil {
		return err
	}
	defer b.Release()
	t := &suite{runner: r, kind: k, spec: s, layer: b.Dir, links: links(b.Names), results: make([]TestResult, len(s.Job.Tests))}
	for i := range t.results {
		t.results[i] = TestResult{Name: s.Job.Tests[i].Name, Step: Step{Verdict: Skipped, Events: Events{DeniedSyscalls: []DeniedSyscall{}}}}
	}
	if t.ready(b, result) && s.Job.Checker != nil {
		if t.checker, err = r.makeChecker(ctx, k, s, result); err != nil {
			return err
		}
		if t.checker != nil {
			defer t.checker.build.Release()
		}
	}
	if result.Verdict == "" {
		defer t.releaseParts()
		if err := t.makeParts(ctx, result); err != nil {
			return err
		}
	}
	if result.Verdict != "" && s.Single {
		return nil
	}
	if result.Verdict != "" { // there is nothing to run, or nothing to judge it
		result.Tests, result.Summary = t.results, summarize(t.results)
		result.Summary.Verdict = result.Verdict
		return nil
	}
	if err := t.run(ctx); err != nil {
		return err
	}
	if s.Single {
		t.stands(result)
	} else {
		t.tell(result)
	}
	return nil
}

// ready: there is a build, and each test can hold what it is to see of it. Else the
// result has the verdict.
func (t *suite) ready(b *built, result *Result) bool {
	if !result.built(b) {
		return false
	}
	if l := t.overfull(); l != nil {
		result.leftTooMuch(*l)
		return false
	}
	return true
}

// stands: the one test is the job.
func (t *suite) stands(result *Result) {
	one := &t.results[0]
	result.Step, result.Difference, result.Measured, result.Points = one.Step, one.Difference, one.Measured, one.Points
	result.Checker, result.Programs, result.Fault, result.Transcript = one.Checker, one.Programs, one.Fault, one.Transcript
	result.Files = t.files
	result.addTimings(&t.timings)
}

// tell sums up.
func (t *suite) tell(result *Result) {
	result.Tests, result.Summary = t.results, summarize(t.results)
	result.Summary.Parallel = t.parallel()
	result.Step = Step{Verdict: result.Summary.Verdict, Events: Events{DeniedSyscalls: []DeniedSyscall{}}}
	result.addTimings(&t.timings)
	for i := range t.results {
		r := &t.results[i]
		result.Usage.add(&r.Usage)
		if r.Verdict == result.Verdict && result.Verdict != OK && result.Message == "" {
			result.Message = fmt.Sprintf("test %d", i+1)
			if r.Name != "" {
				result.Message += " (" + r.Name + ")"
			}
			result.Message += ": " + r.Message
			result.Limits = r.Limits
		}
	}
	if result.Limits == nil && len(t.results) > 0 {
		result.Limits = t.results[0].Limits
	}
}

// add sums what can be summed, and takes the most of what is a peak.
func (u *Usage) add(more *Usage) {
	u.WallNanos += more.WallNanos
	u.CPUNanos += more.CPUNanos
	u.UserNanos += more.UserNanos
	u.SystemNanos += more.SystemNanos
	u.MemoryPeakBytes = max(u.MemoryPeakBytes, more.MemoryPeakBytes)
	u.DiskBytes = max(u.DiskBytes, more.DiskBytes)
	u.PidsPeak = counted(u.PidsPeak, more.PidsPeak, max(u.PidsPeak, more.PidsPeak))
	u.ThrottledNanos = sum(u.ThrottledNanos, more.ThrottledNanos)
	u.IOReadBytes = sum(u.IOReadBytes, more.IOReadBytes)
	u.IOWriteBytes = sum(u.IOWriteBytes, more.IOWriteBytes)
}

func sum(a, b int64) int64 { return counted(a, b, a+b) }

// counted is what comes of two counters that not every host has: -1 where one is missing.
func counted(a, b, both int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return both
}

// links lead to what lies in the layer.
func links(names []string) []cell.Entry {
	var out []cell.Entry
	for _, name := range slices.Sorted(slices.Values(names)) {
		out = append(out, cell.Entry{Path: name, Kind: cell.Symlink, Target: cell.LayerPath + "/" + name})
	}
	return out
}

// without leaves out the links whose names are taken.
func without(links []cell.Entry, taken ...string) []cell.Entry {
	return slices.DeleteFunc(slices.Clone(links), func(e cell.Entry) bool { return slices.Contains(taken, e.Path) })
}

// overfull are the limits of a test whose scratch cannot hold a link to all that the
// build has left; nil when each can.
func (t *suite) overfull() *policy.Limits {
	for i := range t.spec.Tests {
		if l := &t.spec.Tests[i].Limits; overfull(t.links, l) {
			return l
		}
	}
	return nil
}

func overfull(links []cell.Entry, l *policy.Limits) bool {
	pages := int64(0)
	for i := range links {
		if len(links[i].Target) >= inlineLink {
			pages += int64(os.Getpagesize())
		}
	}
	return int64(len(links)) > l.DiskFiles || pages > treeBytes(*l)
}

// run starts as many workers as were asked for. Each takes a place among the running
// jobs for each test, behind those who wait already, so that other jobs come in between.
func (t *suite) run(ctx context.Context) error {
	t.spec.place.give() // the job's own, of the build
	t.want = t.runner.want(t.spec, t.spec.runs())
	ctx, t.stop = context.WithCancelCause(ctx)
	defer t.stop(nil)
	until, begun := context.WithCancel(ctx)
	defer begun()
	t.begun = begun
	var workers sync.WaitGroup
	for range t.parallel() {
		workers.Go(func() {
			for t.work(ctx, until) {
			}
		})
	}
	workers.Wait()
	return t.err
}

// parallel is how many tests may run at once: so many as were asked for, while there are
// places and what they are promised is within what may be.
func (t *suite) parallel() int {
	return min(max(t.spec.Job.ParallelTests, 1), max(t.runner.line.AtOnce(t.want), 1), len(t.results))
}

// work runs the next test when there is a place; false when there is no more to do.
func (t *suite) work(ctx, until context.Context) bool {
	place, err := t.runner.takePlace(until, t.want, &t.spec.bill)
	var much *line.TooMuch
	if errors.As(err, &much) { // its tenant may have less since it began
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = errors.Join(t.err, refused(t.spec.runs(), err))
	}
	if err != nil {
		return false
	}
	defer place.give()
	return t.one(within(ctx, place))
}

// one runs the next test; false when there is none.
func (t *suite) one(ctx context.Context) bool {
	t.mu.Lock()
	i := t.next
	more := i < len(t.results) && !t.failed && ctx.Err() == nil && !t.runner.ending()
	if t.next++; t.next == len(t.results) {
		t.begun()
	}
	t.mu.Unlock()
	if !more {
		return false
	}
	err := t.test(ctx, i)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.err = errors.Join(t.err, err)
	}
	if err != nil || t.spec.Job.StopOnFirstFailure && t.results[i].Verdict != OK {
		if !t.failed {
			t.stop(errEnough)
		}
		t.failed = true
	}
	return true
}

// test runs one test and judges it.
func (t *suite) test(ctx context.Context, i int) error {
	test, g := &t.spec.Job.Tests[i], t.spec.Tests[i]
	files, err := entries(test.Files, g.Limits.DiskFiles)
	if err != nil {
		return err
	}
	command, env := t.spec.Job.Command, t.spec.Job.RunEnv
	if test.Command != nil {
		command = test.Command
	}
	if test.RunEnv != nil {
		env = test.RunEnv
	}
	spec := t.runner.stepSpec(g.Limits)
	spec.args, spec.env = slices.Concat(command, test.Args), mergeEnv(t.spec.Job.baseEnv(), env, t.spec.Job.Env)
	spec.entries, spec.shown = append(files, t.linksFor(test)...), shownOf(test.Files)
	t.spec.Job.placed(spec)
	var result TestResult
	out, err := t.judged(ctx, test, spec, &result)
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errEnough) {
		return nil // it still waited for a core
	}
	if err != nil {
		return err
	}
	if result.Verdict == Cancelled && errors.Is(context.Cause(ctx), errEnough) {
		return nil // as if it had not been begun
	}
	result.Name = test.Name
	keep(&result.Stdout, &result.StdoutTruncated, t.spec.Job.KeepOutput)
	keep(&result.Stderr, &result.StderrTruncated, t.spec.Job.KeepOutput)
	if len(t.parts) > 0 { // each has an account of its own
		result.Programs[0].Stdout, result.Programs[0].StdoutTruncated, result.Stdout, result.StdoutTruncated = result.Stdout, result.StdoutTruncated, nil, false
		result.Programs[0].Stderr, result.Programs[0].StderrTruncated, result.Stderr, result.StderrTruncated = result.Stderr, result.StderrTruncated, nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.results[i] = result
	t.timings.SetupNanos += out.setup
	t.timings.RunNanos += out.run
	t.timings.TeardownNanos += out.teardown
	if t.spec.Job.TestDone != nil {
		t.spec.Job.TestDone(i)
	}
	return nil
}

// linksFor leaves out what the test's own files take.
func (t *suite) linksFor(test *Test) []cell.Entry {
	if len(test.Files) == 0 {
		return t.links
	}
	var taken []string
	for i := range test.Files {
		taken = append(taken, top(test.Files[i].Path))
	}
	return without(t.links, taken...)
}

// keep cuts an output to what is to be returned of it. What is cut is let go of.
func keep(output *[]byte, cut *bool, most int64) {
	if int64(len(*output)) > most {
		*output, *cut = slices.Clone((*output)[:most]), true
	}
}

// judged runs a test's program and has it judged. Of several runs the one that stands
// for all is judged.
func (t *suite) judged(ctx context.Context, test *Test, spec *stepSpec, r *TestResult) (*stepOutcome, error) {
	ensemble := t.spec.Job.ensemble()
	out, measured, err := t.runner.measured(ctx, t.spec.Job.Measure, func(core int) (*stepOutcome, error) {
		if ensemble {
			return t.together(ctx, test, spec, core, r)
		}
		in := stepInput{core: core, layer: t.layer}
		done, err := in.feed(&test.Stdin)
		if err != nil {
			return nil, err
		}
		defer done()
		return t.runner.runStep(ctx, t.kind, spec, in, nil)
	})
	if err != nil {
		return nil, err
	}
	r.Measured = measured
	if t.spec.Job.interactive() {
		return out, nil
	}
	if !ensemble {
		r.Step = out.Step
	}
	return out, t.judge(ctx, test, r)
}

// judge compares the output of a program that has ended well.
func (t *suite) judge(ctx context.Context, test *Test, r *TestResult) error {
	if r.Verdict != OK {
		return nil
	}
	if t.checker != nil {
		return t.checker.ask(ctx, t, test, r)
	}
	if test.Expect == nil {
		return nil
	}
	var err error
	r.Difference, err = t.runner.compare(ctx, test.Expect, &r.Step)
	return err
}
