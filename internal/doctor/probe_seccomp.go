package doctor

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/seccomp.h, where x/sys has no name for it.
const (
	setModeFilter   = 1
	getActionAvail  = 2
	flagNewListener = 1 << 3
	flagKillable    = 1 << 5 // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
	notifReceive    = 0xc0502100
	notifSend       = 0xc0182101
)

// actions that our filters return.
var actions = []struct {
	name  string
	value uint32
}{{"allow", 0x7fff0000}, {"errno", 0x00050000}, {"user_notif", 0x7fc00000}, {"kill_process", 0x80000000}}

func seccomp(operation, flags uintptr, argument unsafe.Pointer) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_SECCOMP, operation, flags, uintptr(argument))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func trySeccomp() outcome {
	for _, a := range actions {
		if _, err := seccomp(getActionAvail, 0, unsafe.Pointer(&a.value)); err != nil {
			return problem("seccomp action "+a.name, err)
		}
	}
	if o := tryListener(0); !o.ok() {
		return o
	}
	return outcome{Found: "allow, errno, kill_process; user_notif answered"}
}

func tryKillable() outcome {
	if o := tryListener(flagKillable); !o.ok() {
		return o
	}
	return outcome{Found: "WAIT_KILLABLE_RECV"}
}

// tryListener installs a filter that reports getppid, answers the report, and
// checks that the answer came through.
func tryListener(flags uintptr) outcome {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return problem("no_new_privs", err)
	}
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_GETPPID, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: actions[2].value},
		{Code: unix.BPF_RET | unix.BPF_K, K: actions[0].value},
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	fd, err := seccomp(setModeFilter, flagNewListener|flags, unsafe.Pointer(&program))
	runtime.KeepAlive(code)
	if err != nil {
		return problem("install a filter with a listener", err)
	}
	answered := make(chan error, 1)
	go func() { answered <- answerOne(fd) }()              // on another thread: this one is about to be stopped
	_, _, errno := unix.Syscall(unix.SYS_GETPPID, 0, 0, 0) // not raw: the scheduler must know that it waits
	if err := <-answered; err != nil {
		return problem("answer a reported call", err)
	}
	if errno != unix.EDOM {
		return outcome{Problem: fmt.Sprintf("a reported call should answer EDOM, and answered %q", unix.ErrnoName(errno))}
	}
	return outcome{Found: "answered"}
}

// answerOne receives one report and answers EDOM, an errno that getppid never
// has. A call that a signal has withdrawn meanwhile (ENOENT) is reported anew.
func answerOne(fd int) error {
	defer unix.Close(fd)
	failed := -int32(unix.EDOM)
	for {
		var notif [80]byte // struct seccomp_notif
		var resp [24]byte  // struct seccomp_notif_resp: id, val, error, flags
		if err := listenerCall(fd, notifReceive, unsafe.Pointer(&notif)); err == unix.ENOENT {
			continue
		} else if err != nil {
			return err
		}
		copy(resp[:8], notif[:8])
		binary.NativeEndian.PutUint32(resp[16:], uint32(failed))
		if err := listenerCall(fd, notifSend, unsafe.Pointer(&resp)); err != unix.ENOENT {
			return err
		}
	}
}

// listenerCall goes on when the runtime's own signals come in between.
func listenerCall(fd int, request uintptr, argument unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}
