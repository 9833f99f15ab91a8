package cgroup

import (
	"path/filepath"
	"testing"
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

// A group that gets a used lane begins as if there had been no other: at no CPU
// time, not throttled, without a rate.
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
	second, err := d.Create("second")
	if err != nil {
		t.Fatal(err)
	}
	if lanes := lanesOf(t, d); len(lanes) != len(kept) {
		t.Errorf("lanes %q, want the used %q again", lanes, kept)
	}
	if quota := value(t, d, "second", "cpu.cfs_quota_us"); quota != "-1" {
		t.Errorf("a rate of %s before there is a job", quota)
	}
	if u, err := second.Usage(); err != nil || u.CPU.Total > 1e6 || u.CPU.User+u.CPU.System > 1e6 || u.ThrottledNanos != 0 || u.MemoryPeakBytes > 1<<20 {
		t.Errorf("it begins with %+v, %v", u, err)
	}
	// One of which nobody knows what it has used is not lent again, and two at once
	// have one each.
	third, err := d.Create("third")
	if err != nil {
		t.Fatal(err)
	}
	if lanes := lanesOf(t, d); len(lanes) != 2*len(kept) {
		t.Errorf("two groups have the lanes %q", lanes)
	}
	finish(t, second)
	if err := third.Remove(); err != nil {
		t.Error(err)
	}
	if lanes := lanesOf(t, d); len(lanes) != len(kept) {
		t.Errorf("left are %q, want %q", lanes, kept)
	}
}

// Where CPU time and rate are in one hierarchy with memory or processes, a lane has
// nothing of them, and the group opens its own files.
func TestOwnCPUFiles(t *testing.T) {
	d := fakeDir(t, map[string]string{"cpuacct.usage": "300\n", "cpuacct.usage_all": "cpu user system\n0 200 100\n",
		"cpu.stat": "throttled_time 7\n", "cpu.cfs_quota_us": "-1"})
	g := &v1Group{cpu: d, account: d, quota: -1, usage: -1, all: -1, stat: -1, control: -1}
	if err := g.openOwn(); err != nil {
		t.Fatal(err)
	}
	if used, err := g.CPU(); err != nil || used.Total != 300 {
		t.Errorf("%+v, %v", used, err)
	}
	if err := g.Unthrottle(); err != nil {
		t.Error(err)
	}
	opened := g.opened
	if err := g.Remove(); err != nil || len(opened) != 4 {
		t.Errorf("%d opened, %v", len(opened), err)
	}
	for _, fd := range opened {
		if _, err := readAt(fd, make([]byte, 1)); err == nil {
			t.Errorf("descriptor %d is still open", fd)
		}
	}
	for _, b := range []v1Base{{controllers: []string{"cpu", "memory"}}, {controllers: []string{"pids"}}} {
		if b.counts() {
			t.Errorf("%v counts nothing but CPU", b.controllers)
		}
	}
}
