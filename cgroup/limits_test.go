package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"time"
)

// noSwap lets drivers see a machine without swap.
func noSwap(t *testing.T) {
	h, _ := probeHost(t, "", "", nil)
	replaceHost(t, h)
}

// fakeDir is a directory of plain files. They take what is written at their
// beginning and keep what they held behind it: an empty one is a kernel that takes
// a value, a long one a kernel that holds another.
func fakeDir(t *testing.T, files map[string]string) dir {
	t.Helper()
	path := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func fakeGroup(version int, d dir) Group {
	if version == 2 {
		return &v2Group{dir: d, stat: opened(d, "cpu.stat")}
	}
	l := &lane{dir: d}
	for f, file := range v1Files {
		fd, err := d.open(file.name, file.flags)
		if err != nil {
			fd = -1
		}
		l.fds[f] = fd
	}
	return &v1Group{driver: &v1Driver{}, memory: l, pids: l, cpu: l, account: l}
}

// opened is what Create keeps open; -1 when the file is not there.
func opened(d dir, name string) int {
	fd, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return -1
	}
	return fd
}

// limitFiles are the files of a limited group with what someLimits writes to them.
var limitFiles = map[int]map[string]string{
	1: {"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864", "memory.kmem.tcp.limit_in_bytes": "67108864",
		"pids.max": "17", "cpu.cfs_quota_us": "150000"},
	2: {"memory.max": "67108864", "memory.oom.group": "1", "pids.max": "17", "cpu.max": "150000 100000", "memory.swap.max": "0"},
}

// emptyFiles are the limit files of a fresh group, without one.
func emptyFiles(version int, without string) map[string]string {
	files := map[string]string{}
	for name := range limitFiles[version] {
		if name != without {
			files[name] = ""
		}
	}
	return files
}

var someLimits = Limits{MemoryBytes: 64<<20 + 1, Pids: 17, CPUs: 1.5}

func TestSetLimitsWrites(t *testing.T) {
	noSwap(t)
	for version, want := range limitFiles {
		d := fakeDir(t, emptyFiles(version, ""))
		applied, err := fakeGroup(version, d).SetLimits(someLimits)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if got, err := os.ReadFile(filepath.Join(d.path, name)); err != nil || string(got) != value {
				t.Errorf("v%d %s holds %q, %v; want %q", version, name, got, err, value)
			}
		}
		var limits []string
		for _, a := range applied {
			limits = append(limits, a.Limit)
			driver, file, _ := strings.Cut(a.EnforcedBy, " ")
			if driver != fmt.Sprintf("cgroup-v%d", version) || want[file] == "" {
				t.Errorf("v%d: %+v", version, a)
			}
		}
		if !slices.Equal(limits, []string{"memory_bytes", "pids", "cpus"}) {
			t.Errorf("v%d: applied %v", version, limits)
		}
	}
}

// A kernel that keeps another value has not taken the limit: the error names the
// file, what was wanted and what was found.
func TestSetLimitsReadsBack(t *testing.T) {
	noSwap(t)
	const keeps = "9223372036854771712"
	for version, values := range limitFiles {
		for name, value := range values {
			files := emptyFiles(version, "")
			files[name] = keeps
			d := fakeDir(t, files)
			applied, err := fakeGroup(version, d).SetLimits(someLimits)
			want := fmt.Sprintf("read back %s/%s: wrote %s, the kernel holds %s", d.path, name, value, value+keeps[len(value):])
			if err == nil || err.Error() != want || applied != nil {
				t.Errorf("v%d: got %v, %v; want %s", version, applied, err, want)
			}
		}
	}
}

// A file that is not there, or swallows the value, is no limit either.
func TestSetLimitsFails(t *testing.T) {
	noSwap(t)
	optional := []string{"memory.memsw.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes", "memory.swap.max"}
	for version, values := range limitFiles {
		for name := range values {
			_, err := fakeGroup(version, fakeDir(t, emptyFiles(version, name))).SetLimits(someLimits)
			if want := !slices.Contains(optional, name); (err != nil) != want || err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("v%d without %s: %v", version, name, err)
			}
			d := fakeDir(t, emptyFiles(version, name))
			if err := os.Symlink("/dev/null", filepath.Join(d.path, name)); err != nil {
				t.Fatal(err)
			}
			if _, err := fakeGroup(version, d).SetLimits(someLimits); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("v%d: %s swallows what is written: %v", version, name, err)
			}
		}
	}
}

// Without a file that forbids swap, swap must be off.
func TestSetLimitsWithSwapOn(t *testing.T) {
	h, _ := probeHost(t, "", "", map[string]string{"swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 1000 0 -2\n"})
	replaceHost(t, h)
	for version, file := range map[int]string{1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"} {
		files := emptyFiles(version, "")
		if _, err := fakeGroup(version, fakeDir(t, files)).SetLimits(someLimits); err != nil {
			t.Errorf("v%d with %s: %v", version, file, err)
		}
		delete(files, file)
		if _, err := fakeGroup(version, fakeDir(t, files)).SetLimits(someLimits); err != errSwap {
			t.Errorf("v%d without %s: %v", version, file, err)
		}
	}
}

var counterFiles = map[int]map[string]string{
	1: {"cpuacct.usage": "300\n", "cpuacct.usage_all": "cpu user system\n0 150 90\n1 50 10\n", "memory.max_usage_in_bytes": "4096\n",
		"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", "pids.peak": "5\n", "pids.events": "max 3\n",
		"cpu.stat": "nr_periods 1\nnr_throttled 1\nthrottled_time 700\n"},
	2: {"cpu.stat": "usage_usec 3\nuser_usec 2\nsystem_usec 1\nnr_periods 1\nnr_throttled 1\nthrottled_usec 7\n", "memory.peak": "4096\n",
		"memory.events": "low 0\nhigh 0\nmax 4\noom 2\noom_kill 2\noom_group_kill 1\n", "pids.peak": "5\n", "pids.events": "max 3\n",
		"io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n"},
}

var wantUsage = map[int]Usage{
	1: {CPU{300, 200, 100}, 700, 4096, 2, 5, 3, -1, -1},
	2: {CPU{3000, 2000, 1000}, 7000, 4096, 2, 5, 3, 10, 20},
}

func TestUsage(t *testing.T) {
	for version, files := range counterFiles {
		g := fakeGroup(version, fakeDir(t, files))
		if got, err := g.Usage(); err != nil || got != wantUsage[version] {
			t.Errorf("v%d: got %+v, %v; want %+v", version, got, err, wantUsage[version])
		}
		if got, err := g.CPU(); err != nil || got.Total != wantUsage[version].CPU.Total {
			t.Errorf("v%d: got %+v, %v", version, got, err)
		}
	}
}

// TestNowAndHeld reads what a group has at this moment, and its limits as they are.
func TestNowAndHeld(t *testing.T) {
	for version, files := range map[int]map[string]string{
		1: {"memory.usage_in_bytes": "4096\n", "pids.current": "3\n", "memory.limit_in_bytes": "8192\n", "memory.memsw.limit_in_bytes": "8192\n", "pids.max": "7\n", "cpu.cfs_quota_us": "-1\n"},
		2: {"memory.current": "4096\n", "pids.current": "3\n", "memory.max": "8192\n", "memory.oom.group": "1\n", "pids.max": "7\n", "cpu.max": "max 100000\n"},
	} {
		g := fakeGroup(version, fakeDir(t, files))
		if n, err := g.Now(); err != nil || n != (Now{4096, 3}) {
			t.Errorf("v%d: %+v, %v", version, n, err)
		}
		held, err := g.Held()
		values := map[string]string{}
		for _, h := range held {
			values[h.File] = h.Value + "\n"
		}
		for name, value := range values {
			if files[name] != value {
				t.Errorf("v%d: %s is %q", version, name, value)
			}
		}
		if err != nil || len(held) != 4 {
			t.Errorf("v%d: %+v, %v", version, held, err)
		}
		missing := merged(files, nil)
		delete(missing, "pids.current")
		if _, err := fakeGroup(version, fakeDir(t, missing)).Now(); err == nil {
			t.Errorf("v%d: without pids.current", version)
		}
	}
}

// What not every kernel counts is -1; what the verdict stands on is an error.
func TestUsageMissing(t *testing.T) {
	minus := map[string]func(*Usage){
		"pids.peak": func(u *Usage) { u.PidsPeak = -1 }, "memory.peak": func(u *Usage) { u.MemoryPeakBytes = -1 },
		"io.stat": func(u *Usage) { u.IOReadBytes, u.IOWriteBytes = -1, -1 },
	}
	for version, all := range counterFiles {
		for name := range all {
			files := merged(all, nil)
			delete(files, name)
			got, err := fakeGroup(version, fakeDir(t, files)).Usage()
			want := wantUsage[version]
			if set := minus[name]; set != nil {
				if set(&want); err != nil || got != want {
					t.Errorf("v%d without %s: got %+v, %v; want %+v", version, name, got, err, want)
				}
			} else if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("v%d without %s: %v", version, name, err)
			}
		}
	}
}

func TestUsageOtherText(t *testing.T) {
	for _, c := range []struct {
		version    int
		file, text string
		want       func(*Usage) // nil: an error
	}{
		{1, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", nil}, // before Linux 4.13
		{1, "cpuacct.usage", "x\n", nil},
		{1, "cpuacct.usage_all", "", nil},
		{1, "cpuacct.usage_all", "cpu user\n0 1\n", nil},
		{1, "cpuacct.usage_all", "cpu user system\n0 1\n", nil},
		{1, "cpuacct.usage_all", "cpu user system\n0 1 x\n", nil},
		{1, "cpuacct.usage_all", "cpu user system\n", func(u *Usage) { u.CPU.User, u.CPU.System = 0, 0 }},
		{1, "memory.max_usage_in_bytes", "\n", nil},
		{1, "pids.peak", "many\n", nil},
		{1, "pids.events", "", func(u *Usage) { u.PidsMaxHits = -1 }},
		{1, "cpu.stat", "nr_periods 1\n", func(u *Usage) { u.ThrottledNanos = -1 }},
		{2, "memory.events", "oom 2\noom_group_kill 1\n", nil},
		{2, "cpu.stat", "usage_usec 3\nuser_usec 2\n", nil},
		{2, "memory.peak", "x\n", nil},
		{2, "cpu.stat", "usage_usec 3\nuser_usec 2\nsystem_usec 1\n", func(u *Usage) { u.ThrottledNanos = -1 }},
		{2, "pids.events", "", func(u *Usage) { u.PidsMaxHits = -1 }},
		{2, "io.stat", "", func(u *Usage) { u.IOReadBytes, u.IOWriteBytes = 0, 0 }},
	} {
		got, err := fakeGroup(c.version, fakeDir(t, merged(counterFiles[c.version], map[string]string{c.file: c.text}))).Usage()
		want := wantUsage[c.version]
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.file) {
				t.Errorf("v%d %s %q: got %+v, %v", c.version, c.file, c.text, got, err)
			}
			continue
		}
		if c.want(&want); err != nil || got != want {
			t.Errorf("v%d %s %q: got %+v, %v; want %+v", c.version, c.file, c.text, got, err, want)
		}
	}
}

// Many devices: the counters are whole, however long the file is.
func TestUsageOfManyDevices(t *testing.T) {
	text := strings.Repeat("253:1 rbytes=1000000 wbytes=2000000 rios=1 wios=1 dbytes=0 dios=0\n", 200)
	got, err := fakeGroup(2, fakeDir(t, merged(counterFiles[2], map[string]string{"io.stat": text}))).Usage()
	if err != nil || got.IOReadBytes != 200_000_000 || got.IOWriteBytes != 400_000_000 {
		t.Errorf("got %d and %d, %v", got.IOReadBytes, got.IOWriteBytes, err)
	}
}

func TestWaitFewFiles(t *testing.T) {
	for version := 1; version <= 2; version++ {
		for text, ok := range map[string]bool{"0\n": true, "1\n": true, "x\n": false, "": false} {
			if err := fakeGroup(version, fakeDir(t, map[string]string{"pids.current": text})).WaitFew(t.Context(), 1); (err == nil) != ok {
				t.Errorf("v%d %q: %v", version, text, err)
			}
		}
		if err := fakeGroup(version, fakeDir(t, nil)).WaitFew(t.Context(), 1); err == nil {
			t.Errorf("v%d: no pids.current, and no error", version)
		}
		d := fakeDir(t, map[string]string{"pids.current": "2\n"})
		go func() { // in one write, as the kernel does
			time.Sleep(time.Millisecond)
			_ = d.write("pids.current", "1\n")
		}()
		if err := fakeGroup(version, d).WaitFew(t.Context(), 1); err != nil {
			t.Errorf("v%d: %v", version, err)
		}
	}
}

// The kill goes by cgroup.kill where there is one.
func TestKillFile(t *testing.T) {
	d := fakeDir(t, map[string]string{"cgroup.kill": "", "cgroup.procs": ""})
	if err := fakeGroup(2, d).Kill(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(d.path, "cgroup.kill")); err != nil || string(got) != "1" {
		t.Errorf("cgroup.kill holds %q, %v", got, err)
	}
	if err := fakeGroup(2, fakeDir(t, nil)).Kill(); err == nil {
		t.Error("neither cgroup.kill nor cgroup.procs, and no error")
	}
}

func TestProcesses(t *testing.T) {
	d := fakeDir(t, map[string]string{"cgroup.procs": "12\n0\n7\nx\n\n9\n"}) // 0: outside of this pid namespace
	if got, err := d.processes("cgroup.procs"); err != nil || !slices.Equal(got, []int{12, 7, 9}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := d.processes("none"); err == nil {
		t.Error("a file that is not there, and no error")
	}
}
