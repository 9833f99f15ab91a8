package cgroup

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fuzzedGroup is a group whose files hold what the fuzzer says. A file without text
// is not there.
func fuzzedGroup(t *testing.T, version int, files map[string]string) Group {
	t.Helper()
	where := "/dev/shm" // many times as fast as a disk
	if unix.Access(where, unix.W_OK) != nil {
		where = ""
	}
	path, err := os.MkdirTemp(where, "group-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	for name, text := range files {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	g := fakeGroup(version, d)
	t.Cleanup(func() {
		switch g := g.(type) {
		case *v1Group:
			for _, fd := range g.memory.fds {
				if fd >= 0 {
					unix.Close(fd)
				}
			}
		case *v2Group:
			unix.Close(g.stat)
		}
	})
	return g
}

// plainNumber reads a whole file as the drivers must: a second way to it.
func plainNumber(text string) (int64, bool) {
	if text = strings.TrimRight(text, "\n "); text == "max" {
		return math.MaxInt64, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// plainField finds "key number" in lines.
func plainField(text, key string) (int64, bool) {
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			return plainNumber(rest)
		}
	}
	return -1, false
}

// accounted: an answer is what the files say; an error names one of them that is
// missing or says something else, and never comes with a good-looking answer.
func accounted(t *testing.T, files map[string]string, err error, got, want []int64, sound bool) {
	t.Helper()
	for _, text := range files {
		if len(text) > 64 { // longer than the kernel writes, and than is read of it
			return
		}
	}
	if err != nil {
		var path *os.PathError
		if sound || !errors.As(err, &path) {
			t.Errorf("%q: %v", files, err)
		} else if _, ours := files[filepath.Base(path.Path)]; !ours && filepath.Base(path.Path) != "cpu.stat" {
			t.Errorf("%q: the error names %s", files, path.Path)
		}
		return
	}
	if !sound || !slices.Equal(got, want) {
		t.Errorf("%q: got %v, want %v; files good: %v", files, got, want, sound)
	}
}

func FuzzUsageV1(f *testing.F) {
	f.Add("1500\n", int64(1000), int64(500), "4096\n", "0\n", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", "7\n", "max 3\n", "throttled_time 9\n")
	f.Add("1500\n", int64(1000), int64(500), "4096\n", "1048576\n", "oom_kill 0\n", "", "max 3\nx", "nr_periods 1\n")
	f.Add("max\n", int64(-1), int64(12), "9223372036854775808\n", "", "oom_kill\n", "\n", "", "throttled_time x\n")
	f.Fuzz(func(t *testing.T, usage string, user, sys int64, peak, tcp, oom, pids, events, stat string) {
		files := map[string]string{"cpuacct.usage": usage, "cpuacct.usage_all": fmt.Sprintf("cpu user system\n0 %d %d\n1 5 7\n", user, sys),
			"memory.max_usage_in_bytes": peak, "memory.kmem.tcp.max_usage_in_bytes": tcp, "memory.oom_control": oom,
			"pids.peak": pids, "pids.events": events, "cpu.stat": stat}
		u, err := fuzzedGroup(t, 1, files).Usage()
		sound := events != "" && stat != ""
		must := func(n int64, ok bool) int64 { sound = sound && ok; return n }
		want := []int64{must(plainNumber(usage)), user + 5, sys + 7, must(plainNumber(peak))}
		if tcp != "" { // where the kernel counts it
			if n := must(plainNumber(tcp)); n > tcpAhead {
				want[3] += n
			}
		}
		want = append(want, must(plainField(oom, "oom_kill")), -1)
		if pids != "" {
			want[5] = must(plainNumber(pids))
		}
		want = append(want, orMissing(plainField(events, "max")), orMissing(plainField(stat, "throttled_time")))
		accounted(t, files, err, []int64{u.CPU.Total, u.CPU.User, u.CPU.System, u.MemoryPeakBytes, u.OOMKills, u.PidsPeak,
			u.PidsMaxHits, u.ThrottledNanos}, want, sound)
	})
}

func FuzzUsageV2(f *testing.F) {
	f.Add("usage_usec 30\nuser_usec 20\nsystem_usec 10\nthrottled_usec 1\n", "4096\n", "oom 1\noom_kill 1\n", "7\n", "max 3\n")
	f.Add("usage_usec 30\nuser_usec 20\nsystem_usec 10\n", "", "oom_kill 0", "", "x\n")
	f.Add("usage_usec max\n", "max\n", "oom_kill -1\n", "1 1\n", "max max\n")
	f.Fuzz(func(t *testing.T, stat, peak, events, pids, hits string) {
		files := map[string]string{"cpu.stat": stat, "memory.peak": peak, "memory.events": events, "pids.peak": pids, "pids.events": hits}
		u, err := fuzzedGroup(t, 2, files).Usage()
		sound := hits != ""
		must := func(n int64, ok bool) int64 { sound = sound && ok; return n }
		want := []int64{1000 * must(plainField(stat, "usage_usec")), 1000 * must(plainField(stat, "user_usec")),
			1000 * must(plainField(stat, "system_usec")), orMissing(plainField(stat, "throttled_usec")), -1, must(plainField(events, "oom_kill")), -1,
			orMissing(plainField(hits, "max"))}
		if want[3] > 0 {
			want[3] *= 1000
		}
		if peak != "" {
			want[4] = must(plainNumber(peak))
		}
		if pids != "" {
			want[6] = must(plainNumber(pids))
		}
		accounted(t, files, err, []int64{u.CPU.Total, u.CPU.User, u.CPU.System, u.ThrottledNanos, u.MemoryPeakBytes, u.OOMKills,
			u.PidsPeak, u.PidsMaxHits}, want, sound)
	})
}

func orMissing(n int64, ok bool) int64 {
	if !ok {
		return -1
	}
	return n
}

// FuzzProcesses: what is killed is what the file names, line by line; never 0 or
// below, which would be groups of processes, or every one.
func FuzzProcesses(f *testing.F) {
	f.Add("1\n22\n333\n")
	f.Add("0\n-1\n\n7 \n99999999999999999999\n1x\nmax\n5")
	f.Fuzz(func(t *testing.T, text string) {
		g := fuzzedGroup(t, 1, map[string]string{"cgroup.procs": text})
		pids, err := g.(*v1Group).pids.dir.processes("cgroup.procs")
		if (err != nil) != (text == "") {
			t.Fatalf("%q: %v", text, err)
		}
		var want []int
		for _, line := range strings.SplitAfter(text, "\n") {
			if n, ok := plainNumber(line); ok && n > 0 && n <= math.MaxInt32 && strings.HasSuffix(line, "\n") {
				want = append(want, int(n))
			}
		}
		if !slices.Equal(pids, want) {
			t.Errorf("%q: got %v, want %v", text, pids, want)
		}
	})
}
