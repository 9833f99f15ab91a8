package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lanesOf are the directories of lanes that a driver has, by path.
func lanesOf(t *testing.T, d Driver) []string {
	t.Helper()
	var out []string
	for _, base := range baseDirs(d) {
		found, err := filepath.Glob(filepath.Join(base, lanePrefix+"*"))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	return out
}

// A group that gets used lanes begins as if there had been no other: at no CPU time,
// not throttled, without a limit that is too low to make a cell, with the peaks that every
// group has.
func TestLiveLanes(t *testing.T) {
	d := live(t)
	if d.Name() != "cgroup-v1" {
		if lanes := lanesOf(t, d); len(lanes) > 0 {
			t.Errorf("%s has lanes: %q", d.Name(), lanes)
		}
		return
	}
	slow := liveLimits
	slow.CPUs = 0.1
	first := limited(t, d, slow)
	j := start(t, first, "while :; do :; done")
	until(t, "the first group is throttled", func() bool {
		u, err := first.Usage()
		if err != nil {
			t.Fatal(err)
		}
		return u.ThrottledNanos > 0
	})
	if err := first.Kill(); err != nil {
		t.Error(err)
	}
	j.signal(t)
	used := finish(t, first)
	kept := lanesOf(t, d)
	if len(kept) == 0 || used.CPU.Total < 5e6 {
		t.Fatalf("lanes %q behind a group that used %+v", kept, used.CPU)
	}
	second := again(t, d, kept)
	if got := value(t, d, "cpu.cfs_quota_us"); got != "-1" {
		t.Errorf("a rate of %s before there is a job", got)
	}
	if u, err := second.Usage(); err != nil || u.CPU.Total > 1e6 || u.CPU.User+u.CPU.System > 1e6 || u.ThrottledNanos != 0 ||
		u.MemoryPeakBytes > 1<<20 || u.PidsPeak > 2 || u.PidsMaxHits != 0 || u.OOMKills != 0 {
		t.Errorf("it begins with %+v, %v", u, err)
	}
	third, err := d.Create() // two at once have nothing in common
	if err != nil {
		t.Fatal(err)
	}
	if lanes := lanesOf(t, d); len(lanes) != 2*len(kept) {
		t.Errorf("two groups have the lanes %q", lanes)
	}
	finish(t, second)
	finish(t, third)
}

// again is a group in the very lanes that are there.
func again(t *testing.T, d Driver, lanes []string) Group {
	t.Helper()
	var g Group
	until(t, "all lanes are used again", func() bool { // a lane may be looked at some times before it is
		var err error
		if g, err = d.Create(); err != nil {
			t.Fatal(err)
		}
		if slices.Equal(lanesOf(t, d), lanes) {
			return true
		}
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
		lanes = lanesOf(t, d)
		return false
	})
	return g
}

// What a group leaves in a lane, or leaves to be told of it, goes with the lane.
func TestLiveLanesEnd(t *testing.T) {
	d := live(t)
	if d.Name() != "cgroup-v1" {
		return
	}
	for _, c := range []struct {
		what, script, controller string
		ends                     bool
	}{
		{"nothing", ":", "memory", false},
		{"nothing", ":", "pids", false},
		{"a peak of three processes", "(sleep 1 & sleep 1 & wait) & wait", "pids", true},
		{"a limit that was reached", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do sleep 10 & done", "pids", true},
		{"a file in memory", "exec dd if=/dev/zero of=/dev/shm/" + freshName() + " bs=1M count=2 status=none", "memory", true},
		{"a kill for want of memory", hold(80 * mega), "memory", true},
	} {
		before := lanesOf(t, d)
		g := limited(t, d, liveLimits)
		own := g.(*v1Group).memory.dir.path
		if c.controller == "pids" {
			own = g.(*v1Group).pids.dir.path
		}
		adopt(t)
		j := start(t, g, c.script)
		if c.what == "a kill for want of memory" {
			<-g.OOM()
		} else if c.what != "a limit that was reached" {
			j.signal(t)
		} else {
			until(t, "the limit is reached", func() bool { u, err := g.Usage(); return err == nil && u.PidsMaxHits > 0 })
		}
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
		j.signal(t)
		for { // what it has left behind is this process's
			if _, err := unix.Wait4(-1, nil, 0, nil); err != nil && err != unix.EINTR {
				break
			}
		}
		finish(t, g)
		gone := func() bool { return !slices.Contains(lanesOf(t, d), own) }
		taken := func() bool {
			g, err := d.Create()
			if err != nil {
				t.Fatal(err)
			}
			same := g.(*v1Group).memory.dir.path == own || g.(*v1Group).pids.dir.path == own
			if err := g.Remove(); err != nil {
				t.Fatal(err)
			}
			return same || gone()
		}
		until(t, c.what+": the lane is looked at", taken)
		if gone() != c.ends {
			t.Errorf("%s: the lane %s of %q is gone: %v", c.what, own, before, gone())
		}
		left, _ := filepath.Glob("/dev/shm/test-*")
		for _, f := range left {
			os.Remove(f)
		}
	}
}

// One directory for all controllers, or one for each: the files are found.
func TestLaneFiles(t *testing.T) {
	files := map[string]string{"tasks": ""}
	for _, f := range v1Files {
		files[f.name] = "0\n"
	}
	for _, c := range []struct {
		controllers []string
		without     string
		opened      int
		fails       bool
	}{
		{v1Controllers, "", len(v1Files), false},
		{[]string{"cpu", "cpuacct"}, "", 4, false},
		{[]string{"pids"}, "", 4, false},
		{[]string{"pids"}, "pids.peak", 3, false},
		{[]string{"pids"}, "pids.events", 0, true},
		{[]string{"memory"}, "memory.memsw.limit_in_bytes", 7, false},
		{[]string{"memory"}, "memory.stat", 0, true},
		{[]string{"memory"}, "tasks", 0, true},
	} {
		there := maps.Clone(files)
		delete(there, c.without)
		l, err := openLane(fakeDir(t, there), c.controllers)
		if (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), c.without) {
			t.Errorf("%q without %q: %v", c.controllers, c.without, err)
			continue
		}
		opened := 0
		for f := range v1FileCount {
			if l.has(f) {
				opened++
			}
		}
		if err == nil && opened != c.opened {
			t.Errorf("%q without %q: %d files, want %d", c.controllers, c.without, opened, c.opened)
		}
		(&v1Driver{}).closeLane(l)
		for _, fd := range l.fds {
			if _, err := readAt(fd, make([]byte, 1)); fd >= 0 && err == nil {
				t.Errorf("descriptor %d is still open", fd)
			}
		}
	}
}

// A lane begins again only when each of its files says so.
func TestLaneBegins(t *testing.T) {
	clean := map[string]string{"memory.stat": "cache 0\nrss 0\nswap 0\n", "memory.oom_control": "oom_kill 0\n", "memory.kmem.usage_in_bytes": "4096\n",
		"memory.kmem.tcp.max_usage_in_bytes": "0\n", "memory.max_usage_in_bytes": "", "memory.limit_in_bytes": "4194304\n", "pids.current": "0\n",
		"pids.peak": "2\n", "pids.events": "max 0\n", "pids.max": "", "cpu.cfs_quota_us": "100000\n", "cpu.stat": "throttled_time 7\n",
		"cpuacct.usage": "300\n", "cpuacct.usage_all": "cpu user system\n0 200 100\n"}
	g := fakeGroup(1, fakeDir(t, clean)).(*v1Group)
	if again, err := g.memory.begin(); !again || err != nil || g.memory.before != (CPU{300, 200, 100}) || g.memory.throttled != 7 {
		t.Errorf("clean: %v, %v, %+v", again, err, g.memory.before)
	}
	for _, c := range []struct {
		file, text string
		fails      bool
	}{
		{"memory.stat", "cache 4096\nrss 0\nswap 0\n", false},
		{"memory.stat", "cache 0\nrss 4096\nswap 0\n", false},
		{"memory.stat", "cache 0\nrss 0\nswap 4096\n", false},
		{"memory.stat", "swap 0\n", false}, // nobody knows
		{"memory.oom_control", "oom_kill 1\n", false},
		{"memory.oom_control", "under_oom 0\n", true},
		{"memory.kmem.usage_in_bytes", "1048576\n", false},
		{"memory.kmem.tcp.max_usage_in_bytes", "4096\n", false},
		{"pids.current", "1\n", false},
		{"pids.current", "x\n", true},
		{"pids.peak", "3\n", false},
		{"pids.events", "max 1\n", false},
		{"cpu.cfs_quota_us", "50000\n", true}, // to be lifted, and another value is held
		{"memory.limit_in_bytes", "x\n", true},
		{"cpuacct.usage_all", "", true},
	} {
		g := fakeGroup(1, fakeDir(t, merged(clean, map[string]string{c.file: c.text}))).(*v1Group)
		if again, err := g.memory.begin(); again || (err != nil) != c.fails || err != nil && !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s %q: %v, %v", c.file, c.text, again, err)
		}
	}
}
