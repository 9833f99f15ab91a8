package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func read(t *testing.T, pid int, file string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fields reads lines of "name: value".
func fields(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out
}

// pick takes those of the fields that are wanted.
func pick(all, want map[string]string) map[string]string {
	out := map[string]string{}
	for name := range want {
		if v, ok := all[name]; ok {
			out[name] = v
		}
	}
	return out
}

func compareMaps(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || g != w {
			t.Errorf("%s: %s is %q (there: %t), want %q", what, name, g, ok, w)
		}
	}
	for name, g := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is %q, and should not be there", what, name, g)
		}
	}
}

// ownID is the real user id of a process, as the host sees it.
func ownID(t *testing.T, pid int) int {
	t.Helper()
	id, _, _ := strings.Cut(fields(read(t, pid, "status"))["Uid"], "\t")
	n, err := strconv.Atoi(id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// subordinate says whether an id is of this user's range.
func subordinate(t *testing.T, id int) bool {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/etc/subuid")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) != 3 || f[0] != me.Username && f[0] != me.Uid {
			continue
		}
		first, err1 := strconv.Atoi(f[1])
		count, err2 := strconv.Atoi(f[2])
		if err1 == nil && err2 == nil && id >= first && id < first+count {
			return true
		}
	}
	return false
}

// confined is the status of a process with one id, these capabilities and the
// job's filter on top of those that the service itself is under.
func (h house) confined(t *testing.T, id int, caps string) map[string]string {
	t.Helper()
	outer, err := strconv.Atoi(fields(read(t, h.daemon.Pid, "status"))["Seccomp_filters"])
	if err != nil {
		t.Fatal(err)
	}
	ids, none := strings.TrimSuffix(strings.Repeat(strconv.Itoa(id)+"\t", 4), "\t"), strings.Repeat("0", 16)
	return map[string]string{"Uid": ids, "Gid": ids, "Groups": "", "NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": strconv.Itoa(outer + 1),
		"CapInh": none, "CapPrm": caps, "CapEff": caps, "CapBnd": none, "CapAmb": none}
}

// checkProcess wants every thread of a process to have this status.
func (h house) checkProcess(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
		if err != nil {
			continue // it has ended
		}
		compareMaps(t, "thread "+task.Name(), pick(fields(string(text)), want), want)
	}
	if want["Seccomp"] == "2" && want["NoNewPrivs"] == "1" {
		if score := strings.TrimSpace(read(t, pid, "oom_score_adj")); score != "900" {
			t.Errorf("oom_score_adj %s, want 900", score)
		}
	}
}

// descriptors are what a process has open, by number; of sockets and pipes only
// the kind. They belong to ids of the service's range: only the owner of its user
// namespace may look.
func (h house) descriptors(t *testing.T, pid int) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nsenter", "--user", "--preserve-credentials", "--target", strconv.Itoa(h.daemon.Pid), "--",
		"ls", "-l", fmt.Sprintf("/proc/%d/fd/", pid)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fds := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m) (\d+) -> (.*)$`).FindAllStringSubmatch(string(out), -1) {
		to, _, _ := strings.Cut(m[2], " (deleted)")
		if kind, _, ok := strings.Cut(to, ":["); ok && kind != "anon_inode" {
			to = kind
		}
		fds[m[1]] = to
	}
	return fds
}

func namespaces(t *testing.T, pid int) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = to
	}
	return out
}

// ownerOf is who owns the files of a process in /proc that are only for its equals:
// its own id, or the namespace's root when it is not dumpable (proc(5)).
func ownerOf(t *testing.T, pid int) int {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

var limitLine = regexp.MustCompile(`(?m)^(Max .+?)  +(\S+) +(\S+)`)

// rlimitsOf are the limits that Cordon sets, "soft hard".
func rlimitsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range limitLine.FindAllStringSubmatch(read(t, pid, "limits"), -1) {
		all[m[1]] = m[2] + " " + m[3]
	}
	return pick(all, jobSpec{limits: object{"cpu_ms": 0}}.rlimits())
}

// coreLimit is 1, or 0 where the service's own hard limit is.
func coreLimit() string {
	var own unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_CORE, &own) == nil && own.Max == 0 {
		return "0 0"
	}
	return "1 1"
}

// checkGroup: in every hierarchy with a limit of ours the cell has a group of its
// own, and in the others the service's.
func checkGroup(t *testing.T, daemon, pid int) {
	t.Helper()
	groups := func(pid int) map[string]string {
		out := map[string]string{}
		for line := range strings.Lines(read(t, pid, "cgroup")) {
			f := strings.SplitN(strings.TrimSpace(line), ":", 3)
			out[f[1]] = f[2]
		}
		return out
	}
	cells := 0
	daemons := groups(daemon)
	for controllers, path := range groups(pid) {
		kind, _, _ := strings.Cut(filepath.Base(path), "-")
		if kind != "cell" && kind != "lane" {
			if path != daemons[controllers] {
				t.Errorf("%s: group %s, the service's is %s", controllers, path, daemons[controllers])
			}
			continue
		}
		for _, c := range strings.Split(controllers, ",") {
			if slices.Contains([]string{"memory", "pids", "cpu", "cpuacct"}, c) {
				cells++
			} else if c == "" { // v2: all of them
				cells += 4
			}
		}
	}
	if cells != 4 {
		t.Errorf("%d of the controllers memory, pids, cpu, cpuacct have a group of the cell's own: %s", cells, read(t, pid, "cgroup"))
	}
}
