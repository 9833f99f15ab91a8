package bench

/*
#define _GNU_SOURCE
#include "client.h"
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

struct ended {
	int64_t total, run, cpu; // nanoseconds: from before the start, from the exec, CPU time
	int status;
};

static int64_t micro(struct timeval t) { return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL; }

// spawn_and_wait starts a program with posix_spawn, which is vfork and exec in
// glibc, and waits for it: the call returns when the exec has been done. dir and
// env may be null; in, or null, is a file to be standard input; with quiet the output goes to /dev/null. 0 or errno.
static int spawn_and_wait(char **argv, char **env, const char *dir, const char *in, int quiet, struct ended *e)
{
	posix_spawn_file_actions_t actions;
	struct rusage used;
	pid_t pid;
	int64_t from = bench_now();
	int error = 0;

	int acts = dir || in || quiet;
	if (acts) {
		error = posix_spawn_file_actions_init(&actions);
		if (!error && dir)
			error = posix_spawn_file_actions_addchdir_np(&actions, dir);
		if (!error && in)
			error = posix_spawn_file_actions_addopen(&actions, 0, in, O_RDONLY, 0);
		if (!error && quiet)
			error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
		if (!error && quiet > 1)
			error = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	}
	if (!error)
		error = posix_spawn(&pid, argv[0], acts ? &actions : NULL, NULL, argv, env ? env : environ);
	int64_t begun = bench_now();
	if (!error)
		while (wait4(pid, &e->status, 0, &used) < 0)
			if (errno != EINTR) {
				error = errno;
				break;
			}
	int64_t end = bench_now();
	if (acts)
		posix_spawn_file_actions_destroy(&actions);
	if (error)
		return error;
	e->total = end - from;
	e->run = end - begun;
	e->cpu = micro(used.ru_utime) + micro(used.ru_stime);
	return 0;
}

// spawn_again does so again and again, until a time and at least so often. count is
// that of the good ends; 0, errno, or ECHILD for a bad end.
static int spawn_again(char **argv, int64_t until, size_t least, int64_t *times, size_t most, size_t *count)
{
	for (*count = 0; *count < most && (*count < least || (bench_now() < until && !bench_stop)); ++*count) {
		struct ended e;
		int error = spawn_and_wait(argv, NULL, NULL, NULL, 0, &e);
		if (error || e.status != 0)
			return error ? error : ECHILD;
		times[*count] = e.total;
	}
	return 0;
}
*/
import "C"

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// bare runs the program without a sandbox, the cheapest way there is: posix_spawn,
// which is vfork and exec.
func bare(program string) target {
	return target{"vfork+exec", func() (loop, func(), error) {
		argv, free := cStrings([]string{program})
		times := (*C.int64_t)(C.calloc(mostRuns, C.sizeof_int64_t))
		run := func(length time.Duration, least int) ([]time.Duration, error) {
			var count C.size_t
			errno := C.spawn_again(argv, C.bench_now()+C.int64_t(length), C.size_t(least), times, mostRuns, &count)
			if errno != 0 {
				return nil, fmt.Errorf("spawn %s: %w", program, syscall.Errno(errno))
			}
			return durations(times, count), nil
		}
		return run, func() { free(); C.free(unsafe.Pointer(times)) }, nil
	}}
}

// command is a program to start.
type command struct {
	argv  []string // the first is a path
	env   []string // nil: that of this process
	dir   string   // empty: that of this process
	in    string   // a file that is standard input; empty: that of this process
	quiet bool     // its output goes nowhere
	mute  bool     // its errors, too
}

// ended is how a program did.
type ended struct {
	total time.Duration // from before the start to the end
	run   time.Duration // from the exec to the end
	cpu   time.Duration // user and system, with that of its children
}

func spawn(c command) (ended, error) {
	argv, free := cStrings(c.argv)
	defer free()
	var env **C.char
	if c.env != nil {
		var freeEnv func()
		env, freeEnv = cStrings(c.env)
		defer freeEnv()
	}
	var dir *C.char
	if c.dir != "" {
		dir = C.CString(c.dir)
		defer C.free(unsafe.Pointer(dir))
	}
	var in *C.char
	if c.in != "" {
		in = C.CString(c.in)
		defer C.free(unsafe.Pointer(in))
	}
	quiet := 0
	switch {
	case c.mute:
		quiet = 2
	case c.quiet:
		quiet = 1
	}
	var e C.struct_ended
	if errno := C.spawn_and_wait(argv, env, dir, in, C.int(quiet), &e); errno != 0 {
		return ended{}, fmt.Errorf("spawn %s: %w", c.argv[0], syscall.Errno(errno))
	}
	if status := syscall.WaitStatus(e.status); status != 0 {
		return ended{}, &endError{c.argv[0], status}
	}
	return ended{time.Duration(e.total), time.Duration(e.run), time.Duration(e.cpu)}, nil
}

// endError is a program's bad end.
type endError struct {
	program string
	status  syscall.WaitStatus
}

// Error says how it ended.
func (e *endError) Error() string {
	if e.status.Signaled() {
		return fmt.Sprintf("%s: ended by signal %d", e.program, e.status.Signal())
	}
	return fmt.Sprintf("%s: exit status %d", e.program, e.status.ExitStatus())
}

// cStrings are strings for C, ended by a null; free gives them back.
func cStrings(list []string) (first **C.char, free func()) {
	size := C.size_t(unsafe.Sizeof(uintptr(0)))
	block := C.calloc(C.size_t(len(list)+1), size)
	all := unsafe.Slice((**C.char)(block), len(list)+1)
	for i, s := range list {
		all[i] = C.CString(s)
	}
	return &all[0], func() {
		for _, s := range all {
			C.free(unsafe.Pointer(s))
		}
		C.free(block)
	}
}
