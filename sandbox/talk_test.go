package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/policy"
)

// screen is what a program has printed so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shows waits until the program has printed a text.
func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !strings.Contains(s.String(), text) {
		if time.Now().After(deadline) {
			t.Fatalf("%q is not there: %q", text, s)
		}
		time.Sleep(time.Millisecond)
	}
}

// talking is a job that a test talks with.
type talked struct {
	screen
	*Session
	ended  chan struct{}
	result *Result
	err    error
}

func (l *lab) talk(t *testing.T, job *Job, terminal bool) *talked {
	t.Helper()
	began := make(chan *Session, 1)
	one := &talked{ended: make(chan struct{})}
	job.Stdout = &one.screen
	job.Interactive = &Interactive{Terminal: terminal, Size: WindowSize{24, 80}, Began: func(s *Session) { began <- s }}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(func() { cancel(); <-one.ended })
	go func() { defer close(one.ended); one.result, one.err = l.Run(ctx, job) }()
	select {
	case one.Session = <-began:
	case <-one.ended:
		t.Fatalf("%v: %+v", one.err, one.result)
	}
	return one
}

func (o *talked) types(t *testing.T, text string) {
	t.Helper()
	if _, err := o.Write([]byte(text)); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
}

// Write of talked is the session's, not the screen's.
func (o *talked) Write(b []byte) (int, error) { return o.Session.Write(b) }

func (o *talked) ends(t *testing.T, verdict Verdict) *Result {
	t.Helper()
	<-o.ended
	if o.err != nil {
		t.Fatal(o.err)
	}
	if o.result.Verdict != verdict {
		t.Fatalf("%s (%s), want %s: %q %q", o.result.Verdict, o.result.Message, verdict, o.result.Stdout, o.result.Stderr)
	}
	return o.result
}

func TestInputWhileItRuns(t *testing.T) {
	l := newLab(t)
	o := l.talk(t, shell("echo started; while read x; do echo got $x; done; echo over; test -p /dev/stdin && exec </dev/stdin && echo again"), false)
	o.shows(t, "started")
	o.types(t, "one\n")
	o.shows(t, "got one\n")
	o.types(t, "two\n")
	o.shows(t, "got two\n")
	if err := o.Resize(WindowSize{1, 1}); !errors.Is(err, ErrNoTerminal) {
		t.Error(err)
	}
	if err := o.CloseInput(); err != nil {
		t.Error(err)
	}
	if r := o.ends(t, OK); string(r.Stdout) != "started\ngot one\ngot two\nover\nagain\n" {
		t.Errorf("%q", r.Stdout)
	}
	if _, err := o.Write([]byte("late")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("written after the end: %v", err)
	}
}

// A program that closes its input breaks the pipe, and nothing else.
func TestInputThatTheProgramCloses(t *testing.T) {
	l := newLab(t)
	o := l.talk(t, shell("exec <&-; trap 'exit 7' USR1; echo closed; while :; do sleep 0.01; done"), false)
	o.shows(t, "closed")
	eventually(t, "EPIPE", func() bool { // init has the other end for a moment more
		_, err := o.Write([]byte("x"))
		return errors.Is(err, syscall.EPIPE)
	})
	if err := o.Signal("USR1"); err != nil {
		t.Error(err)
	}
	if r := o.ends(t, Nonzero); *r.ExitCode != 7 {
		t.Errorf("%d", *r.ExitCode)
	}
}

// What the program does not read is bounded by the kernel's pipe: who writes waits, and
// can be called back.
func TestInputThatIsNotRead(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		t.Run(fmt.Sprint("terminal ", terminal), func(t *testing.T) {
			l := newLab(t)
			o := l.talk(t, shell("stty raw -echo 2>/dev/null; echo started; sleep 1000"), terminal)
			o.shows(t, "started")
			taken := 0
			for chunk := []byte(strings.Repeat("x", 4096)); ; {
				if err := o.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				n, err := o.Write(chunk)
				if taken += n; err != nil {
					if !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatal(err)
					}
					break
				}
				if taken > 1<<20 {
					t.Fatalf("%d bytes are held for a program that reads none", taken)
				}
			}
			if err := o.Signal("KILL"); err != nil {
				t.Error(err)
			}
			if r := o.ends(t, Signaled); r.Signal != "SIGKILL" {
				t.Error(r.Signal)
			}
		})
	}
}

func TestTerminal(t *testing.T) {
	l := newLab(t)
	j := shell("exec sh -i")
	j.Env = []string{"PS1=> "}
	o := l.talk(t, j, true)
	o.shows(t, "> ")
	o.types(t, "test -t 0 && test -t 1 && test -t 2 && echo yes-$((1+1)) $TERM\n")
	o.shows(t, "yes-2 xterm-256color")
	o.types(t, "stty size\n")
	o.shows(t, "24 80\r\n")
	if err := o.Resize(WindowSize{40, 132}); err != nil {
		t.Fatal(err)
	}
	o.types(t, "stty size\n")
	o.shows(t, "40 132\r\n")
	o.types(t, "case $(stty -a) in *' iutf8'*) echo letters-$((2+1));; esac\n")
	o.shows(t, "letters-3\r\n")
	// What has begun has the foreground: the keyboard's interrupt is for it, and so is a signal.
	for i, interrupt := range []func() error{func() error { o.types(t, "\x03"); return nil }, func() error { return o.Signal("INT") }} {
		before := len(o.String())
		o.types(t, fmt.Sprintf("sh -c 'echo be\"\"gun-%d; exec sleep 1000'\n", i))
		o.shows(t, fmt.Sprintf("begun-%d\r\n", i))
		if err := interrupt(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the prompt comes again", func() bool { return strings.HasSuffix(o.String()[before:], "> ") })
	}
	if err := o.CloseInput(); !errors.Is(err, ErrTerminalInput) {
		t.Error(err)
	}
	o.types(t, "exit 3\n")
	r := o.ends(t, Nonzero)
	if *r.ExitCode != 3 || string(r.Stdout) != o.String() || len(r.Stderr) != 0 {
		t.Errorf("%d, %d bytes of %d, stderr %q", *r.ExitCode, len(r.Stdout), len(o.String()), r.Stderr)
	}
	for _, limit := range r.Limits {
		if limit.Name == "output_bytes" && limit.EnforcedBy != "capped terminal" {
			t.Errorf("%+v", limit)
		}
	}
}

// What is printed last is not lost, although the kernel hangs up a terminal when the
// leader of its session ends.
func TestTerminalLosesNothing(t *testing.T) {
	l := newLab(t)
	for range 20 {
		o := l.talk(t, shell("stty raw; head -c 12000 /dev/zero | tr '\\0' x; printf end"), true)
		if r := o.ends(t, OK); len(r.Stdout) != 12003 || !bytes.HasSuffix(r.Stdout, []byte("xend")) {
			t.Fatalf("%d bytes of 12003", len(r.Stdout))
		}
	}
}

// late is a reader who does nothing for a while with the first that comes.
type late struct {
	screen
	wait  time.Duration
	first sync.Once
	then  func()
}

func (s *late) Write(b []byte) (int, error) {
	s.first.Do(func() { time.Sleep(s.wait); s.then() })
	return s.screen.Write(b)
}

// Nor is it when a limit, or somebody, ends the job before it was read: init, which leads the
// session, is there until then. Only a program that leaves its group takes it along.
func TestKilledTerminalLosesNothing(t *testing.T) {
	l := newLab(t)
	moment := 400 * time.Millisecond
	if os.Getenv("CORDON_TEST_SLOW") != "" {
		moment *= 4
	}
	wall := policy.LimitRequest{WallMillis: ptr(moment.Milliseconds())}
	for name, c := range map[string]struct {
		program string
		limit   policy.LimitRequest
		verdict Verdict
	}{
		"cpu":              {"while :; do :; done", policy.LimitRequest{CPUMillis: ptr(moment.Milliseconds())}, CPULimit},
		"wall":             {"exec sleep 1000", wall, WallLimit},
		"wall with others": {"trap '' HUP; sleep 1000 & setsid sleep 1000 & sleep 1000", wall, WallLimit},
		"in another group": {"exec perl -e 'setpgrp(0, getppid); sleep 1000'", wall, WallLimit},
		"cancelled":        {"exec sleep 1000", policy.LimitRequest{}, Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaves := strings.Contains(c.program, "setpgrp")
			for try := 1; !l.killedAtATerminal(t, c.program, c.limit, c.verdict, moment, leaves); try++ {
				if leaves { // as it has to be
					return
				}
				if try == 4 { // a machine that is very busy ends the cell with the program
					t.Fatal("init never lives until all was read")
				}
			}
			if leaves {
				t.Error("init lives, though the program has left its group")
			}
		})
	}
}

// killedAtATerminal runs a program that prints before it is killed, for a reader who comes
// after that, and says whether init was still there then.
func (l *lab) killedAtATerminal(t *testing.T, program string, limit policy.LimitRequest, verdict Verdict, moment time.Duration, leaves bool) bool {
	t.Helper()
	var init atomic.Int64
	var lives atomic.Bool
	out := &late{wait: 3 * moment, then: func() { lives.Store(syscall.Kill(int(init.Load()), 0) == nil) }}
	j := limited(shell("stty raw; printf first; head -c 8000 /dev/zero | tr '\\0' x; "+program), limit) // nearly what a terminal holds
	j.Stdout = out
	j.Interactive = &Interactive{Terminal: true, Size: WindowSize{24, 80}, Began: func(s *Session) { init.Store(int64(s.cell.Pid())) }}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if verdict == Cancelled {
		time.AfterFunc(moment, cancel)
	}
	r, err := l.Run(ctx, &j)
	if err != nil || r.Verdict != verdict || r.Signal != "SIGKILL" {
		t.Fatalf("%v: %s %s %s", err, r.Verdict, r.Message, r.Signal)
	}
	if want := "first" + strings.Repeat("x", 8000); lives.Load() && !leaves && (string(r.Stdout) != want || out.String() != want) {
		t.Errorf("%d bytes of %d", len(r.Stdout), len(want))
	}
	return lives.Load()
}

func TestFloodOfATerminal(t *testing.T) {
	l := newLab(t)
	j := limited(shell("stty raw; cat /dev/zero"), policy.LimitRequest{OutputBytes: ptr[int64](100_000)})
	o := l.talk(t, &j, true)
	if r := o.ends(t, OutputLimit); len(r.Stdout) != 100_000 || !r.StdoutTruncated {
		t.Errorf("%d bytes, truncated %t", len(r.Stdout), r.StdoutTruncated)
	}
}

// What is left of a job holds neither its terminal nor its account.
func TestTerminalWithStrays(t *testing.T) {
	l := newLab(t)
	o := l.talk(t, shell("trap '' HUP; sleep 1000 & sleep 1000 & echo done"), true)
	if r := o.ends(t, OK); r.Events.StrayKilled != 2 || string(r.Stdout) != "done\r\n" {
		t.Errorf("%d, %q", r.Events.StrayKilled, r.Stdout)
	}
	o = l.talk(t, shell("trap '' HUP TERM; exec >/dev/null 2>&1 </dev/null; sleep 0.05; exit 4"), true)
	if r := o.ends(t, Nonzero); *r.ExitCode != 4 {
		t.Errorf("%+v", r)
	}
}

// The job's own process is in a session with a terminal, in the foreground, and its
// terminal is the only one there is: of the host's it cannot open any.
func TestTerminalIsItsOwn(t *testing.T) {
	t.Run("range", func(t *testing.T) { testTerminalIsItsOwn(t, newLab(t)) })
	t.Run("single id", func(t *testing.T) { testTerminalIsItsOwn(t, newLab(t, withoutIDs)) })
}

func testTerminalIsItsOwn(t *testing.T, l *lab) {
	o := l.talk(t, shell(`read pid comm state ppid group session tty fore rest < /proc/self/stat
test $group = $fore && test $session = 1 && test $tty != 0 && echo foreground
ls /dev | tr '\n' ' '
for f in /dev/ptmx /dev/pts/ptmx /dev/pts/0 /dev/tty /dev/console; do (: <> $f) 2>/dev/null && echo open $f; done
grep -c devpts /proc/self/mounts
ls -A /proc/self/fd/0/ 2>/dev/null; (: <> /proc/self/fd/0/../ptmx) 2>/dev/null && echo open ptmx
stat -Lc '%u %g %a' /dev/stdin; (: <> /dev/stdin) && echo by name`), true)
	r := o.ends(t, OK)
	want := "foreground\r\nfd full null random shm stderr stdin stdout urandom zero 0\r\n1000 1000 600\r\nby name\r\n"
	if string(r.Stdout) != want {
		t.Errorf("%q, want %q", r.Stdout, want)
	}
	plain := l.output(t, shell("ls /dev | tr '\\n' ' '; grep -c devpts /proc/self/mounts; read a b c d e f tty rest < /proc/self/stat; echo $tty"))
	if !strings.HasSuffix(plain, "0\n0\n") || !strings.HasPrefix(want, "foreground\r\n"+strings.TrimSuffix(plain, "0\n0\n")) {
		t.Errorf("another job: %q", plain)
	}
}

// hostile are requests by which a terminal's other side could be attacked, and what the
// kernel answers to them at a terminal where no filter is: the control.
var hostile = []struct {
	name    string
	request uintptr
}{{"TIOCSTI", unix.TIOCSTI}, {"TIOCSTI with the upper half set", unix.TIOCSTI | 1<<32}, {"TIOCLINUX", unix.TIOCLINUX}, {"TIOCSETD", unix.TIOCSETD}, {"TIOCCONS", unix.TIOCCONS},
	{"TIOCGPTPEER", unix.TIOCGPTPEER}, {"TIOCVHANGUP", unix.TIOCVHANGUP}}

func TestHostileRequestsAtATerminal(t *testing.T) {
	ends, err := openTerminal(0, WindowSize{24, 80})
	if err != nil {
		t.Fatal(err)
	}
	defer ends[0].Close()
	defer ends[1].Close()
	const nTTY = 0 // everybody's own line discipline
	free := map[string]syscall.Errno{}
	for _, h := range hostile {
		if err := onFile(ends[0], func(fd int) error {
			var errno syscall.Errno
			errors.As(unix.IoctlSetPointerInt(fd, uint(h.request), nTTY), &errno)
			free[h.name] = errno
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if errno := free["TIOCSETD"]; errno != 0 {
		t.Fatalf("control: TIOCSETD at a terminal without a filter: %v", errno)
	}
	for _, name := range []string{"TIOCSTI", "TIOCCONS", "TIOCVHANGUP"} { // whatever rights they want, the kernel knows them
		if free[name] == unix.ENOTTY {
			t.Fatalf("control: %s is not known at a terminal", name)
		}
	}
	l := newLab(t)
	script := "import fcntl, ctypes\nc = ctypes.CDLL(None, use_errno=True)\nline = ctypes.create_string_buffer(8)\n"
	for _, h := range hostile {
		script += fmt.Sprintf("r = c.ioctl(0, ctypes.c_ulong(%d), line); print('%s', r, ctypes.get_errno())\n", h.request, h.name)
	}
	j := shell("")
	j.Command = []string{"python3", "-c", script + "c.ioctl(0, ctypes.c_ulong(0x5401), ctypes.create_string_buffer(100)) == 0 and print('TCGETS')"}
	o := l.talk(t, j, true)
	r := o.ends(t, OK)
	want := ""
	for _, h := range hostile {
		want += fmt.Sprintf("%s -1 %d\r\n", h.name, int(unix.ENOTTY))
	}
	if want += "TCGETS\r\n"; string(r.Stdout) != want {
		t.Errorf("%q, want %q", r.Stdout, want)
	}
	denied := map[string]int64{}
	for _, d := range r.Events.DeniedSyscalls {
		denied[d.Name] = d.Count
	}
	for _, h := range hostile {
		if name := fmt.Sprintf("ioctl (request 0x%x)", uint32(h.request)); denied[name] == 0 {
			t.Errorf("%s is not told of: %v", name, denied)
		}
	}
}

func TestInteractiveWithOthers(t *testing.T) {
	l := newLab(t)
	for name, change := range map[string]func(*Job){
		"stdin":      func(j *Job) { j.Stdin = text("x") },
		"tests":      func(j *Job) { j.Tests = []Test{{}} },
		"measure":    func(j *Job) { j.Measure.Repeat = 2 },
		"expect":     func(j *Job) { j.Expect = &Expectation{} },
		"0 rows":     func(j *Job) { j.Interactive.Terminal = true },
		"programs":   func(j *Job) { j.Programs = []Program{sh("a", "cat")} },
		"interactor": func(j *Job) { j.Checker = &Checker{Interactive: true} },
	} {
		j := shell("exit")
		j.Interactive = &Interactive{}
		change(j)
		var invalid *InvalidError
		if _, err := l.Run(context.Background(), j); !errors.As(err, &invalid) || invalid.Field != "interactive" || !strings.Contains(invalid.Detail, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	j := shell("exit")
	j.Policy, j.Interactive = "judge", &Interactive{}
	var denied *policy.DeniedError
	if _, err := l.Run(context.Background(), j); !errors.As(err, &denied) {
		t.Errorf("judge: %v", err)
	}
}

func TestSignalsThatCannotBeSent(t *testing.T) {
	for _, name := range []string{"", "SEGV", "SIGINT", "9", "WINCH", strings.Repeat("X", 1000)} {
		if err := (&Session{}).Signal(name); err == nil || len(err.Error()) > 200 {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Warm cells serve jobs with a terminal, and nothing of these is left.
func TestTerminalsLeaveNothing(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 2 })
	run := func(n int) {
		for i := range n {
			o := l.talk(t, shell("cat; echo end"), i%2 == 0)
			if i%2 == 0 {
				o.types(t, "x\n\x04")
			} else if err := o.CloseInput(); err != nil {
				t.Fatal(err)
			}
			o.ends(t, OK)
		}
	}
	run(4)
	l.pool.clearing.waitAll()
	settled := func() int {
		eventually(t, "cells are warm", func() bool { return l.Stats().WarmCells == 2 })
		return l.descriptors(t)
	}
	before := settled()
	run(20)
	l.pool.clearing.waitAll()
	now := 0
	eventually(t, "nothing is left", func() bool { now = settled(); return now <= before+2 })
}
