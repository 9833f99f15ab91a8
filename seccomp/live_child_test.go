package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// child plays one scenario, prints the report and gives the exit status.
func child(name string) int {
	// Not a limit of the test: it ends a child that hangs after its parent is gone.
	time.AfterFunc(2*time.Minute, func() { panic("the child of a live test hangs") })
	r, err := play(scenarios[name])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func play(s scenario) (liveReport, error) {
	var r liveReport
	p, err := Compile(s.rules, Native())
	if err != nil {
		return r, err
	}
	path := os.Getenv(programEnv)
	onThread(func() {
		r.Control = ask(s.probes)
		r.Program[0] = end(start(path))
	})
	// The filtered thread gives the listener away and waits until it is answered.
	given, answered, done := make(chan int), make(chan *Listener), make(chan error)
	started := make(chan *os.Process, 1)
	go onThread(func() {
		fd, err := install(p)
		if err != nil {
			done <- err
			return
		}
		given <- fd
		l := <-answered
		r.Inside = ask(s.probes)
		if s.work != nil {
			if err := s.work(l); err != nil {
				r.Work = err.Error()
			}
		}
		for range s.repeat {
			ask(s.probes[:1])
		}
		process, err := start(path)
		started <- process
		r.Program[1] = end(process, err)
		done <- nil
	})
	select {
	case err := <-done:
		return r, err
	case fd := <-given:
		var l *Listener
		var err error
		l, err = NewListener(os.NewFile(uintptr(fd), "listener"), p, func(name string) {
			r.Killed = append(r.Killed, name)
			if path != "" {
				(<-started).Kill()
				return
			}
			// A thread cannot be killed alone: it goes on as when the daemon is gone.
			go l.Close()
		})
		if err != nil {
			return r, err
		}
		if s.closed {
			l.Close()
		}
		if s.goOn != 0 {
			l.goOn = s.goOn
		}
		var run sync.WaitGroup
		run.Go(l.Run)
		answered <- l
		err = <-done
		run.Wait() // the thread is gone, so Run ends by itself
		r.Denied, r.Sockets = l.Denied(), l.Sockets()
		l.Close()
		return r, err
	}
}

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func()) {
	var wait sync.WaitGroup
	wait.Go(func() {
		runtime.LockOSThread() // never undone: so the thread is not used again
		f()
	})
	wait.Wait()
}

// install puts the filter on this thread alone, as a cell does on itself.
func install(p *Program) (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, os.NewSyscallError("prctl", err)
	}
	prog := unix.SockFprog{Len: uint16(p.Instructions()), Filter: (*unix.SockFilter)(unsafe.Pointer(&p.BPF[0]))}
	// Without the second flag (Linux 5.19) Go's own signals would interrupt a
	// reported call, which is then made and counted again.
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | 1<<5)
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, os.NewSyscallError("seccomp", errno)
	}
	return int(fd), nil
}

func ask(probes []probe) []unix.Errno {
	answers := []unix.Errno{}
	for _, p := range probes {
		n, _, errno := unix.Syscall6(p.number, p.args[0], p.args[1], p.args[2], p.args[3], p.args[4], p.args[5])
		if p.number == unix.SYS_SOCKET && errno == 0 {
			unix.Close(int(n))
		}
		answers = append(answers, errno)
	}
	return answers
}

// start runs a program from this thread, and so under its filter. It ends with
// the thread at the latest.
func start(path string) (*os.Process, error) {
	if path == "" {
		return nil, nil
	}
	return os.StartProcess(path, []string{path}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}})
}

// end waits for a program and says how it ended.
func end(p *os.Process, err error) string {
	if err != nil {
		return err.Error()
	}
	if p == nil {
		return ""
	}
	state, err := p.Wait()
	if err != nil {
		return err.Error()
	}
	return state.String()
}
