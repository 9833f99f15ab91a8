package cell_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
	"cordon/seccomp"
)

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || g != w {
			t.Errorf("%s is %q (told: %v), want %q", name, g, ok, w)
		}
	}
}

// What a job is given: three descriptors, its limits, and nothing of the daemon's.
func testState(t *testing.T, k *kit) {
	got := k.facts(t, k.server, cell.Program{Args: []string{"./probe", "state", ""}, Env: []string{"ONLY=this"}, Umask: 0o27,
		Rlimits: []cell.Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 32, Hard: 64}, {Resource: unix.RLIMIT_FSIZE, Soft: 1 << 20, Hard: 1 << 20},
			{Resource: unix.RLIMIT_STACK, Soft: 1 << 20, Hard: 2 << 20}, {Resource: unix.RLIMIT_CORE, Soft: 1, Hard: 1},
			{Resource: unix.RLIMIT_CPU, Soft: 3, Hard: 4}, {Resource: unix.RLIMIT_MEMLOCK, Soft: 0, Hard: 0},
			{Resource: unix.RLIMIT_MSGQUEUE, Soft: 0, Hard: 0}}})
	compare(t, got, map[string]string{"fds": "0 1 2", "arg0": "./probe", "arg1": "state", "arg2": "", "env": "ONLY=this", "umask": "027",
		"NOFILE": "32 64", "FSIZE": "1048576 1048576", "STACK": "1048576 2097152", "CORE": "1 1", "CPU": "3 4", "MEMLOCK": "0 0",
		"MSGQUEUE": "0 0", "pid": "2", "ppid": "1", "session": "2", "group": "2", "hostname": "cordon", "cwd": "/work", "tty": "ENOENT"})
}

// The kernel's own account of the job's process (proc_pid_status(5)).
func testStatus(t *testing.T, k *kit) {
	for name, filter := range map[string]*os.File{"open": k.open, "strict": k.strict} {
		r := begin(t, k.warm(t, k.server, filter), &cell.Program{Args: []string{"/bin/cat", "/proc/self/status"}}, "").end(t)
		got := table(r.out, ":")
		want := map[string]string{"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1", "Pid": "2", "PPid": "1", "NSpid": "2",
			"TracerPid": "0", "Uid": "1000\t1000\t1000\t1000", "Gid": "1000\t1000\t1000\t1000"}
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "SigBlk", "SigIgn", "SigPnd", "ShdPnd"} {
			want[set] = strings.Repeat("0", 16)
		}
		if !k.single { // with a single id the kernel does not let groups be dropped
			want["Groups"] = ""
		}
		t.Run(name, func(t *testing.T) { compare(t, got, want) })
	}
}

// Behind a filter that allows everything the other locks still hold.
func testAttempts(t *testing.T, k *kit) {
	want := map[string]string{
		"setuid": "EPERM", "setgid": "EPERM", "setgroups": "EPERM", "chroot": "EPERM", "mount": "EPERM", "remount": "EPERM",
		"umount": "EPERM", "pivot_root": "EPERM", "mknod": "EPERM", "sethostname": "EPERM",
		"unshare_user": "ENOSPC", "unshare_mount": "EPERM", "unshare_net": "EPERM", "unshare_pid": "EPERM",
		"setns": "EBADF", "ptrace_init": "EPERM", "open_init_mem": "EACCES", "open_init_root": "EACCES", "open_init_fd": "EACCES",
		"read_init_fd": "EACCES", "pidfd_getfd_init": "EPERM", "read_init_memory": "EPERM",
		"open_init_environ": "EACCES", "write_root": "EROFS", "write_usr": "EROFS", "write_sysctl": "EACCES",
		"write_userns_sysctl": "EACCES", "lower_oom_score": "EBADF", "raise_nofile": "EPERM", "nice": "EACCES",
		"scratch": "ENOENT", "write_work": "worked",
	}
	if k.single { // id 0 has no meaning there, and what is root's in a cell is the job's
		want["setuid"], want["setgid"] = "EINVAL", "EINVAL"
		var owner unix.Stat_t
		if err := unix.Stat("/proc/sys/kernel/hostname", &owner); err != nil {
			t.Fatal(err)
		}
		if owner.Uid == 0 { // the host's root runs the tests: only the mount protects its files
			want["write_sysctl"] = "EROFS"
		}
	}
	got := k.facts(t, k.server, cell.Program{Args: []string{"./probe", "attempts"},
		Rlimits: []cell.Rlimit{{Resource: unix.RLIMIT_NOFILE, Soft: 64, Hard: 64}}})
	compare(t, got, want)
	if len(got) != len(want) {
		t.Errorf("%d attempts, %d expected", len(got), len(want))
	}
	// Where nobody forbids it, a nested namespace can be made: the refusal is ours.
	if out, err := exec.Command("unshare", "-U", "true").CombinedOutput(); err != nil {
		t.Errorf("unshare -U outside of a cell: %v %s", err, out)
	}
	if r := k.run(t, &cell.Program{Args: []string{"unshare", "-U", "true"}}); r.Status.ExitStatus() == 0 || !strings.Contains(r.errs, "No space") {
		t.Errorf("unshare -U in a cell: %+v", r)
	}
}

// What the default profile denies is denied with an errno, and named.
func testFilter(t *testing.T, k *kit) {
	c := k.warm(t, k.server, k.strict)
	listener, err := seccomp.NewListener(c.Listener, k.rules, func(name string) { t.Errorf("%s ended the job", name) })
	if err != nil {
		t.Fatal(err)
	}
	c.Listener = nil // the listener's now
	done := make(chan struct{})
	go func() { defer close(done); listener.Run() }()
	r := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", "unshare -U true; echo $?; unshare -U true; mount -t tmpfs x /tmp; echo over"}}, "").end(t)
	<-done // the last process with the filter is gone
	listener.Close()
	if r.out != "1\nover\n" || strings.Count(r.errs, "Operation not permitted")+strings.Count(r.errs, "ermission denied") < 2 {
		t.Errorf("%+v", r)
	}
	denied := map[string]int64{}
	for _, d := range listener.Denied() {
		denied[d.Name] = d.Count
	}
	if denied["unshare"] != 2 {
		t.Errorf("denied: %v, want unshare twice", denied)
	}
	// With nobody to ask, a denied call fails; it does not go through and does not hang.
	c = k.warm(t, k.server, k.strict)
	c.Listener.Close()
	c.Listener = nil
	if r := begin(t, c, &cell.Program{Args: []string{"unshare", "-U", "true"}}, "").end(t); r.Status.ExitStatus() == 0 ||
		!strings.Contains(r.errs, "Function not implemented") {
		t.Errorf("without a listener: %+v", r)
	}
}

// Every namespace is the cell's own, and two cells share none.
func testNamespaces(t *testing.T, k *kit) {
	names := []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}
	script := "for n in " + strings.Join(names, " ") + "; do readlink /proc/self/ns/$n; done"
	first := begin(t, k.warm(t, k.server, k.open), &cell.Program{Args: []string{"/bin/sh", "-c", script + "; echo; exec sleep 1000"}}, "")
	for line := range first.lines { // it lives on, or its numbers could be given again
		if strings.HasSuffix(line, "\n\n") || line == "\n" {
			break
		}
	}
	two := strings.Fields(k.shell(t, script).out)
	if err := first.cell.Kill(); err != nil {
		t.Error(err)
	}
	one := strings.Fields(first.end(t).out)
	if len(one) != len(names) || len(two) != len(names) {
		t.Fatalf("%q %q", one, two)
	}
	for i, n := range names {
		ours, err := os.Readlink("/proc/self/ns/" + n)
		if err != nil {
			t.Fatal(err)
		}
		if one[i] == ours || two[i] == ours || one[i] == two[i] {
			t.Errorf("%s: %s and %s, the daemon's is %s", n, one[i], two[i], ours)
		}
	}
}

// Each cell has ids of its own in the daemon's namespace; the service user's, 0
// there, is never among them, unless there is no other.
func testIDs(t *testing.T, k *kit) {
	seen := map[string]bool{}
	for range 2 {
		order := k.order(k.open)
		c, err := k.server.Cell(order)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Ready(); err != nil {
			t.Fatal(err)
		}
		p := cell.Program{Args: []string{"/bin/sh", "-c", "echo up; exec sleep 1000"}}
		j := begin(t, c, &p, "")
		<-j.lines
		job, err := strconv.Atoi(children(t, c.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		for pid, offset := range map[int]int{c.Pid(): 0, job: 1} {
			id := 0
			if !k.single {
				id = order.FirstID + offset
			}
			want := fmt.Sprintf("%d\t%[1]d\t%[1]d\t%[1]d", id)
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				t.Fatal(err)
			}
			got := table(string(text), ":")
			compare(t, got, map[string]string{"Uid": want, "Gid": want})
			if id != 0 && seen[got["Uid"]] {
				t.Errorf("ids %s twice", got["Uid"])
			}
			seen[got["Uid"]] = true
		}
		score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", job))
		if err != nil || string(score) != "900\n" {
			t.Errorf("oom_score_adj %q, %v: a job goes before the daemon", score, err)
		}
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		j.end(t)
	}
}

// The only interface is the cell's own loopback, and it is up.
func testNetwork(t *testing.T, k *kit) {
	r := k.shell(t, "tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/route | wc -l; grep -c 127.0.0.1 /proc/net/fib_trie")
	if f := strings.Fields(r.out); len(f) != 3 || f[0] != "lo" || f[1] != "1" || f[2] == "0" {
		t.Errorf("%q %s", r.out, r.errs)
	}
}

// Signals that the daemon ignores, as below nohup(1), work in a job.
func testSignals(t *testing.T, k *kit) {
	ignored := []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGPIPE, syscall.Signal(40)}
	signal.Ignore(ignored...)
	s, err := cell.Start(smallTemplate(t))
	signal.Reset(ignored...)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := begin(t, k.warm(t, s, k.open), &cell.Program{Args: []string{"/bin/cat", "/proc/self/status"}}, "").end(t)
	none := strings.Repeat("0", 16)
	compare(t, table(r.out, ":"), map[string]string{"SigIgn": none, "SigBlk": none, "SigCgt": none})
}
