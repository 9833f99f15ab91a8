package testkit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cordon/internal/processes"
)

// Traces are what a service and its jobs can be seen by from outside, noted while
// they live. What is asked of each when they are gone:
//
//   - no process of those that were there lives, and none with a subordinate id of
//     this user, but in a cell of another service of the same user;
//   - no group of the service's has a process;
//   - none of the processes that there were then lives in one of the mount
//     namespaces, and no mount namespace of a living process shows the service's
//     mount point. Younger processes may be in a new namespace with an old number.
type Traces struct {
	processes  []Process
	instances  []string // directories of cgroups, one in each hierarchy
	namespaces map[string]bool
	mountPoint string
	ids        []idRange
	noted      float64 // when, in clock ticks since the machine started
}

// Traces notes what there is of the service now.
func (d *Daemon) Traces(tb testing.TB) *Traces {
	tb.Helper()
	t := &Traces{processes: Descendants(tb, d.Pid), ids: subordinate(tb), namespaces: map[string]bool{}}
	t.instances = instances(tb, t.processes)
	own := mountNamespace(os.Getpid())
	for _, p := range t.processes {
		if ns := mountNamespace(p.Pid); ns != "" && ns != own {
			t.namespaces[ns] = true
		}
	}
	inner, err := os.ReadFile(filepath.Join(d.State, "lock"))
	if err != nil || len(t.instances) == 0 || own == "" || len(t.namespaces) < 2 {
		tb.Fatalf("%d processes, groups %v, mount namespaces %v; the daemon's and a fork server's are wanted: %v",
			len(t.processes), t.instances, t.namespaces, err)
	}
	t.noted = ticks(tb)
	t.mountPoint = fmt.Sprintf("/cordon-root-%s-", strings.TrimSpace(string(inner)))
	return t
}

// Processes are the service and all below it, the outermost first.
func (t *Traces) Processes() []Process { return t.processes }

// Jobs counts the processes that have a subordinate id.
func (t *Traces) Jobs() (n int) {
	for _, p := range t.processes {
		if uid, ok := userOf(p.Pid); ok && t.subordinate(uid) {
			n++
		}
	}
	return n
}

// Left is what of it is there now, a line each.
func (t *Traces) Left(tb testing.TB) []string {
	tb.Helper()
	var out []string
	for _, p := range Living(t.processes) {
		out = append(out, "process "+p.String())
	}
	for _, dir := range t.instances {
		out = append(out, populated(tb, dir)...)
	}
	if len(out) > 0 {
		return out // the rest costs more to find out
	}
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		tb.Fatal(err)
	}
	seen := map[string]bool{}
	for _, dir := range pids {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		p, ok := processes.Read(pid)
		if !ok || p.State == "Z" {
			continue
		}
		if uid, ok := userOf(pid); ok && t.subordinate(uid) && !t.anothers(pid) {
			out = append(out, fmt.Sprintf("process %s of user %d", p, uid))
		}
		ns := mountNamespace(pid)
		if start, err := strconv.ParseFloat(p.Start, 64); t.namespaces[ns] && err == nil && start <= t.noted {
			out = append(out, fmt.Sprintf("process %s in %s", p, ns))
		}
		if ns == "" || seen[ns] {
			continue // another user's, or known
		}
		seen[ns] = true
		if text, err := os.ReadFile(filepath.Join(dir, "mountinfo")); err == nil && strings.Contains(string(text), t.mountPoint) {
			out = append(out, fmt.Sprintf("a mount at …%s… in %s of process %s", t.mountPoint, ns, p))
		}
	}
	return out
}

// Leftovers counts the groups that the next start has to remove: in the hierarchy that
// has most of them.
func (t *Traces) Leftovers(tb testing.TB) (most int) {
	tb.Helper()
	for _, dir := range t.instances {
		cells, err := filepath.Glob(filepath.Join(dir, "*-*", "cgroup.procs"))
		if err != nil {
			tb.Fatal(err)
		}
		most = max(most, len(cells))
	}
	return most
}

// Empty are the groups of cells without a process: leftovers, or cells that are being
// made or taken down at this moment. Lanes of cgroup v1 are meant to be there.
func (t *Traces) Empty(tb testing.TB) []string {
	tb.Helper()
	var out []string
	for _, dir := range t.instances {
		cells, err := filepath.Glob(filepath.Join(dir, "cell-*"))
		if err != nil {
			tb.Fatal(err)
		}
		for _, c := range cells {
			if len(populated(tb, c)) == 0 {
				out = append(out, c)
			}
		}
	}
	return out
}

// populated lists the processes of a group and of those below it.
func populated(tb testing.TB, dir string) []string {
	tb.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil || e.IsDir() || e.Name() != "cgroup.procs":
			return err
		}
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			return nil
		}
		if pids := strings.Fields(string(text)); len(pids) > 0 {
			out = append(out, fmt.Sprintf("group %s with processes %v", filepath.Dir(path), pids))
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// anothers: the process is in a cell of another service of this user, which has the
// same subordinate ids.
func (t *Traces) anothers(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return true // gone
	}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || !processes.IsCellGroup(filepath.Base(f[2])) {
			continue
		}
		instance := filepath.Base(filepath.Dir(f[2]))
		return !slices.ContainsFunc(t.instances, func(dir string) bool { return filepath.Base(dir) == instance })
	}
	return belowDaemon(pid) // being made: not in its group yet
}

// belowDaemon: an ancestor of the process is a living daemon. It is asked only
// when the service that was killed has no living process any more.
func belowDaemon(pid int) bool {
	for p, ok := processes.Read(pid); ok && p.Pid > 1; p, ok = processes.Read(p.Parent) {
		if strings.Contains(p.Arguments(), " __inside-") {
			return true
		}
	}
	return false
}

// ticks is the time since the machine started, as /proc/PID/stat counts it: in
// hundredths of a second on every architecture that Cordon runs on.
func ticks(tb testing.TB) float64 {
	tb.Helper()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		tb.Fatal(err)
	}
	var seconds float64
	if _, err := fmt.Sscan(string(text), &seconds); err != nil {
		tb.Fatalf("/proc/uptime: %q: %v", text, err)
	}
	return seconds * 100
}

// mountNamespace names it; "" where it is not ours to see, or the process is gone.
func mountNamespace(pid int) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return ""
	}
	return name
}
