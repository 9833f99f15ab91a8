package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// stressor is one way of stress-ng to press on a machine, and what must come of it
// in a cell. Where speed decides, or the program's version, several verdicts are
// right; what the limits and the filter did is told in each.
type stressor struct {
	args     string
	verdicts string   // any of these
	denied   []string // system calls that must have been refused
	pidsHit  bool     // the limit on processes must have been met
	slow     bool     // also where a program takes many times as long
}

var stressors = []stressor{
	// Processor time.
	{args: "--cpu 2 -t 60", verdicts: "cpu_limit", slow: true},
	// Processes and threads, also such as flee into sessions of their own or are
	// collected by nobody.
	{args: "--fork 4", verdicts: "ok syscall_denied", denied: []string{"vhangup"}, slow: true},
	{args: "--pthread 2 --pthread-max 64", verdicts: "ok nonzero syscall_denied", denied: []string{"setns"}, pidsHit: true},
	{args: "--daemon 2", verdicts: "ok"},
	{args: "--session 2", verdicts: "ok syscall_denied", denied: []string{"vhangup"}},
	{args: "--zombie 8", verdicts: "ok signaled cpu_limit", pidsHit: true, slow: true}, // its own alarm may come before it listens; at the limit of processes it spins
	// Memory, by every name that it has.
	{args: "--vm 2 --vm-bytes 512M --vm-keep", verdicts: "memory_limit", slow: true},
	{args: "--shm 2", verdicts: "memory_limit"},
	{args: "--memfd 2", verdicts: "memory_limit"},
	{args: "--mlock 2", verdicts: "memory_limit", denied: []string{"mlockall"}},
	{args: "--pipe 4", verdicts: "ok"},
	{args: "--sockfd 2", verdicts: "ok"},
	// What namespaces do not divide, or what the kernel keeps for a user.
	{args: "--mq 2", verdicts: "nonzero", denied: []string{"mq_open"}, slow: true},
	{args: "--sem-sysv 2", verdicts: "nonzero", denied: []string{"semget"}},
	{args: "--inotify 2", verdicts: "ok"},
	{args: "--timer 2", verdicts: "ok"},
	{args: "--resources 1", verdicts: "ok memory_limit syscall_denied", denied: []string{"memfd_secret", "userfaultfd"}},
	// Files: the scratch has a size and a number of inodes; the rest cannot be written.
	{args: "--hdd 1 --hdd-bytes 64M", verdicts: "ok"},
	{args: "--dentry 2", verdicts: "ok cpu_limit"},
	{args: "--dir 4", verdicts: "ok cpu_limit"},
	{args: "--dirdeep 1", verdicts: "ok cpu_limit"},
	{args: "--procfs 1", verdicts: "ok"},
	{args: "--sysfs 1", verdicts: "ok"},
}

// TestStress runs a program that we did not write, made to find the limits of a
// machine: it finds those of its cell, and leaves nothing.
func TestStress(t *testing.T) {
	if _, err := exec.LookPath("stress-ng"); err != nil {
		t.Fatalf("%v; test/deps test installs it", err)
	}
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	for range 20 { // fills pools and caches; the runtime's own goroutines begin with its first collections
		s.run(t, object{"command": []string{"true"}, "stdin": strings.Repeat("x", 1<<20)}).want(t, "ok")
	}
	before := observe(t, d, s)
	t.Run("each", func(t *testing.T) {
		left := 0
		for _, r := range stressors {
			if os.Getenv(slowVar) != "" && !r.slow {
				left++
				continue
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(r.args, "--"), " ")
			t.Run(name, func(t *testing.T) { parallel(t); r.run(t, s) })
		}
		if left > 0 {
			t.Logf("%s is set: %d of %d stressors are left out", slowVar, left, len(stressors))
		}
	})
	var after observation
	for range 100 { // the last cells are taken down behind the last answers
		if after = observe(t, d, s); after.same(before) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !after.same(before) || after.leaks != 0 {
		t.Errorf("something is left behind:\nbefore %+v\nafter  %+v", before, after)
	}
}

func (r stressor) run(t *testing.T, s *service) {
	command := append([]string{"stress-ng", "-t", "2"}, strings.Fields(r.args)...)
	cpu := 3000
	if os.Getenv(slowVar) != "" && r.verdicts != "cpu_limit" {
		cpu *= 10 // its own preparations take seconds
	}
	got := s.run(t, object{"command": command, // with its checks of what was used against the limits
		"limits": object{"memory_bytes": 64 << 20, "pids": 32, "cpu_ms": cpu, "wall_ms": 60_000, "disk_bytes": 32 << 20, "disk_files": 8192}})
	t.Logf("%s: cpu %v, wall %v, memory %d KiB, processes %d, %+v", got.Verdict, time.Duration(got.Usage.CPUNanos).Round(time.Millisecond),
		time.Duration(got.Usage.WallNanos).Round(time.Millisecond), got.Usage.MemoryPeakBytes>>10, got.Usage.PidsPeak, got.Events)
	if !slices.Contains(strings.Fields(r.verdicts), got.Verdict) {
		t.Errorf("verdict %s, want one of: %s: %s", got.Verdict, r.verdicts, got)
	}
	if !strings.Contains(got.out(t)+got.err(t), "dispatching hogs") {
		t.Errorf("it has not begun: %s", got)
	}
	if r.pidsHit && got.Events.PidsMaxHits == 0 {
		t.Errorf("the limit of processes was not met: %s", got)
	}
	for _, name := range r.denied {
		if !slices.ContainsFunc(got.Events.DeniedSyscalls, func(d deniedSyscall) bool { return d.Name == name && d.Count > 0 }) {
			t.Errorf("no refused %s: %s", name, got)
		}
	}
}
