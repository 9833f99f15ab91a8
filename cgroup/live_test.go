package cgroup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file run programs in groups of the real kernel, through the
// interface alone, so that they say the same of both versions.

const mega = 1 << 20

var liveLimits = Limits{MemoryBytes: 64 * mega, Pids: 16, CPUs: 1}

// limited is a fresh group with limits.
func limited(t *testing.T, d Driver, l Limits) Group {
	t.Helper()
	g, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.SetLimits(l); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestLiveLimits(t *testing.T) {
	d := live(t)
	g, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer finish(t, g)
	applied, err := g.SetLimits(Limits{MemoryBytes: 64*mega + 1, Pids: 9, CPUs: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"memory_bytes": strconv.Itoa(64 * mega), "pids": "9", "cpus": "50000"}
	for _, a := range applied {
		driver, file, _ := strings.Cut(a.EnforcedBy, " ")
		got, _, _ := strings.Cut(value(t, d, file), " ") // v2: quota and period
		if driver != d.Name() || got != want[a.Limit] {
			t.Errorf("%+v: the kernel holds %q, want %q", a, got, want[a.Limit])
		}
		delete(want, a.Limit)
	}
	if len(want) > 0 {
		t.Errorf("not applied: %v", want)
	}
	u, err := g.Usage()
	if err != nil || u.OOMKills != 0 || u.PidsMaxHits != 0 || u.ThrottledNanos != 0 || u.CPU.Total != 0 {
		t.Errorf("usage of a group that nothing ran in: %+v, %v", u, err)
	}
}

// Limits of a group that has some already go up and down.
func TestLiveLimitsChange(t *testing.T) {
	d := live(t)
	g := limited(t, d, liveLimits)
	defer finish(t, g)
	for _, l := range []Limits{{256 * mega, 4, 2}, {16 * mega, 99, 0.1}, {16 * mega, 99, 0.1}, {17 * mega, 98, 1}} {
		applied, err := g.SetLimits(l)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		want := map[string]string{"memory_bytes": strconv.FormatInt(l.MemoryBytes, 10), "pids": strconv.FormatInt(l.Pids, 10),
			"cpus": strconv.Itoa(int(l.CPUs * 100_000))}
		for _, a := range applied {
			_, file, _ := strings.Cut(a.EnforcedBy, " ")
			if got, _, _ := strings.Cut(value(t, d, file), " "); got != want[a.Limit] {
				t.Errorf("%+v: %s holds %s", l, file, got)
			}
		}
		v1, ok := g.(*v1Group)
		for _, f := range []v1File{swapLimit, tcpLimit} {
			if name := v1Files[f].name; ok && v1.memory.has(f) && value(t, d, name) != want["memory_bytes"] {
				t.Errorf("%+v: %s holds %s", l, name, value(t, d, name))
			}
		}
	}
}

// What the kernel refuses is an error that names the file.
func TestLiveLimitsRefused(t *testing.T) {
	g := limited(t, live(t), liveLimits)
	defer finish(t, g)
	for name, c := range map[string]struct {
		l   Limits
		say string
	}{
		"cpus":   {Limits{64 * mega, 16, 0.001}, "cpu."}, // below 1 ms in a period
		"pids":   {Limits{64 * mega, -5, 1}, "pids.max"},
		"memory": {Limits{-4 * mega, 16, 1}, "memory."},
	} {
		if applied, err := g.SetLimits(c.l); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: got %v, %v", name, applied, err)
		}
	}
}

// Two groups at once have nothing in common.
func TestLiveCreateTwice(t *testing.T) {
	d := live(t)
	g := limited(t, d, liveLimits)
	first := groupDirs(t, d)
	second, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	if all := groupDirs(t, d); len(all) != 2*len(first) {
		t.Errorf("one has %q, two have %q", first, all)
	}
	j := start(t, g, "read end")
	if err := second.WaitFew(within(t), 0); err != nil {
		t.Errorf("who is in the first is in the second: %v", err)
	}
	finish(t, second)
	for _, dir := range first {
		if text, err := os.ReadFile(filepath.Join(dir, "pids.max")); err == nil && string(text) != "16\n" {
			t.Errorf("the first lost its limits: %s", text)
		}
	}
	j.in.Close()
	j.signal(t)
	finish(t, g)
}

func TestLiveCPU(t *testing.T) {
	g := limited(t, live(t), liveLimits)
	j := start(t, g, "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; read again")
	var early CPU
	until(t, "CPU time is counted while the program runs", func() bool {
		var err error
		if early, err = g.CPU(); err != nil {
			t.Fatal(err)
		}
		return early.Total > 0
	})
	j.in.Close()
	if s := j.signal(t); s != 0 {
		t.Errorf("ended by %v", s)
	}
	u := finish(t, g)
	state := j.cmd.ProcessState
	own := int64(state.UserTime() + state.SystemTime())
	// On v1 the shell's own start was before it entered.
	if u.CPU.Total < own*7/10 || u.CPU.Total > own*13/10 || u.CPU.Total < early.Total {
		t.Errorf("the group counts %d ns, its only process %d, an early look %d", u.CPU.Total, own, early.Total)
	}
	if u.CPU.User <= 0 || u.CPU.System < 0 {
		t.Errorf("a spin in user space: %+v", u.CPU)
	}
}

func TestLiveThrottled(t *testing.T) {
	l := liveLimits
	l.CPUs = 0.2
	g := limited(t, live(t), l)
	j := start(t, g, "while :; do :; done")
	until(t, "a spinner is throttled", func() bool {
		u, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return u.ThrottledNanos > 0
	})
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if s := j.signal(t); s != syscall.SIGKILL {
		t.Errorf("ended by %v", s)
	}
	if u := finish(t, g); u.ThrottledNanos <= 0 {
		t.Errorf("throttled for %d ns", u.ThrottledNanos)
	}
}

// hold is a program that keeps this much memory until it is killed: dd fills its
// buffer and then waits, because nobody reads. 65 KiB of a pipe are the kernel's.
func hold(size int) string {
	return "dd if=/dev/zero bs=" + strconv.Itoa(size) + " count=1 status=none | sleep 1000"
}

func TestLiveMemoryPeak(t *testing.T) {
	d := live(t)
	for _, touched := range []int{8 * mega, 40 * mega} {
		g := limited(t, d, liveLimits)
		j := start(t, g, "dd if=/dev/zero of=/dev/null status=none count=1 bs="+strconv.Itoa(touched))
		if s := j.signal(t); s != 0 || !j.cmd.ProcessState.Success() {
			t.Errorf("%d bytes: ended by %v: %v", touched, s, j.cmd.ProcessState)
		}
		u := finish(t, g)
		if u.MemoryPeakBytes == -1 && d.Name() == "cgroup-v2" && !kernelHas(t, d, "memory.peak") {
			continue // before Linux 5.19
		}
		// Above it: the shell's own pages and the kernel's for both.
		if peak := u.MemoryPeakBytes; peak < int64(touched) || peak > int64(touched)+8*mega {
			t.Errorf("%d bytes were touched, the peak is %d", touched, peak)
		}
		if u.OOMKills != 0 {
			t.Errorf("%d OOM kills", u.OOMKills)
		}
	}
}

// kernelHas: every group has the file.
func kernelHas(t *testing.T, d Driver, file string) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(baseDirs(d)[0], file))
	return err == nil
}

func TestLiveOOM(t *testing.T) {
	adopt(t)
	g := limited(t, live(t), liveLimits)
	j := start(t, g, "sleep 1000 & dd if=/dev/zero of=/dev/null status=none count=1 bs="+strconv.Itoa(256*mega)+"; sleep 1000")
	// v2: the kernel ends the whole group. v1: it ends one process and tells; the
	// caller ends the rest.
	if told := g.OOM(); told != nil {
		select {
		case <-told:
		case <-within(t).Done():
			t.Fatal("the kernel did not tell of the OOM kill")
		}
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
	}
	if s := j.signal(t); s != syscall.SIGKILL {
		t.Errorf("the shell was ended by %v", s)
	}
	allKilled(t, nil)
	if err := g.WaitFew(within(t), 0); err != nil {
		t.Error(err)
	}
	u := finish(t, g)
	if u.OOMKills < 1 {
		t.Errorf("no OOM kill was counted: %+v", u)
	}
	if u.MemoryPeakBytes > liveLimits.MemoryBytes {
		t.Errorf("the peak %d is above the limit", u.MemoryPeakBytes)
	}
}

// No OOM: nothing is told, also not when the group goes.
func TestLiveNoOOM(t *testing.T) {
	g := limited(t, live(t), liveLimits)
	j := start(t, g, "exit 3")
	if j.signal(t); j.cmd.ProcessState.ExitCode() != 3 {
		t.Errorf("got %v", j.cmd.ProcessState)
	}
	told := g.OOM()
	if u := finish(t, g); u.OOMKills != 0 {
		t.Errorf("got %+v", u)
	}
	select {
	case <-told: // nil on v2
		t.Error("an OOM kill was told")
	default:
	}
}

func TestLivePids(t *testing.T) {
	adopt(t)
	d := live(t)
	l := liveLimits
	l.Pids = 4
	g := limited(t, d, l)
	j := start(t, g, "for i in 1 2 3 4 5 6; do sleep 1000 & done 2> /dev/null; wait")
	until(t, "a fork is refused", func() bool {
		u, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return u.PidsMaxHits > 0
	})
	pids := members(t, d)
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	j.signal(t)
	// The shell is the fourth; it gives up when it cannot fork, and may be gone.
	if len(pids) < 3 || len(pids) > 4 {
		t.Errorf("the group had the processes %v", pids)
	}
	allKilled(t, pids)
	u := finish(t, g)
	if u.PidsMaxHits < 1 || u.PidsPeak != 4 && (u.PidsPeak != -1 || kernelHas(t, d, "pids.peak")) {
		t.Errorf("got %+v, want a hit and a peak of 4", u)
	}
}

// Kill ends all, also a process that takes long to give its memory back.
func TestLiveKill(t *testing.T) {
	adopt(t)
	d := live(t)
	g := limited(t, d, Limits{MemoryBytes: 400 * mega, Pids: 64, CPUs: 1})
	j := start(t, g, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; "+hold(256*mega))
	until(t, "13 processes run, and one holds its memory", func() bool {
		u, err := g.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return value(t, d, "pids.current") == "13" && u.MemoryPeakBytes > 256*mega
	})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.WaitFew(cancelled, 12); !errors.Is(err, context.Canceled) {
		t.Errorf("waited for a group with processes: %v", err)
	}
	pids := members(t, d)
	if err := g.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	if s := j.signal(t); s != syscall.SIGKILL {
		t.Errorf("the shell was ended by %v", s)
	}
	if len(pids) != 13 {
		t.Errorf("the group had the processes %v, want 13", pids)
	}
	allKilled(t, pids)
	if u := finish(t, g); u.OOMKills != 0 {
		t.Errorf("got %+v", u)
	}
}

// A group with processes is not removed: an error, and the next start sweeps it.
func TestLiveRemoveWithProcesses(t *testing.T) {
	name := freshName()
	d := discover(t, name)
	g := limited(t, d, liveLimits)
	j := start(t, g, "sleep 1000")
	if err := g.Remove(); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), baseDirs(d)[0]+"/") {
		t.Errorf("removed with a process in it: %v", err)
	}
	if err := d.Close(); err == nil {
		t.Error("a driver with a group was closed")
	}
	go func() { _ = j.cmd.Wait() }()
	if err := discover(t, name).Close(); err != nil {
		t.Error(err)
	}
}

// What a killed daemon has left is swept by the next with the same name, and by
// no other.
func TestLiveSweep(t *testing.T) {
	name := freshName()
	dead := discover(t, name)
	g := limited(t, dead, liveLimits)
	j := start(t, g, "sleep 1000")
	for _, dir := range groupDirs(t, dead) { // a job's own child group
		if err := os.Mkdir(filepath.Join(dir, "inner"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	live(t) // another instance starts beside it
	if err := j.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("another instance killed it: %v", err)
	}
	ended := make(chan syscall.Signal, 1)
	go func() { ended <- j.signal(t) }()
	swept := -1
	next, err := Discover(Options{Name: name, Swept: func(groups int) { swept = groups }})
	if err != nil || swept != 1 { // one, in however many hierarchies it has directories
		t.Fatalf("%d groups swept, want 1: %v", swept, err)
	}
	select {
	case s := <-ended:
		if s != syscall.SIGKILL {
			t.Errorf("the leftover was ended by %v", s)
		}
	case <-within(t).Done():
		t.Error("the leftover still runs")
	}
	for _, dir := range baseDirs(next) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				t.Errorf("%s/%s is left", dir, e.Name())
			}
		}
	}
	finish(t, limited(t, next, liveLimits))
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

// Many groups leave nothing: no directory, no open file.
func TestLiveManyGroups(t *testing.T) {
	d := live(t)
	cycle := func() {
		g := limited(t, d, liveLimits)
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // the runtime opens its poller once
	before := openFiles(t)
	for range 200 {
		cycle()
	}
	if after := openFiles(t); after > before { // fewer: of an earlier test, collected since
		t.Errorf("%d files were open before, %d are now", before, after)
	}
	for _, dir := range baseDirs(d) {
		if _, err := os.Stat(filepath.Join(dir, "job")); !os.IsNotExist(err) {
			t.Errorf("%s/job is left: %v", dir, err)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A group that is removed at once does not wait for its watcher.
func TestLiveRemoveAtOnce(t *testing.T) {
	d := live(t)
	g, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.Remove() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(hang):
		t.Fatal("Remove hangs")
	}
}
