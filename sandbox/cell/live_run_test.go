package cell_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// live are the tests that need cells.
var live = []struct {
	name string
	run  func(*testing.T, *kit)
}{
	{"echo", testEcho},
	{"exits", testExits},
	{"exec-fails", testExecFails},
	{"path", testPath},
	{"stdio", testStdio},
	{"further-descriptors", testFurther},
	{"kill", testKill},
	{"hang-up", testHangUp},
	{"daemon-dies", testDaemonDies},
	{"strays", testStrays},
	{"single-use", testSingleUse},
	{"many-at-once", testManyAtOnce},
	{"no-leak", testNoLeak},
	{"files", testFiles},
	{"files-refused", testFilesRefused},
	{"stages", testStages},
	{"layer", testLayer},
	{"show", testShow},
	{"template-fails", testTemplateFails},
	{"protocol", testProtocol},
	{"state", testState},
	{"status", testStatus},
	{"attempts", testAttempts},
	{"filter", testFilter},
	{"namespaces", testNamespaces},
	{"ids", testIDs},
	{"network", testNetwork},
	{"signals", testSignals},
	{"mounts", testMounts},
	{"host-root", testHostRoot},
	{"writable-root", testWritableRoot},
}

func testEcho(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.open)
	if got := c.ExecNanos(); got != 0 {
		t.Errorf("before the job the time of its exec is %d", got)
	}
	var before unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
		t.Fatal(err)
	}
	r := begin(t, c, &cell.Program{Args: []string{"/bin/echo", "hello", "a b"}}, "").end(t)
	if r.out != "hello a b\n" || r.errs != "" || !r.Ended || r.Status != 0 || r.Failure != nil || r.Strays != 0 || r.ended != 1 {
		t.Errorf("%+v", r)
	}
	if exec := c.ExecNanos(); exec < before.Nano() || r.EndNanos <= exec {
		t.Errorf("ordered at %d, exec at %d, end at %d", before.Nano(), exec, r.EndNanos)
	}
	if r.MaxRSS < 64<<10 || r.MaxRSS > 1<<30 {
		t.Errorf("the largest resident set of echo is %d bytes", r.MaxRSS)
	}
}

func testExits(t *testing.T, k *kit) {
	if r := k.run(t, &cell.Program{Args: []string{"/bin/false"}}); !r.Ended || !r.Status.Exited() || r.Status.ExitStatus() != 1 {
		t.Errorf("false: %+v", r)
	}
	for _, code := range []int{0, 3, 127, 255} {
		if r := k.shell(t, fmt.Sprintf("exit %d", code)); !r.Ended || !r.Status.Exited() || r.Status.ExitStatus() != code || r.Failure != nil {
			t.Errorf("exit %d: %+v", code, r)
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGTERM, syscall.SIGPIPE} {
		if r := k.shell(t, fmt.Sprintf("kill -%d $$", s)); !r.Ended || !r.Status.Signaled() || r.Status.Signal() != s || r.Failure != nil {
			t.Errorf("%v: %+v", s, r)
		}
	}
}

// What the kernel refuses to execute is neither an exit status nor our fault.
func testExecFails(t *testing.T, k *kit) {
	entries := []cell.Entry{{Path: "plain", Mode: 0o644, Data: []byte("#!/bin/sh\n")}, {Path: "text", Mode: 0o755, Data: []byte("words\n")},
		{Path: "lost", Mode: 0o755, Data: []byte("#!/no/interpreter\n")}, {Path: "loop", Kind: cell.Symlink, Target: "loop"}}
	for _, c := range []struct {
		arg  string
		want syscall.Errno
	}{
		{"/no/such/program", unix.ENOENT}, {"no-such-program", unix.ENOENT}, {"./lost", unix.ENOENT}, {"./plain", unix.EACCES},
		{"/usr", unix.EACCES}, {"./text", unix.ENOEXEC}, {"./loop", unix.ELOOP}, {"./plain/x", unix.ENOTDIR},
		{"./" + strings.Repeat("x", 300), unix.ENAMETOOLONG},
	} {
		r := k.run(t, &cell.Program{Args: []string{c.arg}, Entries: entries})
		if r.Ended || r.Failure == nil || r.Failure.Stage != cell.StageExec || r.Failure.Errno != c.want || r.ended != 1 {
			t.Errorf("%.40s: %+v, %v; want %v", c.arg, r, r.Failure, c.want)
		}
	}
	r := k.run(t, &cell.Program{Args: []string{"/bin/echo", strings.Repeat("x", 200<<10)}}) // over MAX_ARG_STRLEN
	if r.Failure == nil || r.Failure.Stage != cell.StageExec || r.Failure.Errno != unix.E2BIG {
		t.Errorf("a huge argument: %+v, %v", r, r.Failure)
	}
}

// A plain name is looked up in the job's own PATH.
func testPath(t *testing.T, k *kit) {
	mine := []cell.Entry{{Path: "bin/echo", Mode: 0o755, Data: []byte("#!/bin/sh\necho mine\n")}, {Path: "no/echo", Mode: 0o644}}
	for path, want := range map[string]string{
		"/usr/bin:/bin": "x\n", "": "x\n", "/work/bin:/usr/bin": "mine\n", "/work/none:/work/bin": "mine\n", "::/work/bin:": "mine\n",
		"/work/no:/work/bin": "mine\n", "/work/no/echo:/work/bin": "mine\n",
	} {
		p := &cell.Program{Args: []string{"echo", "x"}, Env: []string{"PATH=" + path}, Entries: mine}
		if path == "" {
			p.Env = []string{"A=1"} // the default path
		}
		if r := k.run(t, p); r.out != want {
			t.Errorf("PATH=%s: %q, %v; want %q", path, r.out, r.Failure, want)
		}
	}
	r := k.run(t, &cell.Program{Args: []string{"echo"}, Env: []string{"PATH=/work/no:/work/none"}, Entries: mine})
	if r.Failure == nil || r.Failure.Errno != unix.EACCES {
		t.Errorf("found and refused: %+v, %v; want EACCES", r, r.Failure)
	}
}

// Further descriptors come under the numbers that they are to have, whatever they were
// before, and nothing else does.
func testFurther(t *testing.T, k *kit) {
	for name, numbers := range map[string][]int{"one": {3}, "far": {18}, "some": {4, 5, 9}, "all": {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}} {
		out, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		further, want, script := map[int]*os.File{}, "fds 0 1 2", ""
		for _, n := range numbers {
			further[n] = input(t, fmt.Appendf(nil, "this is %d\n", n))
			want += fmt.Sprintf(" %d", n)
			script += fmt.Sprintf("cat /proc/self/fd/%d; ", n)
		}
		c := k.warm(t, k.server, k.open)
		err = c.Run(&cell.Program{Args: []string{"/bin/sh", "-c", "./probe state | grep ^fds; " + script}, Env: []string{"PATH=/usr/bin:/bin"},
			Entries: []cell.Entry{{Path: "probe", Mode: 0o755, Data: k.probe}}},
			cell.Stdio{In: input(t, nil), Out: w, Err: w, Further: further})
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		end, err := c.Await(func() {})
		got, _ := io.ReadAll(out)
		out.Close()
		if err != nil || !end.Ended || end.Status != 0 {
			t.Errorf("%s: %+v, %v", name, end, err)
		}
		for _, n := range numbers {
			want += fmt.Sprintf("\nthis is %d", n)
		}
		if string(got) != want+"\n" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	null := input(t, nil)
	for _, n := range []int{-1, 0, 2, 19, 64} {
		if err := k.warm(t, k.server, k.open).Run(&cell.Program{Args: []string{"/bin/true"}}, cell.Stdio{In: null, Out: null, Err: null, Further: map[int]*os.File{n: null}}); err == nil {
			t.Errorf("descriptor %d was taken", n)
		}
	}
	// More than were told of, and fewer.
	for _, bits := range []int64{0, 1 << 3, 1<<3 | 1<<4 | 1<<5, 1 | 1<<3, 1<<3 | 1<<40, -1} {
		c := k.warm(t, k.server, k.open)
		if err := c.RunBits(bits, null, null, null, null, null, null); err != nil {
			t.Fatal(err)
		}
		end, err := c.Await(func() {})
		if err != nil || end.Failure == nil {
			t.Fatalf("%x: %+v, %v", bits, end, err)
		}
		wantFailure(t, fmt.Sprintf("numbers %x", bits), end.Failure, cell.StageProtocol, unix.EBADMSG)
		<-c.Dead()
	}
}

func testStdio(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.open)
	r := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", "cat; echo bad >&2; echo x 2>/dev/null >&0 || echo read-only"}}, "1 2\n").end(t)
	if r.out != "1 2\nread-only\n" || !strings.HasPrefix(r.errs, "bad\n") {
		t.Errorf("stdout %q, stderr %q", r.out, r.errs)
	}
	// Its streams are the job's alone: when it closes them, a reader has the end.
	c = k.warm(t, k.server, k.open)
	j := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", "exec >&- 2>&-; exec sleep 1000"}}, "")
	<-j.read
	<-j.read
	select {
	case <-c.Dead():
		t.Error("dead when it closed its streams")
	default:
	}
	if r := k.run(t, &cell.Program{Args: []string{"/bin/cat"}}); r.out != "" || r.Status != 0 {
		t.Errorf("empty input: %+v", r)
	}
}

// many cells of one server are asked for at once; each runs its own job.
func testManyAtOnce(t *testing.T, k *kit) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c, err := k.server.Cell(k.order(k.open))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if err := c.Ready(); err != nil {
				t.Error(err)
				return
			}
			r := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", fmt.Sprintf("echo %d >own; cat own; ls", i)}}, "").end(t)
			if want := fmt.Sprintf("%d\nown\n", i); r.out != want {
				t.Errorf("cell %d: %q, %v", i, r.out, r.Failure)
			}
		})
	}
	wg.Wait()
}

// A cell has one job. A second order ends it, and finds nobody afterwards.
func testSingleUse(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.open)
	j := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", "echo up; exec sleep 1000"}}, "")
	<-j.lines
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	again := &cell.Program{Args: []string{"/bin/echo", "again"}}
	if err := c.Run(again, cell.Stdio{In: null, Out: null, Err: null}); err != nil {
		t.Errorf("the order itself: %v", err)
	}
	if r := j.end(t); r.Ended || r.out != "up\n" {
		t.Errorf("after a second order: %+v", r)
	}
	if err := c.Run(again, cell.Stdio{In: null, Out: null, Err: null}); err == nil {
		t.Error("a dead cell took an order")
	}
	c.Close()
}
