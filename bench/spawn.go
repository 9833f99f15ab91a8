// Package bench measures what a job costs, next to what the same program costs
// without a sandbox, in the same run: only the ratios mean anything on another
// machine.
package bench

/*
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

// spawn_once starts a program with posix_spawn, which is vfork and exec in
// glibc, and waits for it. It returns the nanoseconds, or minus errno.
static int64_t spawn_once(const char *program)
{
	struct timespec from, to;
	char *argv[] = {(char *)program, 0};
	pid_t pid;
	int status;

	clock_gettime(CLOCK_MONOTONIC, &from);
	int error = posix_spawn(&pid, program, 0, 0, argv, environ);
	if (error)
		return -error;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (status != 0)
		return -ECHILD;
	return (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec;
}
*/
import "C"

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

// Spawn starts a program the cheapest way there is, posix_spawn (vfork and
// exec), and waits for its good end.
func Spawn(program string) (time.Duration, error) {
	name := C.CString(program)
	defer C.free(unsafe.Pointer(name))
	ns := int64(C.spawn_once(name))
	if ns < 0 {
		return 0, fmt.Errorf("spawn %s: %w", program, syscall.Errno(-ns))
	}
	return time.Duration(ns), nil
}
