package sandbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// Interactive is an input that is written while the program runs.
type Interactive struct {
	Terminal bool // descriptors 0, 1 and 2 are a terminal; else the input is a pipe
	Size     WindowSize
	// Began is given the way to the program as soon as it is started, from where it is
	// watched: it may not wait for anything.
	Began func(*Session)
}

// WindowSize is that of a terminal, in characters.
type WindowSize struct{ Rows, Cols uint16 }

// Session is the way to a program that runs. Its methods may be called concurrently; when
// the program has ended they fail with os.ErrClosed.
type Session struct {
	input    *os.File // the write end of a pipe, or the terminal's master
	terminal bool
	cell     *cell.Cell
}

// ErrTerminalInput: a terminal has no end of its input.
var ErrTerminalInput = errors.New("a terminal has no end of its input: send the byte 4 (^D), as a keyboard does")

// ErrNoTerminal: there is nothing that has a size.
var ErrNoTerminal = errors.New("the job has no terminal")

// Terminal says whether it is one.
func (s *Session) Terminal() bool { return s.terminal }

// Write gives the program input. It waits while the program does not read: what the kernel
// holds for it is bounded. syscall.EPIPE tells that the program has closed its input.
func (s *Session) Write(b []byte) (int, error) { return s.input.Write(b) }

// SetWriteDeadline ends a Write that waits, with os.ErrDeadlineExceeded.
func (s *Session) SetWriteDeadline(t time.Time) error { return s.input.SetWriteDeadline(t) }

// CloseInput has the program read the end of its input.
func (s *Session) CloseInput() error {
	if s.terminal {
		return ErrTerminalInput
	}
	return s.input.Close()
}

// Resize changes the terminal's size; the kernel tells the program in its foreground.
func (s *Session) Resize(size WindowSize) error {
	if !s.terminal {
		return ErrNoTerminal
	}
	return onFile(s.input, func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	})
}

// sendable are the signals that a client may send: those by which programs are asked to
// end, and stopped and continued.
var sendable = []syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGKILL, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM,
	unix.SIGCONT, unix.SIGSTOP, unix.SIGTSTP}

// Sendable are their names.
func Sendable() []string {
	var out []string
	for _, s := range sendable {
		out = append(out, strings.TrimPrefix(SignalName(s), "SIG"))
	}
	return out
}

// Signal sends one of Sendable. Those that a keyboard has go to the group in the terminal's
// foreground, where there is a terminal; all others to that of the job's main process.
func (s *Session) Signal(name string) error {
	number := unix.SignalNum("SIG" + name)
	if !slices.Contains(sendable, number) {
		return fmt.Errorf("signal %.20q given, allowed are %s", name, strings.Join(Sendable(), ", "))
	}
	if s.terminal && (number == unix.SIGINT || number == unix.SIGQUIT || number == unix.SIGTSTP) {
		return onFile(s.input, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCSIG, int(number)) })
	}
	return s.cell.Signal(number)
}

// onFile has a descriptor that stays open meanwhile, without a change of its mode.
func onFile(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return fmt.Errorf("%w: %w", os.ErrClosed, err)
	}
	return failed
}

// checkInteractive: one program, which runs once, and whose input is nothing else.
func (j *Job) checkInteractive() error {
	if j.Interactive == nil {
		return nil
	}
	for _, c := range []struct {
		given bool
		what  string
	}{{len(j.Tests) > 0, "tests"}, {j.Checker != nil, "a checker or an interactor"}, {len(j.Programs) > 0 || len(j.Pipes) > 0, "further programs"},
		{j.Measure != Measure{}, "measure"}, {j.Expect != nil, "expect"}, {j.Stdin.Size() > 0 || j.StdinFile != nil, "stdin"}} {
		if c.given {
			return &InvalidError{"interactive", "given together with " + c.what + "; a job has the one or the other"}
		}
	}
	if size := j.Interactive.Size; j.Interactive.Terminal && (size.Rows == 0 || size.Cols == 0) {
		return &InvalidError{"interactive", fmt.Sprintf("%d rows and %d cols given; a terminal has one of each at least", size.Rows, size.Cols)}
	}
	return nil
}

// talk is the daemon's side of an Interactive, while its program has a cell.
type talk struct {
	wanted  *Interactive
	session *Session
	theirs  *os.File // the program's end; nil when it has been handed over
}

// open makes the program's input, and gives it what it is to have as its descriptors.
func (t *talk) open(w *warm, user *cell.User) (stdin *os.File, err error) {
	t.close() // that of a cell which died while it waited
	t.session = &Session{terminal: t.wanted.Terminal, cell: w.cell}
	if !t.wanted.Terminal {
		ends, err := try(stepOpenInput, inputPipe)
		if err != nil {
			return nil, err
		}
		t.theirs, t.session.input = ends[0], ends[1]
		return t.theirs, w.own(w.owner(user), t.theirs)
	}
	ends, err := try(stepOpenTerminal, func() ([2]*os.File, error) { return openTerminal(w.owner(user), t.wanted.Size) })
	if err != nil {
		return nil, err
	}
	w.stdout.close()
	w.stdout = &stream{over: make(chan struct{}), done: make(chan struct{}), read: ends[1], theirs: ends[0]}
	t.session.input = ends[1]
	return ends[0], nil
}

// began tells that the program is there.
func (t *talk) began() {
	if t == nil {
		return
	}
	t.handedOver()
	if t.wanted.Began != nil {
		t.wanted.Began(t.session)
	}
}

func (t *talk) handedOver() {
	if t.theirs != nil {
		t.theirs.Close()
		t.theirs = nil
	}
}

func (t *talk) close() {
	if t == nil || t.session == nil {
		return
	}
	t.handedOver()
	if t.session.input != nil {
		t.session.input.Close()
	}
}

// inputPipe is the read end, for the job, and the write end. Only ours does not block.
func inputPipe() (ends [2]*os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return ends, os.NewSyscallError("pipe2", err)
	}
	if err := unix.SetNonblock(fds[1], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return ends, os.NewSyscallError("fcntl", err)
	}
	return [2]*os.File{os.NewFile(uintptr(fds[0]), "input"), os.NewFile(uintptr(fds[1]), "input")}, nil
}
