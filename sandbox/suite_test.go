package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/judge"
	"cordon/policy"
)

// doubles is a program that is built, and prints twice what it reads.
func doubles(tests ...Test) *Job {
	return &Job{Policy: "judge", Command: []string{"./main"}, KeepOutput: 1 << 16, Tests: tests,
		Build: []string{"/bin/sh", "-c", "echo built >&2; { echo '#!/bin/sh'; cat source; } >main; chmod 755 main; mkdir dir; ln -s ../main dir/link"},
		Files: []File{{Path: "source", Mode: 0o644, Data: []byte("read x; echo $((2 * x)) $1\n")}}}
}

func test(name, stdin, expect string) Test {
	t := Test{Name: name, Stdin: text(stdin)}
	if expect != "" {
		t.Expect = &Expectation{text(expect), judge.Comparison{Mode: judge.Tokens}}
	}
	return t
}

// verdicts of all tests, in their order.
func (r *Result) verdicts() string {
	var out []string
	for i := range r.Tests {
		out = append(out, string(r.Tests[i].Verdict))
	}
	return strings.Join(out, " ")
}

func TestSuite(t *testing.T) {
	l := newLab(t)
	job := doubles(test("a", "1", "2"), test("b", "21", "42"), test("c", "3", "7"), test("d", "4", ""))
	job.Tests[3].Args = []string{"more"}
	for i, parallel := range []int{0, 1, 4, 1000} {
		job.ParallelTests = parallel
		r := l.run(t, job)
		if r.Verdict != WrongAnswer || r.verdicts() != "ok ok wrong_answer ok" || r.BuildCached != (i > 0) {
			t.Fatalf("%s: %s, cached %t, %q", r.Verdict, r.verdicts(), r.BuildCached, r.Message)
		}
		if s := r.Summary; s.Total != 4 || s.Run != 4 || s.Passed != 3 || s.Verdict != WrongAnswer || s.CPUNanos <= 0 || s.MemoryPeakBytes <= 0 || s.WallNanos <= 0 {
			t.Errorf("%+v", s)
		}
		if d := r.Tests[2].Difference; d == nil || d.Line != 1 || d.Expected != "7" || d.Got != "6" || r.Message != "test 3 (c): "+d.Message {
			t.Errorf("%+v, %q", d, r.Message)
		}
		if out := string(r.Tests[3].Stdout); out != "8 more\n" {
			t.Errorf("%q", out)
		}
		if r.Build == nil || string(r.Build.Stderr) != "built\n" || r.Usage.WallNanos < r.Summary.WallNanos || len(r.Limits) == 0 || len(r.Tests[0].Limits) == 0 {
			t.Errorf("%+v, %+v", r.Build, r.Usage)
		}
	}
	if s := l.Stats().Builds; s.Builds != 1 || s.Hits != 3 || s.Misses != 1 {
		t.Errorf("%+v", s)
	}
}

// What a test sees of the build: all of it, and nothing that another test did.
func TestSuiteShowsTheBuild(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "", ""), test("", "", ""))
	job.Command = []string{"/bin/sh", "-c", `ls -A; ls dir; readlink main; head -1 dir/link
for f in main dir/new /layer/new /layer/main; do (echo x >$f) 2>/dev/null && echo changed $f; done
echo mine >out && cat out; id -u; ls -ld /layer | cut -d" " -f1,3; cat own 2>/dev/null`}
	job.Tests[1].Files = []File{{Path: "own", Data: []byte("own\n")}, {Path: "source", Data: []byte("other\n")}}
	r := l.run(t, job)
	const want = "dir\nmain\nsource\nlink\n/layer/main\n#!/bin/sh\nmine\n1000\ndrwxr-xr-x nobody\n"
	if got := string(r.Tests[0].Stdout); got != want {
		t.Errorf("%q, want %q; %s", got, want, r.Tests[0].Stderr)
	}
	if got := string(r.Tests[1].Stdout); got != strings.Replace(want, "main\nsource", "main\nown\nsource", 1)+"own\n" {
		t.Errorf("%q; %s", got, r.Tests[1].Stderr)
	}
}

// Files without a build are shown in the same way.
func TestSuiteOfFiles(t *testing.T) {
	l := newLab(t)
	job := &Job{Policy: "judge", Command: []string{"/bin/sh", "main.sh"}, KeepOutput: 100, Tests: []Test{test("", "1", "1 deep")},
		Files: []File{{Path: "main.sh", Data: []byte("read x; echo $x $(cat a/b/c)")}, {Path: "a/b/c", Data: []byte("deep")},
			{Path: "a/l", Mode: os.ModeSymlink, Target: "b/c"}, {Path: "empty", Mode: os.ModeDir | 0o755}}}
	if r := l.run(t, job); r.Verdict != OK || r.Build != nil || r.Summary.Passed != 1 {
		t.Errorf("%s: %q, %+v", r.Verdict, r.Message, r.Tests[0])
	}
}

// Each verdict is that of its own test, and the worst is the job's.
func TestSuiteVerdicts(t *testing.T) {
	l := newLab(t)
	job := doubles()
	job.Command = []string{"/bin/sh", "-c", `eval "$(cat)"`}
	cases := map[string]Verdict{"exit 3": Nonzero, "kill -SEGV $$": Signaled, "while :; do :; done": CPULimit, "sleep 100": WallLimit,
		"yes": OutputLimit, "exit 0": OK, "echo 7": WrongAnswer}
	for script, want := range cases {
		c := test(script, script, "")
		switch want {
		case CPULimit:
			c.Limits.CPUMillis = ptr[int64](100)
		case WallLimit:
			c.Limits.WallMillis = ptr[int64](100)
		case WrongAnswer:
			c.Expect = &Expectation{text("8"), judge.Comparison{Mode: judge.Exact}}
		}
		job.Tests = append(job.Tests, c)
	}
	job.ParallelTests = 4
	r := l.run(t, job)
	for i := range r.Tests {
		if c := &r.Tests[i]; c.Verdict != cases[c.Name] {
			t.Errorf("%s: %s, %q", c.Name, c.Verdict, c.Message)
		}
	}
	if r.Verdict != CPULimit || r.Summary.Run != len(cases) || r.Summary.Passed != 1 || !strings.Contains(r.Message, "while") {
		t.Errorf("%s, %+v, %q", r.Verdict, r.Summary, r.Message)
	}
}

func TestSuiteStops(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "1", "2"), test("", "1", "3"), test("", "2", "4"), test("", "3", "6"))
	job.StopOnFirstFailure = true
	if r := l.run(t, job); r.Verdict != WrongAnswer || r.verdicts() != "ok wrong_answer skipped skipped" || r.Summary.Run != 2 || r.Summary.Passed != 1 {
		t.Errorf("%s: %s, %+v", r.Verdict, r.verdicts(), r.Summary)
	}
	// Those that run already are not waited for, and nothing is said of them.
	job.Command = []string{"/bin/sh", "-c", "read x; test $x = 0 && exit 1; sleep 60"}
	job.Tests, job.ParallelTests = []Test{test("", "1", ""), test("", "0", ""), test("", "1", "")}, 3
	job.Limits.WallMillis = ptr[int64](50_000)
	started := time.Now()
	if r := l.run(t, job); r.Verdict != Nonzero || r.verdicts() != "skipped nonzero skipped" || time.Since(started) > 40*time.Second {
		t.Errorf("%s: %s after %v", r.Verdict, r.verdicts(), time.Since(started))
	}
}

// Nothing is run when the build ends badly, and the next one builds again.
func TestSuiteWithoutBuild(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "1", "2"))
	job.Build = []string{"/bin/sh", "-c", "echo line 1: wrong >&2; exit 2"}
	for range 2 {
		r := l.run(t, job)
		if r.Verdict != BuildFailed || r.verdicts() != "skipped" || string(r.Build.Stderr) != "line 1: wrong\n" || r.Summary.Run != 0 || r.Summary.Verdict != BuildFailed || r.BuildCached {
			t.Errorf("%s: %s, %+v", r.Verdict, r.verdicts(), r.Summary)
		}
	}
}

// Outputs are cut to what is to be kept, behind the comparison.
func TestSuiteKeepsLittle(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "1111111111111", "2222222222222"))
	job.KeepOutput = 5
	r := l.run(t, job)
	if c := r.Tests[0]; c.Verdict != OK || string(c.Stdout) != "22222" || !c.StdoutTruncated || c.StderrTruncated {
		t.Errorf("%+v", c)
	}
}

// What is asked beyond the policy is named with its test.
func TestSuiteDenied(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "1", "2"), test("", "1", "2"))
	job.Tests[1].Limits.CPUMillis = ptr[int64](1 << 40)
	_, err := l.Run(t.Context(), job)
	if denied, ok := err.(*policy.DeniedError); !ok || denied.Denials[0].Field != "tests[1].limits.cpu_ms" {
		t.Error(err)
	}
	job.Tests = slices.Repeat([]Test{test("", "1", "2")}, 1001)
	if _, err := l.Run(t.Context(), job); err == nil || !strings.Contains(err.Error(), "tests: asked for 1001, allowed: 0 to 1000") {
		t.Error(err)
	}
}

// A client that goes away takes its tests with it.
func TestSuiteCancelled(t *testing.T) {
	l := newLab(t)
	job := doubles(slices.Repeat([]Test{test("", "", "")}, 8)...)
	job.Command, job.ParallelTests = []string{"sleep", "60"}, 2
	r, err := l.leftAsleep(t, job)
	if err != nil || r.Verdict != Cancelled || r.Summary.Passed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A build that is asked to be fresh is; another source, command or variable is another
// build.
func TestBuildsAreToldApart(t *testing.T) {
	l := newLab(t)
	change := map[string]func(*Job){
		"fresh":    func(j *Job) { j.BuildFresh = true },
		"source":   func(j *Job) { j.Files[0].Data = []byte("echo 2") },
		"command":  func(j *Job) { j.Build = append(slices.Clone(j.Build), "x") },
		"variable": func(j *Job) { j.Env = []string{"A=B"} },
		"limit":    func(j *Job) { j.BuildLimits.CPUMillis = ptr[int64](1234) },
		"policy":   func(j *Job) { j.Policy = "playground" },
		"mode":     func(j *Job) { j.Files[0].Mode = 0o755 },
	}
	l.run(t, doubles(test("", "1", "2")))
	for name, f := range change {
		job := doubles(test("", "1", "2"))
		f(job)
		if r := l.run(t, job); r.BuildCached || r.Verdict != OK {
			t.Errorf("%s: cached %t, %s %s", name, r.BuildCached, r.Verdict, r.Message)
		}
	}
	if r := l.run(t, doubles(test("", "1", "2"))); !r.BuildCached {
		t.Error("the first one is not there any more")
	}
	once := doubles() // a single run begins with it, too
	once.Stdin = text("4")
	if r := l.run(t, once); !r.BuildCached || string(r.Stdout) != "8 \n" && string(r.Stdout) != "8\n" {
		t.Errorf("cached %t, %q", r.BuildCached, r.Stdout)
	}
}

// checks is a checker in the way of testlib or Kattis: the answer has to be larger.
func checks(style judge.Style, script string) *Checker {
	return &Checker{Style: style, Command: []string{"./check"}, Files: []File{{Path: "check.sh", Data: []byte(script)}},
		Build: []string{"/bin/sh", "-c", "cp check.sh check; chmod 755 check"}}
}

func TestChecker(t *testing.T) {
	l := newLab(t)
	const larger = "#!/bin/sh\nread in <$1; read out <$2; read answer <$3\n" +
		"[ $in = 9 ] && exit 3; [ $in = 8 ] && while :; do :; done; [ $in = 7 ] && { echo points 2.5 >&2; exit 7; }\n" +
		"[ $out -gt $answer ] && { echo fine >&2; exit 0; }; echo $out is not larger than $answer >&2; exit 1\n"
	job := doubles(test("", "1", "1"), test("", "1", "3"), test("", "9", "1"), test("", "8", "1"), test("", "7", "1"))
	job.Checker = checks(judge.Testlib, larger)
	job.Checker.Limits.CPUMillis = ptr(200 * slowness())
	r := l.run(t, job)
	if r.verdicts() != "ok wrong_answer checker_failed checker_failed ok" || r.Verdict != CheckerFailed {
		t.Fatalf("%s: %s; %+v", r.Verdict, r.verdicts(), r.Message)
	}
	if c := r.Tests[1]; c.Message != "2 is not larger than 3" || c.Checker == nil || *c.Checker.ExitCode != 1 || c.Difference != nil {
		t.Errorf("%+v", c)
	}
	if p := r.Tests[4].Points; p == nil || *p != 2.5 || r.Summary.Points == nil || *r.Summary.Points != 2.5 {
		t.Errorf("points %v", p)
	}
	if m := r.Tests[3].Message; !strings.Contains(m, "the checker has failed: cpu_limit") {
		t.Errorf("%q", m)
	}
	job.Tests = job.Tests[:2]
	job.Checker = checks(judge.Kattis, "#!/bin/sh\nread out; read in <$1; read answer <$2; echo \"$4 $5 $out\" >$3judgemessage.txt || exit 1\n"+
		"echo not this >&2; [ $out -gt $answer ] && exit 42; exit 43\n")
	job.Tests[1].CheckerArgs = []string{"with an", "argument"}
	if r := l.run(t, job); r.verdicts() != "ok wrong_answer" || r.Tests[0].Message != "2" || r.Tests[1].Message != "with an argument 2" {
		t.Errorf("%s, %q, %q, %+v", r.verdicts(), r.Tests[0].Message, r.Tests[1].Message, r.Tests[0].Checker)
	}
	job.Checker.Build = []string{"/bin/sh", "-c", "echo no such thing >&2; exit 1"}
	if r := l.run(t, job); r.Verdict != CheckerFailed || r.verdicts() != "skipped skipped" || r.CheckerBuild == nil || string(r.CheckerBuild.Stderr) != "no such thing\n" {
		t.Errorf("%s, %q, %+v", r.Verdict, r.Message, r.CheckerBuild)
	}
}

// A single run can be compared, too.
func TestExpect(t *testing.T) {
	l := newLab(t)
	for expect, want := range map[string]Verdict{"hello": WrongAnswer, "hello\n": OK} {
		job := &Job{Policy: "judge", Command: []string{"echo", "hello"}, Expect: &Expectation{text(expect), judge.Comparison{Mode: judge.Exact}}}
		r := l.run(t, job)
		if r.Verdict != want || (r.Difference == nil) != (want == OK) || want == WrongAnswer && r.Message == "" {
			t.Errorf("%q: %s, %+v, %q", expect, r.Verdict, r.Difference, r.Message)
		}
	}
}

// Many suites at once share the places: all come to their end, and nothing is left.
func TestSuitesAtOnce(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 3 })
	errs := make(chan error, 6)
	for i := range cap(errs) {
		go func() {
			job := doubles(slices.Repeat([]Test{test("", "1", "2")}, 5)...)
			job.ID, job.ParallelTests = fmt.Sprint(i), 3
			r, err := l.Run(t.Context(), job)
			if err == nil && r.Summary.Passed != 5 {
				err = fmt.Errorf("%s: %s", r.Verdict, r.verdicts())
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if s := l.Stats(); s.Running != 0 {
		t.Errorf("%+v", s)
	}
}
