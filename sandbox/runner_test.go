package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cordon/policy"
)

// endings are programs and what must be said of them.
var endings = []struct {
	name    string
	job     Job
	verdict Verdict
	check   func(*testing.T, *Result)
}{
	{"ok", Job{Command: []string{"echo", "hello"}}, OK, func(t *testing.T, r *Result) {
		if string(r.Stdout) != "hello\n" || *r.ExitCode != 0 || r.Signal != "" || r.Message != "" {
			t.Errorf("%q, exit %d, signal %q, message %q", r.Stdout, *r.ExitCode, r.Signal, r.Message)
		}
	}},
	{"stdin", Job{Command: []string{"cat"}, Stdin: text("a\x00b")}, OK, func(t *testing.T, r *Result) {
		if string(r.Stdout) != "a\x00b" {
			t.Errorf("%q", r.Stdout)
		}
	}},
	{"nonzero", *shell("echo wrong >&2; exit 3"), Nonzero, func(t *testing.T, r *Result) {
		if *r.ExitCode != 3 || string(r.Stderr) != "wrong\n" || r.Message != "exit code 3" {
			t.Errorf("exit %d, %q, %q", *r.ExitCode, r.Stderr, r.Message)
		}
	}},
	{"signaled", *shell("kill -SEGV $$"), Signaled, func(t *testing.T, r *Result) {
		if r.ExitCode != nil || r.Signal != "SIGSEGV" {
			t.Errorf("exit %v, signal %q", r.ExitCode, r.Signal)
		}
	}},
	// What a program does to itself is never taken for a limit.
	{"its own SIGKILL", *shell("kill -KILL $$"), Signaled, nil},
	{"its own SIGXCPU", *shell("kill -XCPU $$"), Signaled, nil},
	{"exit 137", *shell("exit 137"), Nonzero, nil},
	{"exit 152", *shell("exit 152"), Nonzero, nil},
	{"exit 127", *shell("exit 127"), Nonzero, nil},

	{"no such program", Job{Command: []string{"./nothing"}}, ExecFailed, errnoNamed("ENOENT")},
	{"no such name", Job{Command: []string{"no-such-program"}}, ExecFailed, errnoNamed("ENOENT")},
	{"not executable", Job{Command: []string{"./x"}, Files: []File{{Path: "x", Mode: 0o644}}}, ExecFailed, errnoNamed("EACCES")},
	{"a directory", Job{Command: []string{"/usr"}}, ExecFailed, errnoNamed("EACCES")},
	{"no known format", Job{Command: []string{"./x"}, Files: []File{{Path: "x", Mode: 0o755, Data: []byte("text\n")}}}, ExecFailed, errnoNamed("ENOEXEC")},

	{"memory", Job{Command: []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=192M", "count=1"},
		Limits: policy.LimitRequest{MemoryBytes: ptr[int64](48 << 20)}}, MemoryLimit, func(t *testing.T, r *Result) {
		if r.Events.OOMKill == 0 {
			t.Error("no oom_kill")
		}
	}},
	{"CPU time", limited(shell("while :; do :; done"), policy.LimitRequest{CPUMillis: ptr[int64](200)}), CPULimit, func(t *testing.T, r *Result) {
		if r.Usage.CPUNanos < 200e6 {
			t.Errorf("ended after %d ns of CPU time", r.Usage.CPUNanos)
		}
	}},
	{"CPU time of two", limited(shell("while :; do :; done & while :; do :; done"), policy.LimitRequest{CPUMillis: ptr[int64](200)}), CPULimit, nil},
	{"wall time", limited(shell("sleep 1000"), policy.LimitRequest{WallMillis: ptr[int64](300)}), WallLimit, func(t *testing.T, r *Result) {
		if r.Usage.WallNanos < 300e6 {
			t.Errorf("ended after %d ns", r.Usage.WallNanos)
		}
	}},
	{"stdout", limited(shell("yes"), policy.LimitRequest{OutputBytes: ptr[int64](1001)}), OutputLimit, func(t *testing.T, r *Result) {
		if want := strings.Repeat("y\n", 501)[:1001]; string(r.Stdout) != want || !r.StdoutTruncated || r.StderrTruncated {
			t.Errorf("%d bytes, truncated %t %t", len(r.Stdout), r.StdoutTruncated, r.StderrTruncated)
		}
	}},
	{"stderr", limited(shell("yes >&2"), policy.LimitRequest{OutputBytes: ptr[int64](1)}), OutputLimit, func(t *testing.T, r *Result) {
		if string(r.Stderr) != "y" || r.StdoutTruncated || !r.StderrTruncated {
			t.Errorf("%q, truncated %t %t", r.Stderr, r.StdoutTruncated, r.StderrTruncated)
		}
	}},
	{"output at its limit", limited(shell("printf 12345"), policy.LimitRequest{OutputBytes: ptr[int64](5)}), OK, nil},
	{"a full disk is the program's affair", limited(shell("dd if=/dev/zero of=x bs=1M count=2 2>/dev/null"), policy.LimitRequest{DiskBytes: ptr[int64](1 << 20)}), Nonzero, nil},

	{"strays", *shell("sleep 1000 & sleep 1000 & exit 0"), OK, func(t *testing.T, r *Result) {
		if r.Events.StrayKilled != 2 {
			t.Errorf("%d strays, want 2", r.Events.StrayKilled)
		}
	}},
	{"build", Job{Build: []string{"/bin/sh", "-c", "echo made > made; chmod 700 .; mkdir -p d/e; ln -s made d/link"},
		Command: []string{"/bin/sh", "-c", "cat made; readlink d/link"}}, OK, func(t *testing.T, r *Result) {
		if string(r.Stdout) != "made\nmade\n" || r.Build == nil || r.Build.Verdict != OK {
			t.Errorf("%q, build %+v", r.Stdout, r.Build)
		}
	}},
	{"build ends badly", Job{Build: []string{"/bin/sh", "-c", "echo line 1: wrong >&2; exit 2"}, Command: []string{"true"}}, BuildFailed, func(t *testing.T, r *Result) {
		if r.Build == nil || r.Build.Verdict != Nonzero || string(r.Stderr) != "line 1: wrong\n" || *r.ExitCode != 2 {
			t.Errorf("%+v, build %+v", r.Step, r.Build)
		}
	}},
	{"build leaves too much", Job{Build: []string{"dd", "if=/dev/zero", "of=x", "bs=1M", "count=2"}, Command: []string{"true"},
		Limits: policy.LimitRequest{DiskBytes: ptr[int64](1 << 20)}}, BuildFailed, func(t *testing.T, r *Result) {
		if r.Build == nil || r.Build.Verdict != OutputLimit || !strings.Contains(r.Message, "disk_bytes") {
			t.Errorf("%q, build %+v", r.Message, r.Build)
		}
	}},
	// Names that no path can hold any more once they are put together.
	{"build leaves too deep a tree", Job{Build: []string{"/bin/sh", "-c",
		`n=$(printf %0200d 0); i=0; while [ $i -lt 30 ]; do mkdir $n && cd -P $n || exit 9; i=$((i+1)); done`}, Command: []string{"true"}},
		BuildFailed, func(t *testing.T, r *Result) {
			if r.Build == nil || r.Build.Verdict != OutputLimit {
				t.Errorf("%q, build %+v", r.Message, r.Build)
			}
		}},
}

func limited(j *Job, l policy.LimitRequest) Job {
	j.Limits = l
	return *j
}

// errnoNamed: the message says which program and why.
func errnoNamed(name string) func(*testing.T, *Result) {
	return func(t *testing.T, r *Result) {
		if !strings.Contains(r.Message, "("+name+")") || r.ExitCode != nil || r.Signal != "" || r.Usage.WallNanos < 0 {
			t.Errorf("%q, exit %v, signal %q, wall %d", r.Message, r.ExitCode, r.Signal, r.Usage.WallNanos)
		}
	}
}

func TestEndings(t *testing.T) {
	l := newLab(t)
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			job := e.job
			job.ID, job.Policy = e.name, "default"
			r := l.run(t, &job)
			if r.Verdict != e.verdict {
				t.Fatalf("%s (%s), want %s\n%s%s", r.Verdict, r.Message, e.verdict, r.Stdout, r.Stderr)
			}
			if (r.Message == "") != (r.Verdict == OK) {
				t.Errorf("message %q with %s", r.Message, r.Verdict)
			}
			if r.ID != e.name || r.Policy != "default" || r.Isolation != "subuid" {
				t.Errorf("id %q, policy %q, isolation %q", r.ID, r.Policy, r.Isolation)
			}
			if e.check != nil {
				e.check(t, r)
			}
		})
	}
}

// A verdict that our side brings about.
func TestStopped(t *testing.T) {
	for _, step := range []string{"run", "build"} {
		for _, test := range []struct {
			verdict Verdict
			stop    func(*lab, context.CancelFunc)
		}{
			{Interrupted, func(l *lab, _ context.CancelFunc) { l.Close() }},
			{Cancelled, func(_ *lab, cancel context.CancelFunc) { cancel() }},
		} {
			t.Run(step+" "+string(test.verdict), func(t *testing.T) {
				l := newLab(t)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				started := newSignal()
				job := shell("echo here; sleep 1000")
				job.Stdout = started
				if step == "build" { // has no tee: the runner's own numbers tell
					job.Build, job.Command = job.Command, []string{"true"}
				}
				done := make(chan *Result, 1)
				go func() {
					r, err := l.Run(ctx, job)
					if err != nil {
						t.Error(err)
					}
					done <- r
				}()
				if step == "build" {
					eventually(t, "a running job", func() bool { return l.Stats().Running == 1 })
				} else {
					started.wait(t)
				}
				test.stop(l, cancel)
				if r := <-done; r == nil || r.Verdict != test.verdict || r.Message == "" {
					t.Errorf("%+v, want %s", r, test.verdict)
				}
			})
		}
	}
}

func TestRefusedAfterClose(t *testing.T) {
	l := newLab(t)
	l.Close()
	l.Close()
	if _, err := l.Run(t.Context(), shell("true")); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("%v, want ErrShuttingDown", err)
	}
	if err := l.Prepare("default"); !errors.Is(err, ErrShuttingDown) {
		t.Errorf("Prepare: %v, want ErrShuttingDown", err)
	}
}

// Whoever waits for a slot and gives up, or is told that the service ends, has
// no job and no Result.
func TestWaitingForASlot(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel = 1 })
	started := newSignal()
	job := shell("echo here; sleep 1000")
	job.Stdout = started
	first := make(chan *Result, 1)
	go func() { r, _ := l.Run(context.Background(), job); first <- r }()
	started.wait(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if r, err := l.Run(ctx, shell("true")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v; want the context's error", r, err)
	}
	waiting := make(chan error, 1)
	go func() { _, err := l.Run(context.Background(), shell("true")); waiting <- err }()
	l.Close()
	if r := <-first; r.Verdict != Interrupted {
		t.Errorf("%s, want interrupted", r.Verdict)
	}
	if err := <-waiting; !errors.Is(err, ErrShuttingDown) {
		t.Errorf("%v, want ErrShuttingDown", err)
	}
}

func TestInvalidJobs(t *testing.T) {
	l := newLab(t)
	for name, job := range map[string]*Job{
		"no command":                {Policy: "default"},
		"path out of /work":         {Policy: "default", Command: []string{"true"}, Files: []File{{Path: "../x"}}},
		"the same path twice":       {Policy: "default", Command: []string{"true"}, Files: []File{{Path: "x"}, {Path: "x"}}},
		"a file below a file":       {Policy: "default", Command: []string{"true"}, Files: []File{{Path: "x"}, {Path: "x/y"}}},
		"a file over a directory":   {Policy: "default", Command: []string{"true"}, Files: []File{{Path: "x/y"}, {Path: "x"}}},
		"a file below a link":       {Policy: "default", Command: []string{"true"}, Files: []File{{Path: "x", Mode: modeLink, Target: "/tmp"}, {Path: "x/y"}}},
		"more directories than fit": {Policy: "default", Command: []string{"true"}, Files: []File{{Path: strings.Repeat("d/", 100) + "x"}}, Limits: policy.LimitRequest{DiskFiles: ptr[int64](50)}},
		"a directory with no files of its own": {Policy: "default", Command: []string{"true"}, Build: []string{"true"},
			Files: []File{{Path: strings.Repeat("d/", 100) + "x"}}, BuildLimits: policy.LimitRequest{DiskFiles: ptr[int64](50)}},
	} {
		if r, err := l.Run(t.Context(), job); !errors.Is(err, ErrInvalidJob) {
			t.Errorf("%s: %+v, %v; want ErrInvalidJob", name, r, err)
		}
	}
	if r, err := l.Run(t.Context(), limitedPtr(shell("true"), policy.LimitRequest{CPUMillis: ptr[int64](1 << 40)})); !errors.Is(err, policy.ErrDenied) {
		t.Errorf("more than the policy: %+v, %v", r, err)
	}
}

func limitedPtr(j *Job, l policy.LimitRequest) *Job {
	j.Limits = l
	return j
}
