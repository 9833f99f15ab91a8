package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
	"cordon/judge"
	"cordon/policy"
)

// A file with many names is one file when it is kept, too.
func TestManyNamesAreOneFile(t *testing.T) {
	l := newLab(t)
	job := doubles(test("", "", ""))
	job.Build = []string{"/bin/sh", "-c", "head -c 1000000 /dev/zero >big; mkdir d; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do ln big d/$i; done"}
	job.Command = []string{"/bin/sh", "-c", "stat -c %h dir/../d/1 2>/dev/null || stat -c %h d/1; du -sk /layer | cut -f1"}
	r := l.run(t, job)
	var links, kib int
	if out := strings.Fields(string(r.Tests[0].Stdout)); len(out) != 2 || !number64(out[0], &links) || !number64(out[1], &kib) || links != 17 || kib > 2000 {
		t.Errorf("%q %q: 17 names of one file of 1 MB are wanted", r.Tests[0].Stdout, r.Tests[0].Stderr)
	}
}

func number64(s string, n *int) bool {
	*n = 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
		*n = 10**n + int(c-'0')
	}
	return s != ""
}

// More names than a test's scratch can hold links to is what the build did, not a
// failure of ours.
func TestMoreNamesThanLinks(t *testing.T) {
	l := newLab(t)
	for name, script := range map[string]string{"files": "i=0; while [ $i -lt 300 ]; do i=$((i+1)); : >$i; done",
		"long": "i=100; while [ $i -lt 180 ]; do i=$((i+1)); : >${i}" + strings.Repeat("x", 200) + "; done"} {
		job := doubles(test("", "", ""), test("", "", ""))
		job.Build = []string{"/bin/sh", "-c", script}
		job.Limits.DiskFiles, job.Limits.DiskBytes = ptr[int64](200), ptr[int64](256<<10)
		r := l.run(t, job)
		if r.Verdict != BuildFailed || r.verdicts() != "skipped skipped" || !strings.Contains(r.Message, "disk_files is 200") {
			t.Errorf("%s: %s %s %q", name, r.Verdict, r.verdicts(), r.Message)
		}
	}
}

// A client that goes away, and a service that ends, begin no further test.
func TestNothingBegunBehindTheEnd(t *testing.T) {
	for _, interactive := range []bool{false, true} {
		l := newLab(t, func(c *Config) { c.Parallel = 1 })
		job := doubles(slices.Repeat([]Test{test("", "", "")}, 100)...)
		job.Command = []string{"sleep", "1000"}
		if interactive {
			job.Checker = &Checker{Style: judge.Testlib, Interactive: true, Command: []string{"/bin/sh", "-c", "sleep 1000", "talk"}}
		}
		r, err := l.leftAsleep(t, job)
		if err != nil || r.Verdict != Cancelled || r.Summary.Run != 0 || strings.Count(r.verdicts(), "cancelled") != 1 {
			t.Fatalf("%v, %s", err, r.verdicts())
		}
		done := make(chan *Result)
		go func() {
			r, _ := l.Run(context.Background(), job)
			done <- r
		}()
		eventually(t, "a test runs", func() bool { return l.Stats().Running == 1 && l.pool.yieldsTo() > 0 })
		l.Close()
		if r := <-done; r == nil || r.Verdict != Interrupted || r.Summary.Run != 0 || strings.Count(r.verdicts(), "interrupted") > 1 {
			t.Fatalf("%+v", r)
		}
	}
}

// leftAsleep runs a job and goes away as soon as one of its programs sleeps, however
// long that takes to begin.
func (l *lab) leftAsleep(t *testing.T, job *Job) (*Result, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type end struct {
		r   *Result
		err error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := l.Run(ctx, job)
		ended <- end{r, err}
	}()
	eventually(t, "a program sleeps", func() bool {
		return slices.ContainsFunc(testkit.Descendants(t, os.Getpid()), func(p testkit.Process) bool { return p.Name == "sleep" })
	})
	cancel()
	e := <-ended
	return e.r, e.err
}

// Nobody waits for an output to be compared when nobody waits for the result.
func TestComparingEndsWithTheCaller(t *testing.T) {
	l := newLab(t, nil...)
	const words = 4 << 20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	job := &Job{ID: "compared", Policy: "default", Command: []string{"sh", "-c", "yes 1.5 | head -n 4194304"},
		Stdout: &lastByte{left: 4 * words, then: cancel}, // the program has put out all of it
		Expect: &Expectation{Content{Data: bytes.Repeat([]byte("1.6\n"), words)}, judge.Comparison{Mode: judge.Float, Abs: 1}}}
	job.Limits.OutputBytes = ptr[int64](16 << 20)
	if r, err := l.Run(ctx, job); err != nil || r.Verdict != Cancelled || r.Difference != nil {
		t.Errorf("%v, %s %q", err, r.Verdict, r.Message)
	}
}

// lastByte calls then when so many bytes have come.
type lastByte struct {
	left int
	then func()
}

func (w *lastByte) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left == 0 {
		w.then()
	}
	return len(b), nil
}

// Other jobs come in between the tests of one.
func TestOthersComeBetween(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 1 })
	job := doubles(slices.Repeat([]Test{test("", "", "")}, 200)...)
	job.Command = []string{"sleep", "0.02"}
	done := make(chan *Result)
	go func() {
		r, _ := l.Run(context.Background(), job)
		done <- r
	}()
	eventually(t, "the first test runs", func() bool { return l.Stats().Running == 1 && l.pool.yieldsTo() > 0 })
	for range 5 {
		l.run(t, shell("true"))
	}
	select {
	case <-done:
		t.Error("the suite was over before others came")
	default:
	}
	if r := <-done; r == nil || r.Verdict != OK {
		t.Errorf("%+v", r)
	}
}

// What lies in directories that a policy or a job names can change: nothing that was
// built with them is kept.
func TestNamedDirectoriesAreNotTrusted(t *testing.T) {
	l := newLab(t)
	for range 2 {
		job := doubles(test("", "1", "2"))
		job.Policy = "dev"
		b, err := l.build(t.Context(), kindOf(t, l, "dev"), &buildSpec{files: job.Files, limits: granted(t, l, "dev").BuildLimits},
			&policy.Grant{Root: policy.Root{Kind: policy.RootHost, Dirs: []string{"/opt"}}, BuildLimits: granted(t, l, "dev").BuildLimits})
		if err != nil {
			t.Fatal(err)
		}
		if b.Cached {
			t.Error("it is kept")
		}
		b.Release()
	}
}

func granted(t testing.TB, l *lab, name string) *policy.Grant {
	t.Helper()
	g, err := l.config.Policies.Resolve(name, policy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func kindOf(t testing.TB, l *lab, name string) *kind {
	t.Helper()
	k, err := l.pool.kind(granted(t, l, name))
	if err != nil {
		t.Fatal(err)
	}
	l.pool.release(k)
	return k
}

// A sum of points stays a number.
func TestPointsAreBounded(t *testing.T) {
	most := 9e307
	s := summarize([]TestResult{{Points: &most}, {Points: &most}})
	if *s.Points != 1.7976931348623157e308 {
		t.Errorf("%g", *s.Points)
	}
}

// What a host does not count stays uncounted in the sum.
func TestUsageOfAll(t *testing.T) {
	var all Usage
	all.add(&Usage{CPUNanos: 1, PidsPeak: 3, ThrottledNanos: 5, IOReadBytes: -1, MemoryPeakBytes: 7})
	all.add(&Usage{CPUNanos: 2, PidsPeak: 2, ThrottledNanos: -1, IOReadBytes: 4, MemoryPeakBytes: 6})
	if all != (Usage{CPUNanos: 3, PidsPeak: 3, ThrottledNanos: -1, IOReadBytes: -1, MemoryPeakBytes: 7}) {
		t.Errorf("%+v", all)
	}
	all.add(&Usage{PidsPeak: -1})
	if all.PidsPeak != -1 {
		t.Errorf("%d processes, and nobody counted them", all.PidsPeak)
	}
}

// What is expected and no output can be is refused before it is read.
func TestExpectedIsBounded(t *testing.T) {
	l := newLab(t)
	long := &Expectation{Content{Data: make([]byte, 2<<10+expectedMore+1)}, judge.Comparison{Mode: judge.Trim}}
	just := &Expectation{Content{Data: append([]byte("x"), bytes.Repeat([]byte{'\n'}, 2<<10+expectedMore-1)...)}, judge.Comparison{Mode: judge.Trim}}
	for _, tests := range []bool{false, true} {
		for expect, field := range map[*Expectation]string{long: "expect", just: ""} {
			job := shell("echo x")
			job.Limits.OutputBytes = ptr[int64](1 << 10)
			job.Expect = expect
			if tests && field != "" {
				field = "tests[1].expect"
			}
			if tests {
				job.Expect, job.Tests = nil, []Test{{Name: "a"}, {Name: "b", Expect: expect}}
			}
			r, err := l.Run(t.Context(), job)
			var invalid *InvalidError
			if field == "" && (err != nil || r.Verdict != OK) || field != "" && (!errors.As(err, &invalid) || invalid.Field != field) {
				t.Errorf("tests %v: %v, %v; want %q", tests, r, err, field)
			}
		}
	}
}
