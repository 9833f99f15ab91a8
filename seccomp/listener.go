package seccomp

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answers after which a job that goes on asking is ended.
const maxAnswers = 1000

// A job's first sockets are let through at once. Each costs the daemon some time that
// no limit of the job holds, so one that makes them without end is slowed down.
const (
	quickSockets = 4096
	socketPause  = 250 * time.Microsecond
)

// Denied counts how often one call was denied.
type Denied struct {
	Name  string
	Count int64
}

// Listener answers the reported calls of one job, and counts the denied ones.
type Listener struct {
	file    *os.File
	program *Program
	kill    func(name string)
	goOn    uint32 // the flag of an answer by which a call goes on
	sockets atomic.Bool
	made    int // calls let through, by Run alone

	mu      sync.Mutex
	counts  map[string]int64
	answers int
	killed  bool
}

// NewListener takes over the listener's file. kill is called at most once, from
// Run, with the call that ends the job.
func NewListener(file *os.File, p *Program, kill func(name string)) (*Listener, error) {
	// An own non-blocking file, so that the runtime's poller waits, not a thread.
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	file.Close()
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Listener{file: os.NewFile(uintptr(fd), "seccomp"), program: p, kill: kill,
		goOn: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE, counts: map[string]int64{}}, nil
}

// Run answers until no process uses the filter any more, or Close. However it
// ends, nobody waits for an answer that does not come: closed, the kernel answers
// ENOSYS.
func (l *Listener) Run() {
	defer l.file.Close()
	raw, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		for {
			events, err := pollNow(fd)
			switch {
			case err != nil || events&(unix.POLLHUP|unix.POLLNVAL) != 0:
				return true // done
			case events&unix.POLLIN == 0:
				return false // wait
			}
			l.one(fd)
		}
	})
}

func pollNow(fd uintptr) (int16, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return p[0].Revents, err
		}
	}
}

// one receives one report and answers it. A caller that has died meanwhile is
// not an error: ENOENT. The call that ends the job has no answer: its caller waits
// in the kernel for the end, and does nothing more.
func (l *Listener) one(fd uintptr) {
	var notif [notifSize]byte
	if ioctl(fd, ioctlReceive, unsafe.Pointer(&notif)) != 0 {
		return
	}
	id, audit, number, args := decodeNotif(&notif)
	if l.program.lets(audit, number, &args) {
		l.letGo(fd, id, number)
		return
	}
	l.deny(fd, id, l.program.answer(audit, number, args))
}

// letGo has an allowed call go on, after it has been noted: who finds no note when
// all processes are gone knows that there was no such call.
//
// To go on is no way to allow a call by what was seen of it where that can change
// after the look (seccomp_unotify(2), NOTES). Here it cannot: all that the rules
// look at are arguments in registers, the thread waits in the kernel, and nobody
// changes a thread's registers but a tracer, while it is stopped for that. The one
// pointer, to where socketpair writes the descriptors, decides nothing.
func (l *Listener) letGo(fd uintptr, id uint64, number int) {
	l.sockets.Store(true)
	if l.made++; l.made > quickSockets {
		time.Sleep(socketPause)
	}
	var resp [respSize]byte
	encodeResp(&resp, id, 0, l.goOn)
	if ioctl(fd, ioctlSend, unsafe.Pointer(&resp)) != unix.EINVAL {
		return
	}
	// A kernel before 5.5 does not know the flag.
	name, _ := l.program.Arch.callName(number)
	l.deny(fd, id, answer{name + " (allowed, but only Linux 5.5 and later lets it go on)", unix.EPERM, false})
}

func (l *Listener) deny(fd uintptr, id uint64, a answer) {
	if l.count(a) {
		return
	}
	var resp [respSize]byte
	encodeResp(&resp, id, a.errno, 0)
	ioctl(fd, ioctlSend, unsafe.Pointer(&resp))
}

// count records a call, and says whether the job is at its end by this one or an
// earlier one.
func (l *Listener) count(a answer) (killed bool) {
	l.mu.Lock()
	l.counts[a.name]++
	l.answers++
	end := !l.killed && (a.fatal || l.answers > maxAnswers)
	l.killed = l.killed || end
	killed = l.killed
	l.mu.Unlock()
	if !end {
		return killed
	}
	if !a.fatal {
		a.name = fmt.Sprintf("%s, after %d denied calls", a.name, maxAnswers)
	}
	l.kill(a.name)
	return true
}

// Sockets says whether a call for a socket has been let through so far. When no
// process under the filter is left, and the program tells of sockets, false means
// that there never was one.
func (l *Listener) Sockets() bool { return l.sockets.Load() }

// Denied are the counts so far, by name.
func (l *Listener) Denied() []Denied {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Denied, 0, len(l.counts))
	for n, c := range l.counts {
		out = append(out, Denied{n, c})
	}
	slices.SortFunc(out, func(a, b Denied) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Close ends Run. Calls that are reported from now on fail with ENOSYS.
func (l *Listener) Close() { l.file.Close() }
