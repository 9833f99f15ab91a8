package e2e

import (
	"fmt"
	"strings"
	"testing"
)

const forkBomb = `
#include <unistd.h>

int main(void)
{
	for (;;)
		fork();
}
`

const tracer = `
#include <errno.h>
#include <stdio.h>
#include <sys/ptrace.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) != -1 || errno != EPERM)
			return 1;
	puts("refused");
	return 0;
}
`

const descriptors = `
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int main(void)
{
	int n = 3;
	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	printf("%d %s\n", n, errno == EMFILE ? "EMFILE" : "other");
	return 0;
}
`

// hidden burns CPU in children that nobody waits for: only the group knows.
const hidden = `
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			for (;;)
				;
	for (;;)
		pause();
}
`

const touch = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	size_t n = (size_t)atol(argv[1]) << 20;
	char *block = malloc(n);
	if (!block)
		return 3;
	memset(block, 1, n);
	printf("%d\n", block[n / 2]);
	return 0;
}
`

func c(source string, limits object) object {
	job := object{"language": "c", "source": source}
	if limits != nil {
		job["limits"] = limits
	}
	return job
}

func testLimits(t *testing.T, s *service) {
	t.Run("fork_bomb", func(t *testing.T) {
		parallel(t)
		r := s.run(t, c(forkBomb, object{"pids": 32, "wall_ms": 2000, "cpu_ms": 500}))
		if r.Verdict != "cpu_limit" && r.Verdict != "wall_limit" {
			t.Errorf("want a time limit: %s", r)
		}
		if r.Events.PidsMaxHits < 1 {
			t.Errorf("pids_max_hits %d", r.Events.PidsMaxHits)
		}
	})
	t.Run("cpu_of_children", func(t *testing.T) {
		parallel(t)
		r := s.run(t, c(hidden, object{"cpu_ms": 300}))
		r.want(t, "cpu_limit")
		if r.Usage.CPUNanos < 300e6 {
			t.Errorf("cpu_ns %d", r.Usage.CPUNanos)
		}
	})
	t.Run("denied_syscall", func(t *testing.T) {
		parallel(t)
		r := s.run(t, c(tracer, nil))
		r.want(t, "ok")
		denied := r.Events.DeniedSyscalls
		if len(denied) != 1 || denied[0].Name != "ptrace" || denied[0].Count != 3 || r.out(t) != "refused\n" {
			t.Errorf("want three calls of ptrace: %s", r)
		}
	})
	t.Run("open_files", func(t *testing.T) {
		parallel(t)
		r := s.run(t, c(descriptors, object{"open_files": 40}))
		r.want(t, "ok")
		if r.out(t) != "40 EMFILE\n" {
			t.Errorf("stdout %q", r.out(t))
		}
	})
	for _, tt := range []struct {
		mib     int
		verdict string
	}{{56, "ok"}, {200, "memory_limit"}} {
		t.Run(fmt.Sprintf("memory_%d_of_64", tt.mib), func(t *testing.T) {
			parallel(t)
			job := c(touch, object{"memory_bytes": 64 << 20})
			job["command"] = []string{"./main", fmt.Sprint(tt.mib)}
			r := s.run(t, job)
			r.want(t, tt.verdict)
			if peak := r.Usage.MemoryPeakBytes; peak < 56<<20 || peak > 64<<20+256<<10 {
				t.Errorf("memory_peak_bytes %d", peak)
			}
		})
	}
	testDisk(t, s)
}

// testDisk: the scratch is one amount of bytes and inodes, wherever it is used.
func testDisk(t *testing.T, s *service) {
	for _, dir := range []string{"/work", "/tmp", "/dev/shm"} {
		name := strings.ReplaceAll(dir, "/", "_")
		t.Run("bytes"+name, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{
				"command": shell("dd if=/dev/zero of=" + dir + "/x bs=64k count=1024; wc -c < " + dir + "/x"),
				"limits":  object{"disk_bytes": 4 << 20},
			})
			r.want(t, "ok")
			if !strings.Contains(r.err(t), "No space left on device") {
				t.Errorf("no ENOSPC: %s", r)
			}
			var size int
			if _, err := fmt.Sscan(r.out(t), &size); err != nil || size == 0 || size > 4<<20 {
				t.Errorf("%q bytes written, want at most 4 MiB", strings.TrimSpace(r.out(t)))
			}
		})
		t.Run("inodes"+name, func(t *testing.T) {
			parallel(t)
			r := s.run(t, object{
				"command": shell("cd " + dir + " && i=0; while [ $i -lt 300 ]; do : > f$i || exit 1; i=$((i+1)); done"),
				"limits":  object{"disk_files": 100},
			})
			r.want(t, "nonzero")
			if !strings.Contains(r.err(t), "No space left on device") {
				t.Errorf("no ENOSPC: %s", r)
			}
		})
	}
	t.Run("read-only_root", func(t *testing.T) {
		parallel(t)
		r := s.run(t, object{"command": shell("for d in / /usr /etc /dev /bin /usr/lib /var; do [ -d $d ] || continue; (: > $d/x) 2>&1 && echo wrote $d; done; true")})
		r.want(t, "ok")
		if strings.Contains(r.out(t), "wrote") {
			t.Errorf("stdout %q", r.out(t))
		}
	})
}
