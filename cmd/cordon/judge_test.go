package main

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/judge"
	"cordon/judge/problem"
	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

// sumPackage is a package with a submission of each kind.
var sumPackage = map[string]string{
	"problem.yaml":                     "name: Sum\nlimits: {time_limit: 2, memory: 64}\n",
	"data/sample/1.in":                 "1 2\n",
	"data/sample/1.ans":                "3\n",
	"data/secret/1.in":                 "3 4\n",
	"data/secret/1.ans":                "7\n",
	"data/secret/2.in":                 "5 5\n",
	"data/secret/2.ans":                "10\n",
	"submissions/accepted/a.py":        "print(sum(map(int, input().split())))\n",
	"submissions/wrong_answer/b.py":    "print(3)\n",
	"submissions/run_time_error/c.cpp": "int main() { return 1; }\n",
}

// writePackage writes sumPackage with some changes; "-" takes a file away.
func writePackage(t *testing.T, changes map[string]string) string {
	t.Helper()
	all := maps.Clone(sumPackage)
	maps.Copy(all, changes)
	dir := t.TempDir()
	for name, text := range all {
		if text == "-" {
			continue
		}
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// testTools are those of this machine, found once.
var testTools *languages.Set

// testJudging is one whose runner says what it is told to.
func testJudging(t *testing.T, dir string, f judgeFlags, run func(*sandbox.Job) (*sandbox.Result, error), names ...string) *judging {
	t.Helper()
	if f.policy == "" {
		f.policy = "judge"
	}
	f.parallel = max(f.parallel, 1)
	j, err := newJudging(f.timeLimit != 0, &config{CPUScale: "1"}, &f, dir, names)
	if err != nil {
		t.Fatal(err)
	}
	if testTools == nil {
		set, err := languages.Load()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(set.Keep([]string{"python", "cpp", "java"}), set.Detect(t.Context())); err != nil {
			t.Fatal(err)
		}
		testTools = set
	}
	set, err := policies.Load("")
	if err != nil {
		t.Fatal(err)
	}
	j.plan, j.resolve, j.progress = testTools.Plan, resolver{set}.Resolve, newProgress(&strings.Builder{}, true)
	j.run = func(_ context.Context, job *sandbox.Job) (*sandbox.Result, error) { return run(job) }
	return j
}

// says is a result whose tests have these verdicts.
func says(verdicts ...sandbox.Verdict) *sandbox.Result {
	r := &sandbox.Result{Step: sandbox.Step{Verdict: sandbox.OK}, Summary: &sandbox.Summary{}}
	for i, v := range verdicts {
		test := sandbox.TestResult{Step: sandbox.Step{Verdict: v, Message: "said " + string(v), Stdout: []byte("x")}}
		test.Name, test.Usage.CPUNanos, test.Usage.MemoryPeakBytes = string(rune('a'+i)), int64(i+1)*1e6, int64(i+1)<<10
		r.Tests = append(r.Tests, test)
		if v != sandbox.Skipped {
			r.Summary.Run++
		}
		if v != sandbox.OK && v != sandbox.Skipped {
			r.Verdict = v
		}
	}
	return r
}

// Every verdict of a sandbox has a word; only those that say something keep a promise.
func TestWords(t *testing.T) {
	keepers := map[word][]problem.Expect{
		accepted: {problem.Accepted}, wrongAnswer: {problem.WrongAnswer}, timeLimit: {problem.TimeLimit}, runTimeError: {problem.RunTimeError},
		memoryLimit: {problem.RunTimeError, problem.MemoryLimit}, outputLimit: {problem.RunTimeError, problem.OutputLimit},
		compileError: {problem.CompilerError}, judgeError: nil, notJudged: nil,
	}
	seen := map[word]bool{}
	for _, v := range sandbox.Verdicts() {
		w := wordOf(v)
		seen[w] = true
		for e := range promises {
			if want := slices.Contains(keepers[w], e); keeps([]problem.Expect{e}, w, false) != want {
				t.Errorf("%s (%s) keeps %s: %t is wanted", w, v, e, want)
			}
		}
	}
	if len(seen) != len(keepers) || wordOf("something new") != judgeError {
		t.Errorf("%v", seen)
	}
	both := []problem.Expect{problem.TimeLimit, problem.NoOutput}
	if !keeps(both, timeLimit, false) || !keeps(both, wrongAnswer, true) || keeps(both, wrongAnswer, false) || !keeps([]problem.Expect{problem.WrongAnswer}, wrongAnswer, true) {
		t.Error("a wrong answer without output, and one with it, are to be told apart where no_output is promised")
	}
	if keeps(nil, accepted, false) || expectedWords(both) != "TLE|NO" {
		t.Error(expectedWords(both))
	}
}

func TestJudgeLimits(t *testing.T) {
	set, err := policies.Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get("judge")
	if err != nil {
		t.Fatal(err)
	}
	l := newJudgeLimits(&problem.Problem{}, p)
	if l.time != 0 || *l.run.MemoryBytes != 2<<30 || *l.run.OutputBytes != 8<<20 || *l.run.StackBytes != 1<<30 || *l.check.CPUMillis != 15_000 || len(l.notes) != 0 ||
		l.build != (policy.LimitRequest{}) || l.memoryWhy != "the package does not say" {
		t.Errorf("%+v", l)
	}
	l = newJudgeLimits(&problem.Problem{TimeLimit: 20 * time.Second, MemoryBytes: 4 << 30, OutputBytes: 1 << 20, CompileTime: 90 * time.Second, ValidationTime: time.Second}, p)
	if l.time != 15*time.Second || *l.run.MemoryBytes != 2<<30 || *l.run.OutputBytes != 1<<20 || *l.build.CPUMillis != 60_000 || *l.check.CPUMillis != 1000 ||
		*l.check.WallMillis != 3000 || l.outputWhy != "as the package says" || l.why != "the most that the policy allows" || l.memoryWhy != l.why {
		t.Errorf("%+v", l)
	}
	want := []string{"memory is 4G in the package; policy judge allows 2G, and that is what holds", "compilation_time is 1m30s in the package; policy judge allows 1m0s, and that is what holds",
		"the time limit is 20s in the package; policy judge allows 15s, and that is what holds"}
	if !slices.Equal(l.notes, want) {
		t.Errorf("%q", l.notes)
	}
	for slowest, want := range map[time.Duration]time.Duration{0: time.Second, 500 * time.Millisecond: time.Second, 501 * time.Millisecond: 2 * time.Second, 7 * time.Second: 14 * time.Second,
		14 * time.Second: 15 * time.Second} {
		if got := l.derived(slowest); got != want {
			t.Errorf("%v: %v, want %v", slowest, got, want)
		}
	}
	if q := l.timed(1500*time.Millisecond + 1); *q.CPUMillis != 1501 || *q.WallMillis != 4001 || *q.MemoryBytes != 2<<30 {
		t.Errorf("%d %d", *q.CPUMillis, *q.WallMillis)
	}
	if q := l.timed(0); *q.CPUMillis != 15_000 || *q.WallMillis != 60_000 || l.wall(time.Hour) != time.Minute {
		t.Errorf("%d %d", *q.CPUMillis, *q.WallMillis)
	}
}

func TestComparisonOf(t *testing.T) {
	for c, want := range map[problem.Compare]judge.Comparison{
		{}: {Mode: judge.Tokens, IgnoreCase: true},
		{CaseSensitive: true, SpaceSensitive: true}:   {Mode: judge.Tokens, SameSpace: true},
		{Floats: true, Absolute: 0.5, Relative: 1e-6}: {Mode: judge.Float, Abs: 0.5, Rel: 1e-6, IgnoreCase: true},
		{Floats: true}: {Mode: judge.Float, Abs: math.SmallestNonzeroFloat64, IgnoreCase: true},
		{Floats: true, Relative: 1, SpaceSensitive: true}: {},
	} {
		got, err := comparisonOf(c)
		if (err != nil) != (want == judge.Comparison{}) || err == nil && got != want {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
}

func TestChooseSubmissions(t *testing.T) {
	dir := writePackage(t, nil)
	for names, want := range map[string]string{
		"":                          "a.py c.cpp b.py",
		"a.py":                      "a.py",
		"accepted":                  "a.py",
		"wrong_answer/b.py":         "b.py",
		"submissions/accepted/a.py": "a.py",
		"accepted/ run_time_error":  "a.py c.cpp",
		dir + "/submissions/accepted/a.py " + dir + "/submissions/wrong_answer": "a.py b.py",
	} {
		j := testJudging(t, dir, judgeFlags{}, nil, strings.Fields(names)...)
		var got []string
		for _, s := range j.report.Submissions {
			got = append(got, filepath.Base(s.Name))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", names, got, want)
		}
	}
	t.Chdir(filepath.Join(dir, "submissions"))
	if j := testJudging(t, "..", judgeFlags{}, nil, "wrong_answer/../accepted/a.py"); len(j.report.Submissions) != 1 {
		t.Errorf("%d", len(j.report.Submissions))
	}
}

// What is wrong is told with exit status 2, before anything is run.
func TestJudgeMistakes(t *testing.T) {
	for want, c := range map[string]struct {
		files map[string]string
		flags judgeFlags
		names []string
	}{
		"data/secret/2.in: without 2.ans":         {files: map[string]string{"data/secret/2.ans": "-"}},
		`"x.py" is no submission of this package`: {names: []string{"x.py"}},
		"--policy": {flags: judgeFlags{policy: "none"}},
		"--time-limit: 1m0s given, policy judge allows": {flags: judgeFlags{timeLimit: time.Minute}},
		"--time-limit: -1s given":                       {flags: judgeFlags{timeLimit: -time.Second}},
		"the validator's flags: rel: given 2":           {files: map[string]string{"problem.yaml": "validator_flags: float_relative_tolerance 2\n"}},
		"policy playground allows an input of":          {files: map[string]string{"data/secret/1.in": strings.Repeat("x", 2<<20)}, flags: judgeFlags{policy: "playground"}},
	} {
		f := c.flags
		if f.policy == "" {
			f.policy = "judge"
		}
		_, err := newJudging(f.timeLimit != 0, &config{CPUScale: "1"}, &f, writePackage(t, c.files), c.names)
		var usage usageError
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &usage) || judgeEnd(err) != error(statusError(judgeUsage)) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := judgeEnd(errors.New("cgroup")); err != error(statusError(judgeFailed)) {
		t.Errorf("%v", err)
	}
}

// The words of a run that a signal ended.
func TestJudgeEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended{syscall.SIGINT})
	j := testJudging(t, writePackage(t, nil), judgeFlags{}, nil)
	j.judge(ctx)
	j.report.end(ctx)
	if j.report.Status != 130 || !strings.HasSuffix(j.report.sum(false), "3 not judged; ended by SIGINT") {
		t.Errorf("%d %s", j.report.Status, j.report.sum(false))
	}
}
