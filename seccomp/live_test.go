package seccomp

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The live tests start this test binary again. There, one thread puts a filter
// on itself and makes calls, and the other threads answer them, as the daemon
// does. The same calls are made before on a thread without a filter: only a
// call that does something else there proves anything.

const (
	liveEnv    = "CORDON_SECCOMP_TEST"         // name of the scenario
	programEnv = "CORDON_SECCOMP_TEST_PROGRAM" // path of a program to run under the filter
)

func init() {
	if os.Getenv(liveEnv) != "" {
		runtime.LockOSThread() // keeps the first thread, which cannot end, for the main goroutine
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(liveEnv); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

type probe struct {
	number uintptr
	args   [6]uintptr
	want   unix.Errno // under the filter
	count  string     // the name under which it is counted; "" when it is not reported
	always bool       // as well where it fails alike without the filter: then only the count proves it
}

const none = ^uintptr(0) // -1: no file, no process, no such option

var allowedProbes = []probe{
	{unix.SYS_GETPID, [6]uintptr{}, 0, "", true},
	{unix.SYS_READ, [6]uintptr{none}, unix.EBADF, "", true},
	{unix.SYS_PRCTL, [6]uintptr{unix.PR_GET_DUMPABLE}, 0, "", true},
	{unix.SYS_FCNTL, [6]uintptr{none, unix.F_GETFL}, unix.EBADF, "", true},
	{unix.SYS_IOCTL, [6]uintptr{none, unix.TCGETS}, unix.EBADF, "", true},
	{unix.SYS_SENDTO, [6]uintptr{none, 0, 0, unix.MSG_NOSIGNAL}, unix.EBADF, "", true},
	{unix.SYS_MKNODAT, [6]uintptr{none, 0, unix.S_IFIFO}, unix.EFAULT, "", true},
}

// deniedProbes are harmless wherever they are let through: they name no file,
// no process and no memory.
var deniedProbes = []probe{
	{unix.SYS_UNSHARE, [6]uintptr{0}, unix.EPERM, "unshare", false},
	{unix.SYS_SETNS, [6]uintptr{none}, unix.EPERM, "setns", false},
	{unix.SYS_MOUNT, [6]uintptr{}, unix.EPERM, "mount", false},
	{unix.SYS_PTRACE, [6]uintptr{none, none}, unix.EPERM, "ptrace", false},
	{unix.SYS_PERF_EVENT_OPEN, [6]uintptr{}, unix.EPERM, "perf_event_open", true},
	{unix.SYS_FSPICK, [6]uintptr{none}, unix.ENOSYS, "fspick", false},
	{unix.SYS_PIDFD_GETFD, [6]uintptr{none, none}, unix.ENOSYS, "pidfd_getfd", false},
	{unix.SYS_KEYCTL, [6]uintptr{none}, unix.ENOSYS, "keyctl", true},
	{unix.SYS_IO_URING_SETUP, [6]uintptr{}, unix.ENOSYS, "io_uring_setup", true},
	{unix.SYS_USERFAULTFD, [6]uintptr{none}, unix.ENOSYS, "userfaultfd", true},
	{unix.SYS_CLONE, [6]uintptr{unix.CLONE_NEWUSER | unix.CLONE_FS}, unix.EPERM, "clone", false}, // EINVAL together
	{unix.SYS_CLONE3, [6]uintptr{}, unix.ENOSYS, "", false},
	{unix.SYS_SYNCFS, [6]uintptr{none}, 0, "", false},
	{unix.SYS_SOCKET, ueventSocket, unix.EAFNOSUPPORT, "socket (address family 16)", false},
	{unix.SYS_SOCKETPAIR, [6]uintptr{unix.AF_INET, unix.SOCK_STREAM}, unix.EAFNOSUPPORT, "socketpair (address family 2)", false},
	{unix.SYS_IOCTL, [6]uintptr{none, unix.TIOCSTI}, unix.ENOTTY, "ioctl (request 0x5412)", false},
	{unix.SYS_IOCTL, [6]uintptr{none, 1<<32 | unix.TIOCSTI}, unix.ENOTTY, "ioctl (request 0x5412)", false},
	{unix.SYS_FCNTL, [6]uintptr{none, unix.F_SETLEASE}, unix.EINVAL, "fcntl (command 1024)", false},
	{unix.SYS_FCNTL, [6]uintptr{none, unix.F_GETLEASE}, unix.EINVAL, "fcntl (command 1025)", false},
	{unix.SYS_FCNTL, [6]uintptr{none, unix.F_NOTIFY}, unix.EINVAL, "fcntl (command 1026)", false},
	{unix.SYS_FCNTL, [6]uintptr{none, unix.F_SET_RW_HINT}, unix.EINVAL, "", false},
	{unix.SYS_PRCTL, [6]uintptr{unix.PR_GET_TIMING}, unix.EINVAL, "prctl (option 13)", false},
	{unix.SYS_PERSONALITY, [6]uintptr{0x0040000}, unix.EPERM, "personality", false}, // ADDR_NO_RANDOMIZE, of this thread only
	{unix.SYS_SECCOMP, [6]uintptr{unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, unix.EPERM, "seccomp", false},
	{unix.SYS_MKNODAT, [6]uintptr{none, 0, unix.S_IFCHR}, unix.EPERM, "mknodat", false},
	{unix.SYS_SCHED_SETSCHEDULER, [6]uintptr{none, unix.SCHED_FIFO}, unix.EPERM, "sched_setscheduler", false},
	{unix.SYS_SENDTO, [6]uintptr{none, 0, 0, unix.MSG_OOB}, unix.EPERM, "sendto", false},
	{1000, [6]uintptr{}, unix.ENOSYS, "unknown call 1000", true},
	{none, [6]uintptr{}, unix.ENOSYS, "unknown call -1", true},
}

var (
	ueventSocket = [6]uintptr{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT}
	routeSocket  = [6]uintptr{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}
	unixSocket   = [6]uintptr{unix.AF_UNIX, unix.SOCK_STREAM}
	rdmSocket    = [6]uintptr{unix.AF_INET, unix.SOCK_RDM} // a type that the kernel does not know for it either, by another errno
)

// scenario is what one child does.
type scenario struct {
	rules  Rules
	probes []probe
	repeat int      // more rounds of the first probe
	closed bool     // nobody listens any more
	goOn   uint32   // not 0: in place of the flag by which a call goes on
	killed []string // what must end the job

	work    func(*Listener) error // besides the probes, and without a limit on how often
	sockets bool                  // whether a socket is let through
}

var scenarios = map[string]scenario{
	"default": {rules: Rules{Profile: "default"}, probes: slices.Concat(allowedProbes, deniedProbes, []probe{
		{unix.SYS_SOCKET, unixSocket, 0, "", true},
		{unix.SYS_SOCKET, routeSocket, unix.EAFNOSUPPORT, "", false},
		{unix.SYS_SOCKET, rdmSocket, unix.EPERM, "socket", false},
		{unix.SYS_FLOCK, [6]uintptr{none, unix.LOCK_UN}, unix.EBADF, "", true},
		{unix.SYS_FCNTL, [6]uintptr{none, unix.F_SETLK}, unix.EBADF, "", true},
		{unix.SYS_SHMGET, [6]uintptr{}, unix.EPERM, "shmget", false},
	}), sockets: true},
	"strict": {rules: Rules{Profile: "strict"}, probes: slices.Concat(allowedProbes, deniedProbes, []probe{
		{unix.SYS_SOCKET, unixSocket, unix.EPERM, "socket", false},
		{unix.SYS_SOCKET, routeSocket, unix.EAFNOSUPPORT, "socket (address family 16)", false},
		{unix.SYS_FLOCK, [6]uintptr{none, unix.LOCK_UN}, unix.EPERM, "flock", false},
		{unix.SYS_FCNTL, [6]uintptr{none, unix.F_GETLK}, unix.EINVAL, "fcntl (command 5)", false},
		{unix.SYS_FCNTL, [6]uintptr{none, unix.F_SETLK}, unix.EINVAL, "fcntl (command 6)", false},
		{unix.SYS_FCNTL, [6]uintptr{none, unix.F_SETLKW}, unix.EINVAL, "fcntl (command 7)", false},
		{unix.SYS_FCNTL, [6]uintptr{none, unix.F_OFD_SETLK}, unix.EINVAL, "fcntl (command 37)", false},
		{unix.SYS_INOTIFY_INIT1, [6]uintptr{none}, unix.EPERM, "inotify_init1", false},
		{unix.SYS_SHMGET, [6]uintptr{}, unix.EPERM, "shmget", false},
	})},
	"ci": {rules: Rules{Profile: "ci"}, probes: slices.Concat(allowedProbes, deniedProbes, []probe{
		{unix.SYS_SOCKET, unixSocket, 0, "", true},
		{unix.SYS_FLOCK, [6]uintptr{none, unix.LOCK_UN}, unix.EBADF, "", true},
		{unix.SYS_SHMGET, [6]uintptr{}, unix.EINVAL, "", true},
	}), sockets: true},
	"policy": {rules: Rules{"default", []string{"unshare"}, []string{"flock"}}, probes: []probe{
		{unix.SYS_UNSHARE, [6]uintptr{0}, 0, "", true},
		{unix.SYS_FLOCK, [6]uintptr{none, unix.LOCK_UN}, unix.EPERM, "flock", false},
	}},
	"flood": {rules: Rules{Profile: "default"}, repeat: maxAnswers + 10, probes: []probe{
		{unix.SYS_UNSHARE, [6]uintptr{0}, unix.EPERM, "unshare", false},
		{unix.SYS_SETNS, [6]uintptr{none}, unix.EPERM, "setns", false},
	}, killed: []string{"unshare, after 1000 denied calls"}},
	"nobody listens": {rules: Rules{Profile: "default"}, closed: true, probes: []probe{
		{unix.SYS_UNSHARE, [6]uintptr{0}, unix.ENOSYS, "", false},
		{unix.SYS_SOCKET, ueventSocket, unix.ENOSYS, "", false},
		{unix.SYS_SOCKET, unixSocket, unix.ENOSYS, "", false},
		{unix.SYS_SOCKETPAIR, unixSocket, unix.ENOSYS, "", false},
		{unix.SYS_GETPID, [6]uintptr{}, 0, "", true},
	}},
}

// report is what a child tells.
type liveReport struct {
	Control, Inside []unix.Errno
	Denied          []Denied
	Killed          []string
	Sockets         bool
	Work            string    // how it failed
	Program         [2]string // how the program ended without and with the filter
}

func live(t *testing.T, name string, env ...string) liveReport {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), append(env, liveEnv+"="+name, "GORACE=atexit_sleep_ms=0")...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the child: %v", err)
	}
	var r liveReport
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	return r
}

func TestLive(t *testing.T) {
	for name, s := range scenarios {
		if len(s.probes) == 0 {
			continue // runs a program instead, in a test of its own
		}
		t.Run(name, func(t *testing.T) {
			r := live(t, name)
			if len(r.Control) != len(s.probes) || len(r.Inside) != len(s.probes) {
				t.Fatalf("%d and %d answers to %d probes", len(r.Control), len(r.Inside), len(s.probes))
			}
			counts := map[string]int64{}
			for i, p := range s.probes {
				if p.count != "" {
					counts[p.count]++
				}
				switch {
				case r.Inside[i] != p.want:
					t.Errorf("call %d %x: %v, want %v", p.number, p.args, r.Inside[i], p.want)
				case r.Control[i] == p.want && !p.always:
					t.Errorf("call %d %x: %v without the filter, too, which proves nothing", p.number, p.args, p.want)
				case p.count == "" && p.always && r.Control[i] != p.want:
					t.Errorf("call %d %x: allowed, and yet %v without the filter and %v with it", p.number, p.args, r.Control[i], p.want)
				}
			}
			if s.repeat > 0 {
				counts[s.probes[0].count] = maxAnswers + 1 - int64(len(s.probes)-1) // the last one ended it
			}
			for _, d := range r.Denied {
				if counts[d.Name] != d.Count {
					t.Errorf("%s counted %d times, want %d", d.Name, d.Count, counts[d.Name])
				}
				delete(counts, d.Name)
			}
			if len(counts) > 0 {
				t.Errorf("not counted: %v", counts)
			}
			if r.Sockets != s.sockets || r.Work != "" {
				t.Errorf("a socket was let through: %v, want %v; %s", r.Sockets, s.sockets, r.Work)
			}
			if !slices.Equal(r.Killed, s.killed) {
				t.Errorf("ended for %q, want %q", r.Killed, s.killed)
			}
		})
	}
}
