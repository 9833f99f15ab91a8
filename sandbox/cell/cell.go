package cell

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cell is one single-use sandbox: made, ready, run once, gone.
type Cell struct {
	server  *Server
	control *os.File
	pidfd   *os.File
	pid     int

	// Scratch is the root of the cell's writable filesystem, with the
	// directories work, tmp and shm. Listener reports calls that the filter
	// denied. Both are set by Ready; the caller closes Listener.
	Scratch, Listener *os.File
	// Network is the cell's network namespace. The caller may take it, setting the
	// field to nil; else it goes with the cell.
	Network *os.File

	pack atomic.Pointer[pack] // of the job, once it was given one
	dead chan struct{}

	endOnce, closeOnce sync.Once
}

func newCell(s *Server, control *os.File, pidfd, pid int) (*Cell, error) {
	err := failing(pointPollPidfd)
	var file *os.File
	if err != nil {
		unix.Close(pidfd)
	} else {
		file, err = pollable(pidfd, "pidfd")
	}
	if err != nil {
		control.Close()
		return nil, fmt.Errorf("pidfd: %w", err)
	}
	c := &Cell{server: s, control: control, pidfd: file, pid: pid, dead: make(chan struct{})}
	go c.awaitDeath()
	return c, nil
}

// awaitDeath closes dead when init, and with it every process of the cell, is gone.
func (c *Cell) awaitDeath() {
	defer close(c.dead)
	raw, err := c.pidfd.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool { return isOver(fd, 0) })
	if err != nil { // the runtime's poller cannot wait for it: a thread does
		_ = raw.Control(func(fd uintptr) {
			for !isOver(fd, -1) {
			}
		})
	}
}

// isOver says whether the process of a pidfd has ended, and waits for that so many
// milliseconds; -1: for ever.
func isOver(pidfd uintptr, wait int) bool {
	p := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, wait)
	return err == nil && n == 1
}

// Pid is the host pid of init.
func (c *Cell) Pid() int { return c.pid }

// Dead is closed when no process of the cell is left.
func (c *Cell) Dead() <-chan struct{} { return c.dead }

// Ready waits until the cell is warm: built, locked down, waiting for its job.
func (c *Cell) Ready() error {
	if err := c.control.SetReadDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	h, fds, err := receive(pointReceiveReady, c.control)
	if err == nil {
		err = c.control.SetReadDeadline(time.Time{})
	}
	if err == nil && h.kind == msgReady && h.failure() == nil && len(fds) == 2 {
		c.Scratch = os.NewFile(uintptr(fds[0]), "scratch")
		c.Listener = os.NewFile(uintptr(fds[1]), "listener")
		return nil
	}
	closeFDs(fds)
	if err != nil {
		return fmt.Errorf("cell ended while it was made: %w", err)
	}
	if f := h.failure(); f != nil {
		if f.Stage == StageMount {
			f.Detail = detail(c.server.template.Cell, f.Index)
		}
		return f
	}
	return fmt.Errorf("cell: message %d with %d descriptors instead of ready", h.kind, len(fds))
}

// Stdio are the job's descriptors 0, 1 and 2, and further ones by their numbers.
type Stdio struct {
	In, Out, Err *os.File
	Terminal     bool // the three are a terminal, which nobody has as yet
	Further      map[int]*os.File
	View         *os.File // where the job's process tells what it sees: see ViewSockets; nil: nobody wants to know
}

// The numbers that further descriptors can have.
const (
	FirstFurther = 3
	LastFurther  = FirstFurther + maxFurther - 1

	maxFurther = 16
)

// all of them in the order in which they are sent, and a bit for the number of each
// further one.
func (s *Stdio) all(pack *os.File) (files []*os.File, bits int64, err error) {
	files = append(make([]*os.File, 0, 4+len(s.Further)), pack, s.In, s.Out, s.Err)
	for _, number := range slices.Sorted(maps.Keys(s.Further)) {
		if number < FirstFurther || number > LastFurther {
			return nil, 0, fmt.Errorf("descriptor %d, from %d to %d is possible", number, FirstFurther, LastFurther)
		}
		files, bits = append(files, s.Further[number]), bits|1<<number
	}
	if s.View != nil {
		files = append(files, s.View)
	}
	return files, bits, nil
}

// Run gives the cell its one job. It returns when the order is sent, not when
// the program runs.
func (c *Cell) Run(p *Program, io Stdio) error {
	pack, err := newPack(p)
	if err != nil {
		return err
	}
	c.pack.Store(pack)
	files, bits, err := io.all(pack.file)
	if err != nil {
		return err
	}
	h := head{kind: msgRun, a: bits, b: pack.size}
	if io.Terminal {
		h.c = flagTerminal
	}
	if io.View != nil {
		h.c |= flagView
	}
	if err := send(pointSendJob, c.control, h.encode(make([]byte, 0, headSize)), files...); err != nil {
		return fmt.Errorf("send job to cell: %w", gone(err))
	}
	return nil
}

// ExecNanos is the CLOCK_MONOTONIC time at which the job's program was
// started, or 0 when it has not been yet.
func (c *Cell) ExecNanos() int64 {
	p := c.pack.Load()
	if p == nil {
		return 0
	}
	exec, _ := p.begun()
	return exec
}

// PlaceNanos is the CPU time that placing the job's files took; 0 until
// ExecNanos is known.
func (c *Cell) PlaceNanos() int64 {
	p := c.pack.Load()
	if p == nil {
		return 0
	}
	_, place := p.begun()
	return place
}

// Signal sends a signal to the process group of the job's main process, once Run has
// returned. What has ended takes none.
func (c *Cell) Signal(s syscall.Signal) error {
	h := head{kind: msgSignal, a: int64(s)}
	if _, err := c.control.Write(h.encode(make([]byte, 0, headSize))); err != nil {
		return fmt.Errorf("signal to cell: %w", gone(err))
	}
	return nil
}

// End is what init told about the job before it was gone.
type End struct {
	Failure  *Failure // the job never ran (StageExec: the kernel refused the program), or, at StageEnd, has no account
	Ended    bool     // the main process ended and Status is known
	Status   syscall.WaitStatus
	EndNanos int64 // CLOCK_MONOTONIC
	MaxRSS   int64 // of the main process, bytes
	Strays   int64 // processes still alive when the main one ended
	Complete bool  // init has told all that it had to tell
}

// Await reads what init tells until that is complete, or init is gone. The func ended is called once,
// when the main process has ended and only strays may be left.
func (c *Cell) Await(ended func()) (End, error) {
	var end End
	tell := sync.OnceFunc(ended)
	for {
		h, fds, err := receive(pointReceiveEnd, c.control)
		closeFDs(fds)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return end, nil
		case err != nil:
			return end, fmt.Errorf("read from cell: %w", err)
		case h.kind == msgFailed:
			end.Failure = h.failure()
			if end.Failure == nil {
				return end, fmt.Errorf("cell: a failure without a stage")
			}
			tell()
		case h.kind == msgEnded:
			end.Ended, end.Status, end.EndNanos, end.MaxRSS = true, syscall.WaitStatus(h.a), h.b, h.c
			end.Complete = h.index == noStrays
			tell()
		case h.kind == msgStrays:
			end.Strays, end.Complete = h.a, true
		default:
			return end, fmt.Errorf("cell: unexpected message %d", h.kind)
		}
		if end.Complete {
			return end, nil
		}
	}
}

// Kill ends every process of the cell at once: the kernel kills a pid namespace
// with its init, and nothing can be born in it any more (pid_namespaces(7)).
func (c *Cell) Kill() error {
	raw, err := c.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	sent := failing(pointKill)
	if sent != nil {
		return sent
	}
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) }); err != nil {
		return nil // closed: it is dead and collected
	}
	if sent == unix.ESRCH {
		return nil
	}
	return sent
}

// LetGo ends the cell as the daemon's own end would: init reads the end of its
// socket and exits. It is the way that is left when Kill has failed.
func (c *Cell) LetGo() { c.control.Close() }

// End kills the cell if it lives, and waits until nothing of it does.
func (c *Cell) End() {
	c.endOnce.Do(func() {
		_ = c.Kill() // the end of its socket ends it, too
		c.control.Close()
		<-c.dead
	})
}

// Close ends the cell and lets go of all that belongs to it.
func (c *Cell) Close() {
	c.End()
	c.closeOnce.Do(func() {
		c.pidfd.Close()
		if c.Scratch != nil {
			c.Scratch.Close()
		}
		if c.Listener != nil {
			c.Listener.Close()
		}
		if c.Network != nil {
			c.Network.Close()
		}
		if p := c.pack.Load(); p != nil {
			p.file.Close()
		}
	})
}
