package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// jobSpec is a job whose processes are looked at. Each has limits of its own.
type jobSpec struct {
	mark, policy, golden string
	command              []string
	limits               object
	writable             bool
	threads              bool
}

// twoSleepers: a shell gives what it puts into the background another input.
const twoSleepers = "exec 3<&0; sleep 1000 <&3 3<&- & exec 3<&-; sleep 1000"

const manyThreads = `import threading, time
while True:
    while threading.active_count() < 12:
        threading.Thread(target=time.sleep, args=(0.05,)).start()
    time.sleep(0.01)
`

var postures = []jobSpec{
	{mark: "posture-default", policy: "default", golden: "host", command: []string{"sh", "-c", twoSleepers, "posture-default"},
		limits: object{"open_files": 101, "file_bytes": 1 << 20, "stack_bytes": 4 << 20, "cpu_ms": 9000, "wall_ms": 300000}},
	{mark: "posture-judge", policy: "judge", golden: "host", command: []string{"sh", "-c", twoSleepers, "posture-judge"},
		limits: object{"open_files": 102, "file_bytes": 2 << 20, "stack_bytes": 8 << 20, "cpu_ms": 1500, "wall_ms": 30000}},
	{mark: "posture-threads", policy: "default", golden: "host", command: []string{"python3", "-c", manyThreads, "posture-threads"}, threads: true,
		limits: object{"open_files": 103, "file_bytes": 3 << 20, "stack_bytes": 2 << 20, "cpu_ms": 60000, "wall_ms": 300000}},
	{mark: "posture-writable", policy: "mixed", golden: "writable", command: []string{"sh", "-c", twoSleepers, "posture-writable"}, writable: true,
		limits: object{"open_files": 104, "file_bytes": 4 << 20, "stack_bytes": 1 << 20, "cpu_ms": 9000, "wall_ms": 300000}},
}

// TestPosture looks from outside at every process and thread of the service while
// several jobs run: what each may do is what is written here, and nothing else.
func TestPosture(t *testing.T) {
	d := testkit.StartDaemon(t, "--policies", writePolicy(t), "--parallel", fmt.Sprint(len(postures)), "--warm", "1",
		"--languages", "c") // those of others have directories of their own
	s := newService(d.URL, d.Token)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ended []<-chan struct{}
	for _, j := range postures {
		ended = append(ended, j.begin(ctx, t, s))
	}
	h := lookAt(t, d)
	for _, c := range h.cells {
		t.Run(c.name(), func(t *testing.T) { h.checkCell(t, c) })
	}
	for _, server := range h.servers {
		t.Run("fork server", func(t *testing.T) { h.checkServer(t, server) })
	}
	t.Run("each its own", func(t *testing.T) { h.checkApart(t) })
	cancel()
	for _, e := range ended {
		<-e
	}
}

// begin posts the job; it runs until ctx is done.
func (j jobSpec) begin(ctx context.Context, t *testing.T, s *service) <-chan struct{} {
	t.Helper()
	body, err := json.Marshal(object{"policy": j.policy, "command": j.command, "limits": j.limits, "writable_root": j.writable})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/run", bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Content-Type", "application/json")
		if resp, err := s.client.Do(req); err == nil {
			var r result
			_ = json.NewDecoder(resp.Body).Decode(&r)
			resp.Body.Close()
			t.Errorf("%s has ended: %s %s", j.mark, resp.Status, r.step)
		}
	}()
	return ended
}

// house is the service as it is seen from outside.
type house struct {
	daemon  testkit.Process
	servers []testkit.Process
	cells   []cellSeen
}

// cellSeen is a cell: its init and, unless it is warm, what runs in it.
type cellSeen struct {
	init, server testkit.Process
	job          *jobSpec
	processes    []testkit.Process
}

func (c cellSeen) name() string {
	if c.job == nil {
		return "warm"
	}
	return c.job.mark
}

// lookAt waits until every job runs and a warm cell of each fork server waits.
func lookAt(t *testing.T, d *testkit.Daemon) house {
	t.Helper()
	var h house
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		h = sortOut(testkit.Descendants(t, d.Pid))
		seen, warm := map[string]bool{}, map[int]bool{}
		for _, c := range h.cells {
			if c.job == nil {
				warm[c.server.Pid] = true
			} else if len(c.processes) > 1 || c.job.threads {
				seen[c.job.mark] = true
			}
		}
		if len(seen) == len(postures) && len(warm) == len(h.servers) {
			return h
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all is there: jobs %v, warm cells below %v, of %+v\n%s", seen, warm, h, d.Log())
		}
	}
}

// sortOut tells the service's processes apart: children of the daemon under the
// fork server's name, their children, and what is below those.
func sortOut(all []testkit.Process) house {
	const name = "cordon-cell"
	byPid := map[int]testkit.Process{}
	for _, p := range all {
		byPid[p.Pid] = p
	}
	var h house
	at := map[int]int{} // pid of an init or of what is below it: place in cells
	for _, p := range all {
		parent := byPid[p.Parent]
		switch i, below := at[parent.Pid]; {
		case below:
			at[p.Pid] = i
			h.cells[i].processes = append(h.cells[i].processes, p)
			if h.cells[i].job == nil {
				h.cells[i].job = jobOf(p)
			}
		case p.Name == name && parent.Name == name:
			at[p.Pid] = len(h.cells)
			h.cells = append(h.cells, cellSeen{init: p, server: parent})
		case p.Name == name:
			h.servers, h.daemon = append(h.servers, p), parent
		}
	}
	return h
}

func jobOf(p testkit.Process) *jobSpec {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid))
	args := strings.Split(string(text), "\x00")
	for i := range postures {
		if slices.Contains(args, postures[i].mark) {
			return &postures[i]
		}
	}
	return nil
}

func (h house) checkCell(t *testing.T, c cellSeen) {
	first := ownID(t, c.init.Pid)
	if !subordinate(t, first) || !subordinate(t, first+1) || first == os.Getuid() {
		t.Errorf("ids %d and %d are not of the user's range, or the user's own", first, first+1)
	}
	caps := "00000000000000e0" // CAP_KILL, CAP_SETGID, CAP_SETUID: to start a job as another
	if c.job != nil {
		caps = "0000000000000020" // CAP_KILL: to end its strays
	}
	h.checkProcess(t, c.init.Pid, h.confined(t, first, caps))
	compareMaps(t, "init's descriptors", h.descriptors(t, c.init.Pid), map[string]string{"3": "socket", "6": "anon_inode:[signalfd]"})
	if text := read(t, c.init.Pid, "environ"); text != "" {
		t.Errorf("init's environment: %q", text)
	}
	if owner := ownerOf(t, c.init.Pid); owner != os.Getuid() {
		t.Errorf("init's files in /proc belong to %d: it is dumpable", owner)
	}
	golden := h.goldenOf(c.server)
	checkMounts(t, golden, c.init.Pid, first)
	checkGroup(t, h.daemon.Pid, c.init.Pid)
	for _, p := range c.processes {
		h.checkProcess(t, p.Pid, h.confined(t, first+1, strings.Repeat("0", 16)))
		h.checkJob(t, c, p.Pid, golden, first)
	}
	if c.job != nil && c.job.threads {
		h.checkThreads(t, c.processes[0].Pid, h.confined(t, first+1, strings.Repeat("0", 16)))
	}
}

// goldenOf: a fork server and its warm cells have the root of its jobs.
func (h house) goldenOf(server testkit.Process) string {
	for _, c := range h.cells {
		if c.job != nil && c.server.Pid == server.Pid {
			return c.job.golden
		}
	}
	return "host" // of the policy that is prepared first
}

// checkJob is what init does not have: streams, limits, the same namespaces and
// group as init.
func (h house) checkJob(t *testing.T, c cellSeen, pid int, golden string, first int) {
	t.Helper()
	// The empty input is /dev/null by a mount that is attached nowhere: its path there is "/".
	compareMaps(t, "descriptors", h.descriptors(t, pid), map[string]string{"0": "/", "1": "pipe", "2": "pipe"})
	compareMaps(t, "limits", rlimitsOf(t, pid), c.job.rlimits())
	compareMaps(t, "namespaces", namespaces(t, pid), namespaces(t, c.init.Pid))
	if mine, inits := read(t, pid, "cgroup"), read(t, c.init.Pid, "cgroup"); mine != inits {
		t.Errorf("groups %s, init's are %s", mine, inits)
	}
	if owner := ownerOf(t, pid); owner != first+1 {
		t.Errorf("its files in /proc belong to %d, want the job's %d", owner, first+1)
	}
	checkMounts(t, golden, pid, first)
}

// rlimits are what the job asked for, and what no job may choose.
func (j jobSpec) rlimits() map[string]string {
	n := func(v any) string { return fmt.Sprint(v, " ", v) }
	cpu := (j.limits["cpu_ms"].(int)+999)/1000 + 10
	return map[string]string{"Max open files": n(j.limits["open_files"]), "Max file size": n(j.limits["file_bytes"]), "Max stack size": n(j.limits["stack_bytes"]),
		"Max cpu time": fmt.Sprint(cpu, " ", cpu+1), "Max locked memory": n(64 << 10), "Max msgqueue size": n(0),
		"Max realtime priority": n(0), "Max pending signals": n(1024), "Max core file size": coreLimit()}
}

// checkThreads looks at threads as they come and go.
func (h house) checkThreads(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	const enough = 60
	seen := map[string]bool{}
	for deadline := time.Now().Add(time.Minute); len(seen) < enough && time.Now().Before(deadline); {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
			if err != nil {
				continue // it has ended
			}
			seen[task.Name()] = true
			compareMaps(t, "thread "+task.Name(), pick(fields(string(text)), want), want)
		}
	}
	if len(seen) < enough {
		t.Errorf("only %d threads seen", len(seen))
	}
}

// checkServer: a fork server has the daemon's rights, and little besides.
func (h house) checkServer(t *testing.T, p testkit.Process) {
	daemon := fields(read(t, h.daemon.Pid, "status"))
	want := pick(daemon, map[string]string{"Uid": "", "Gid": "", "Groups": "", "Seccomp": "", "NoNewPrivs": "", "CapInh": "", "CapPrm": "", "CapEff": "", "CapBnd": "", "CapAmb": ""})
	want["Threads"] = "1"
	h.checkProcess(t, p.Pid, want)
	fds := h.descriptors(t, p.Pid)
	delete(fds, "2")                                                                                                                 // the service's log, whatever that is
	compareMaps(t, "descriptors", fds, map[string]string{"0": "/dev/null", "1": "/dev/null", "3": "socket", "4": "net", "5": "mnt"}) // the ways back to its own network and mounts
	mine, daemons := namespaces(t, p.Pid), namespaces(t, h.daemon.Pid)
	for name, ns := range mine {
		own := name == "mnt" || name == "ipc" || name == "uts" || name == "net"
		if (ns != daemons[name]) != own {
			t.Errorf("namespace %s: %s, the daemon's is %s", name, ns, daemons[name])
		}
	}
	for _, file := range []string{"cgroup", "oom_score_adj"} {
		if text := read(t, p.Pid, file); text != read(t, h.daemon.Pid, file) {
			t.Errorf("%s: %s, another than the daemon's", file, text)
		}
	}
	if text := read(t, p.Pid, "environ"); text != "" {
		t.Errorf("environment: %q", text)
	}
	checkMounts(t, "server-"+h.goldenOf(p), p.Pid, -1)
}

// checkApart: no two cells share an id, a namespace or a group.
func (h house) checkApart(t *testing.T) {
	owner := map[string]string{}
	claim := func(what, who string) {
		if other, ok := owner[what]; ok {
			t.Errorf("%s: of %s and of %s", what, who, other)
		}
		owner[what] = who
	}
	for name, ns := range namespaces(t, h.daemon.Pid) {
		claim(name+" "+ns, "the daemon")
	}
	for _, c := range h.cells {
		who := fmt.Sprintf("%s %d", c.name(), c.init.Pid)
		first := ownID(t, c.init.Pid)
		claim(fmt.Sprint("id ", first), who)
		claim(fmt.Sprint("id ", first+1), who)
		for line := range strings.Lines(read(t, c.init.Pid, "cgroup")) {
			if group := strings.TrimSpace(line); strings.Contains(group, "/cell-") || strings.Contains(group, "/lane-") {
				claim("group "+group, who)
			}
		}
		for name, ns := range namespaces(t, c.init.Pid) {
			claim(name+" "+ns, who)
		}
	}
	if len(h.cells) < len(postures)+1 {
		t.Errorf("%d cells, with %d jobs", len(h.cells), len(postures))
	}
}
