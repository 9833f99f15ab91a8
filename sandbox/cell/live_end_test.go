package cell_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// sleeper runs until it is ended, with a child that is no child of the main
// process any more.
var sleeper = cell.Program{Args: []string{"/bin/sh", "-c", "(setsid sleep 1000 &); echo up; exec sleep 1000"}}

// A killed cell tells nothing: what ended it is known to whom it was.
func testKill(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.open)
	p := sleeper
	j := begin(t, c, &p, "")
	<-j.lines
	select {
	case <-c.Dead():
		t.Fatal("dead before it was killed")
	default:
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if r := j.end(t); r.Ended || r.Failure != nil || r.Strays != 0 || r.ended != 0 || r.out != "up\n" {
		t.Errorf("%+v", r)
	}
	for range 2 { // of a dead one, and of a closed one
		if err := c.Kill(); err != nil {
			t.Errorf("a dead cell: %v", err)
		}
		c.Close()
	}
}

// The end of the daemon's socket ends a cell, warm or running.
func testHangUp(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.open)
	if err := c.HangUp(); err != nil {
		t.Fatal(err)
	}
	<-c.Dead()
	c = k.warm(t, k.server, k.open)
	p := sleeper
	j := begin(t, c, &p, "")
	<-j.lines
	if err := c.HangUp(); err != nil {
		t.Fatal(err)
	}
	<-c.Dead()
	<-j.read // the pipes have no writer left
	<-j.read
	// One that is let go of before it is warm.
	if c, err := k.server.Cell(k.order(k.open)); err != nil {
		t.Error(err)
	} else if err := c.HangUp(); err != nil {
		t.Error(err)
	} else {
		<-c.Dead()
		c.Close()
	}
}

// mortal stands for the test in a process that is none.
type mortal struct{ testing.TB }

func (mortal) Helper()         {}
func (mortal) Cleanup(func())  {}
func (mortal) TempDir() string { return os.Getenv(mortalVar) }
func (mortal) Fatal(args ...any) {
	fmt.Println(args...)
	os.Exit(1)
}

// mortalDaemon is a daemon with a fork server, a warm cell and a running job. It
// tells their pids and waits to be killed.
func mortalDaemon() {
	var t mortal
	k := &kit{single: os.Getenv(insideVar) == "single"}
	k.nextID.Store(1)
	s := start(t, smallTemplate(t))
	filter := input(t, allowAll)
	warm, busy := k.warm(t, s, filter), k.warm(t, s, filter)
	p := sleeper
	j := begin(t, busy, &p, "")
	<-j.lines
	fmt.Println(s.Pid(), warm.Pid(), busy.Pid())
	select {}
}

// The death of the daemon, by a signal that it cannot catch, ends its fork
// server and every cell with all that is in it.
func testDaemonDies(t *testing.T, k *kit) {
	daemon := exec.Command("/proc/self/exe")
	daemon.Env = append(os.Environ(), mortalVar+"="+t.TempDir())
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	var pids [3]int
	if n, _ := fmt.Sscan(line, &pids[0], &pids[1], &pids[2]); n != 3 || err != nil {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		t.Fatalf("the daemon said %q, %v", line, err)
	}
	var handles []int
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, fd)
		defer unix.Close(fd)
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()
	for i, fd := range handles { // readable when the process is gone, and init goes last
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(p, -1); err != unix.EINTR {
				break
			}
		}
		if p[0].Revents&unix.POLLIN == 0 {
			t.Errorf("process %d: %#x", pids[i], p[0].Revents)
		}
	}
}

func testStrays(t *testing.T, k *kit) {
	for script, want := range map[string]int64{
		"exit 3":                  0,
		"true & wait; exit 3":     0,
		"sleep 1000 & exit 3":     1,
		"(sleep 1000 &) ; exit 3": 1,
		// A child of a child, out of every group and session, deaf, stopped.
		"mkfifo f; sh -c 'sleep 1000 & echo >f; exec sleep 1000' & read x <f; exit 3":                          2,
		"mkfifo f; setsid sleep 1000 & (trap '' TERM HUP INT; sleep 1000 & echo >f; wait) & read x <f; exit 3": 3,
		"for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; kill -STOP $!; exit 3":                           10,
	} {
		r := k.shell(t, script)
		if r.Strays != want || !r.Ended || r.Status.ExitStatus() != 3 {
			t.Errorf("%s: %d strays, want %d (%+v)", script, r.Strays, want, r)
		}
	}
}

func count(t *testing.T, dir string) int {
	t.Helper()
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// children are the processes below a fork server: its cells.
func children(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// Fifty cells of every fate leave no descriptor, goroutine, process or mount.
func testNoLeak(t *testing.T, k *kit) {
	server := filepath.Join("/proc", fmt.Sprint(k.server.Pid()))
	fates := []func(*testing.T, *cell.Cell){
		func(t *testing.T, c *cell.Cell) { begin(t, c, &cell.Program{Args: []string{"/bin/true"}}, "").end(t) },
		func(t *testing.T, c *cell.Cell) { begin(t, c, &cell.Program{Args: []string{"/none"}}, "x").end(t) },
		func(t *testing.T, c *cell.Cell) {
			p := sleeper
			j := begin(t, c, &p, "")
			<-j.lines
			_ = c.Kill()
			j.end(t)
		},
		func(*testing.T, *cell.Cell) {},
		func(t *testing.T, c *cell.Cell) { _ = c.HangUp() },
	}
	round := func(n int) {
		for i := range n {
			t.Run("cell", func(t *testing.T) {
				c := k.warm(t, k.server, k.open)
				fates[i%len(fates)](t, c)
				c.Close()
				failed, err := k.server.Cell(k.order(input(t, []byte("no filter"))))
				if err != nil {
					t.Fatal(err)
				}
				if err := failed.Ready(); err == nil {
					t.Error("a cell without a filter")
				}
				failed.Close()
			})
		}
	}
	round(len(fates))
	fds, theirs, mounts := count(t, "/proc/self/fd"), count(t, server+"/fd"), lines(t, server+"/mountinfo")
	goroutines := runtime.NumGoroutine()
	round(50)
	t.Logf("descriptors %d and %d, mounts %d, goroutines %d", fds, theirs, mounts, goroutines)
	settle(t, "descriptors of the daemon", fds, func() int { return count(t, "/proc/self/fd") })
	settle(t, "descriptors of the fork server", theirs, func() int { return count(t, server+"/fd") })
	settle(t, "mounts of the fork server", mounts, func() int { return lines(t, server+"/mountinfo") })
	settle(t, "goroutines", goroutines, runtime.NumGoroutine)
	settle(t, "cells of the fork server", 0, func() int { return len(strings.Fields(children(t, k.server.Pid()))) })
}

// settle waits for a number to come back to what it was: goroutines and reaped
// processes go a moment after what they served.
func settle(t *testing.T, what string, want int, now func() int) {
	t.Helper()
	got := now()
	for range 3000 {
		if got <= want {
			return
		}
		time.Sleep(10 * time.Millisecond)
		got = now()
	}
	t.Errorf("%s: %d, before %d", what, got, want)
}

func lines(t *testing.T, file string) int {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}
