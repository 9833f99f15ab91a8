package seccomp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answers after which a job that goes on asking is ended.
const maxAnswers = 1000

// Layout of struct seccomp_notif and struct seccomp_notif_resp (linux/seccomp.h).
const (
	notifSize    = 80
	respSize     = 24
	ioctlReceive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	ioctlSend    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
)

// Denied counts how often one call was denied.
type Denied struct {
	Name  string
	Count int64
}

// Listener answers the denied calls of one job and counts them.
type Listener struct {
	file    *os.File
	program *Program
	kill    func(name string)

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
	return &Listener{file: os.NewFile(uintptr(fd), "seccomp"), program: p, kill: kill, counts: map[string]int64{}}, nil
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
	if !ioctl(fd, ioctlReceive, unsafe.Pointer(&notif)) {
		return
	}
	id, audit, number, args := decodeNotif(&notif)
	a := l.program.answer(audit, number, args)
	if l.count(a) {
		return
	}
	var resp [respSize]byte
	encodeResp(&resp, id, a.errno)
	ioctl(fd, ioctlSend, unsafe.Pointer(&resp))
}

// ioctl retries when a signal came in between, as Go's own preemption does.
func ioctl(fd, request uintptr, arg unsafe.Pointer) bool {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg))
		if errno != unix.EINTR {
			return errno == 0
		}
	}
}

func decodeNotif(b *[notifSize]byte) (id uint64, audit uint32, number int, args [6]uint64) {
	e := binary.NativeEndian
	id, number, audit = e.Uint64(b[0:]), int(int32(e.Uint32(b[16:]))), e.Uint32(b[20:])
	for i := range args {
		args[i] = e.Uint64(b[32+8*i:])
	}
	return id, audit, number, args
}

func encodeResp(b *[respSize]byte, id uint64, errno unix.Errno) {
	e := binary.NativeEndian
	e.PutUint64(b[0:], id)
	e.PutUint32(b[16:], uint32(-int32(errno)))
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
