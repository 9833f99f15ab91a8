package sandbox

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// joint is a pipe between two programs, by their indices. The kernel carries the bytes:
// nothing of ours is on their way, but where a relay was asked for.
type joint struct {
	from, to       int
	fromFD, toFD   int
	write, read    *os.File // the ends that the programs get; nil when they have been handed over
	held           *os.File // what the reader has, too: the writer does not notice its end
	kept           *os.File // what the writer has, too: the reader does not notice its end; nil: it does
	relay          *relay   // nil: none
	hungUp, unread bool
	before         glimpse
}

// join makes the pipe. silent: nobody shall notice the writer's end before it was looked at.
func (j *joint) join(silent bool) (err error) {
	if j.relay == nil {
		j.read, j.write, err = kernelPipe(neither)
	} else if j.relay.read, j.write, err = kernelPipe(reading); err == nil {
		// The writer writes to the first pipe, the relay from that into the second.
		j.read, j.relay.write, err = kernelPipe(writing)
	}
	if err != nil {
		return err
	}
	if j.held, err = twin(j.read); err == nil && silent {
		j.kept, err = twin(j.write)
	}
	return err
}

// Which end of a pipe is our own.
const (
	neither = -1
	reading = 0
	writing = 1
)

// kernelPipe is an anonymous one that programs can open by name, as /dev/stdin and
// /dev/stdout, each with an id of its own. For our own end the runtime waits.
func kernelPipe(own int) (read, write *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if err = os.NewSyscallError("fchmod", unix.Fchmod(fds[0], 0o666)); err == nil && own != neither {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(fds[own], true))
	}
	read, write = os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe")
	if err != nil {
		read.Close()
		write.Close()
		return nil, nil, err
	}
	return read, write, nil
}

func twin(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "pipe"), nil
}

// close lets go of all that is ours of it.
func (j *joint) close() {
	for _, f := range []*os.File{j.write, j.read, j.held, j.kept} {
		if f != nil {
			f.Close()
		}
	}
	j.write, j.read, j.held, j.kept = nil, nil, nil, nil
	if j.relay != nil {
		j.relay.close()
	}
}

// witness finds out which of two joined programs came to its end first, where the end of
// one makes that of the other. It holds what the others would notice of a program's end: its
// reading ends, and the writing ends of an interactor. What it sees is told before
// they can.
type witness struct {
	mu      sync.Mutex
	joints  []*joint
	after   time.Duration // from the first start to the glimpse
	timer   *time.Timer   // nil: no program has been started
	glimpse int64         // when it was, monotonic ns; 0: not yet
	closed  bool
}

// join makes all pipes. silent is the program whose end of writing is not noticed before
// it has ended; -1: each is.
func (w *witness) join(silent int) error {
	for _, j := range w.joints {
		if err := j.join(j.from == silent); err != nil {
			w.close()
			return err
		}
	}
	for _, j := range w.joints {
		if j.relay != nil {
			j.relay.start()
		}
	}
	return nil
}

func (w *witness) close() {
	w.mu.Lock()
	if w.closed = true; w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock() // a glimpse that had begun is over
	for _, j := range w.joints {
		j.close()
	}
}

// ends are what a program gets of the pipes.
func (w *witness) ends(program int) *ends {
	e := &ends{further: map[int]*os.File{}, given: w.begin}
	for _, j := range w.joints {
		switch {
		case j.from == program && j.fromFD == 1:
			e.out, j.write = j.write, nil
		case j.from == program:
			e.further[j.fromFD], j.write = j.write, nil
		case j.to == program && j.toFD == 0:
			e.in, j.read = j.read, nil
		case j.to == program:
			e.further[j.toFD], j.read = j.read, nil
		}
		if j.from == program && j.relay != nil {
			e.over = j.relay.overflow.over
		}
	}
	return e
}

// begin is called for each program that is started; the first counts: its time is over first.
func (w *witness) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil && !w.closed {
		w.timer = time.AfterFunc(w.after, w.peek)
	}
}

// peek takes the glimpse, of all pipes at once.
func (w *witness) peek() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for _, j := range w.joints {
		if j.before.closed = true; j.held != nil {
			j.before.closed, j.before.unread = polled(j.held)
		}
	}
	w.glimpse = monotonic()
}

// look is called when a program has ended: it sees which of those that wrote to it had
// ended by then, and lets the others notice.
func (w *witness) look(program int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.joints {
		if j.to == program {
			j.hungUp, j.unread = polled(j.held)
		}
	}
	for _, j := range w.joints {
		if j.to == program && j.held != nil {
			j.held.Close()
			j.held = nil
			if j.relay != nil {
				j.relay.unheard()
			}
		}
		if j.from == program && j.kept != nil {
			j.kept.Close()
			j.kept = nil
		}
	}
}

// leaving: the program has closed something that another one reads: it is at its end, and
// about to tell how.
func (w *witness) leaving(program int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.joints {
		if j.from != program {
			continue
		}
		gone := j.hungUp
		if j.held != nil {
			gone, _ = polled(j.held)
		}
		if gone {
			return true
		}
	}
	return false
}

// polled asks the reading end of a pipe. What cannot be asked is taken for open and empty.
func polled(read *os.File) (hungUp, unread bool) {
	p := []unix.PollFd{{Fd: int32(read.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(p, 0); err != unix.EINTR {
			break
		}
	}
	return p[0].Revents&unix.POLLHUP != 0, p[0].Revents&unix.POLLIN != 0
}

// seen is what it saw, when all have ended, and when it had its glimpse.
func (w *witness) seen() (out []seen, glimpse int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.joints {
		out = append(out, seen{j.from, j.to, j.hungUp, j.unread, j.before})
	}
	return out, w.glimpse
}

// ends are what one program has of the pipes between several.
type ends struct {
	in, out *os.File // nil: no pipe
	further map[int]*os.File
	over    chan struct{} // it has written too much; nil: nobody counts
	given   func()        // called when the program has got them
}

// close lets go of them: a program learns that its partner is gone only when nobody
// else has the partner's ends.
func (e *ends) close() {
	if e == nil {
		return
	}
	e.given()
	for _, f := range e.further {
		f.Close()
	}
	for _, f := range []*os.File{e.in, e.out} {
		if f != nil {
			f.Close()
		}
	}
}

// into puts them where there is a pipe.
func (e *ends) into(io *cell.Stdio) {
	if e.in != nil {
		io.In = e.in
	}
	if e.out != nil {
		io.Out = e.out
	}
	io.Further = e.further
}
