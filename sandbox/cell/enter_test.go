package cell_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rootless-containers/rootlesskit/v3/pkg/parent/idtools"
	"golang.org/x/sys/unix"
)

// The test program has three more roles, told by these variables. A fourth, the
// fork server, is the constructor's: it is linked into this program too.
const (
	insideVar = "CORDON_CELL_TEST_INSIDE" // "single" or "range": it is the daemon in its user namespace
	waitVar   = "CORDON_CELL_TEST_WAIT"   // waits for its id maps on descriptor 3, then execs itself again
	mortalVar = "CORDON_CELL_TEST_MORTAL" // a daemon that is killed
)

func TestMain(m *testing.M) {
	// The race detector waits a second at each end of a program, and there are many.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	switch {
	case os.Getenv(waitVar) != "":
		waitForMaps()
	case os.Getenv(mortalVar) != "":
		mortalDaemon()
	}
	os.Exit(m.Run())
}

// TestLive runs the live tests in a user namespace, as the daemon does: once with
// a single id, and once with a range of subordinate ids.
func TestLive(t *testing.T) {
	if mode := os.Getenv(insideVar); mode != "" {
		inside(t, mode)
		return
	}
	t.Run("single", func(t *testing.T) { enter(t, "single") })
	t.Run("range", func(t *testing.T) { enter(t, "range") })
}

// enter runs this test program again in a user namespace and wants every live
// test to have run and passed.
func enter(t *testing.T, mode string) {
	// The death signal follows the thread that started the child (golang/go#27505).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestLive$", "-test.v", "-test.timeout=10m", "-update="+strconv.FormatBool(*update))
	cmd.Env = append(os.Environ(), insideVar+"="+mode)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var err error
	switch {
	case mode == "single":
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
		err = cmd.Run()
	case os.Geteuid() == 0: // may map what it likes: ids that no account has
		const free = 1_900_000_000
		m := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: free, Size: 1000}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings, cmd.SysProcAttr.GidMappingsEnableSetgroups = m, m, true
		err = cmd.Run()
	default:
		err = runMapped(cmd)
	}
	if passed := strings.Count(out.String(), "\n    --- PASS: TestLive/"); err != nil || passed != len(live) {
		t.Errorf("%d of %d live tests passed; %v\n%s", passed, len(live), err, out.String())
	}
}

// runMapped maps the user's subordinate range with newuidmap and newgidmap.
func runMapped(cmd *exec.Cmd) error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	uids, gids, err := idtools.GetSubIDRanges(os.Getuid(), me.Username)
	if err != nil || len(uids) == 0 || len(gids) == 0 {
		return fmt.Errorf("user %s has no range in /etc/subuid and /etc/subgid (%v); give one: usermod --add-subuids 300000-365535 --add-subgids 300000-365535 %[1]s", me.Username, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	cmd.ExtraFiles, cmd.Env = []*os.File{r}, append(cmd.Env, waitVar+"=1")
	err = cmd.Start()
	r.Close()
	if err != nil {
		return err
	}
	for name, m := range map[string]string{
		"newuidmap": fmt.Sprintf("%d 0 %d 1 1 %d %d", cmd.Process.Pid, os.Getuid(), uids[0].Start, uids[0].Length),
		"newgidmap": fmt.Sprintf("%d 0 %d 1 1 %d %d", cmd.Process.Pid, os.Getgid(), gids[0].Start, gids[0].Length),
	} {
		if out, err := exec.Command(name, strings.Fields(m)...).CombinedOutput(); err != nil {
			w.Close()
			_ = cmd.Wait()
			return fmt.Errorf("%s %s: %w: %s (package uidmap)", name, m, err, out)
		}
	}
	if _, err := w.Write([]byte("g")); err != nil {
		return err
	}
	return cmd.Wait()
}

// waitForMaps goes on as root of the namespace: an exec after the maps are
// written brings the capabilities (user_namespaces(7)).
func waitForMaps() {
	if n, _ := os.NewFile(3, "maps").Read(make([]byte, 1)); n != 1 {
		os.Exit(1)
	}
	unix.CloseOnExec(3)
	os.Unsetenv(waitVar)
	fmt.Fprintln(os.Stderr, "exec:", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
	os.Exit(1)
}

// inside runs the live tests in the daemon's namespace.
func inside(t *testing.T, mode string) {
	if os.Geteuid() != 0 {
		t.Fatalf("uid %d in the daemon's namespace", os.Geteuid())
	}
	if mode == "range" {
		if err := unix.Setgroups([]int{900}); err != nil { // a group of the daemon, which no cell may have
			t.Fatal(err)
		}
	}
	k := newKit(t, mode == "single")
	for _, l := range live {
		t.Run(l.name, func(t *testing.T) { l.run(t, k) })
	}
}
