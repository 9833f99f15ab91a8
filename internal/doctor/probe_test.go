package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// This host can do everything that is tried; on another the test names what is lacking.
func TestProbesHere(t *testing.T) {
	for name, o := range tryAll(context.Background()) {
		if !o.ok() || o.Found == "" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// nobody is an ordinary user without a range.
const nobody = 65534

// reportIn takes a report in a process of its own.
func reportIn(t *testing.T, attr *syscall.SysProcAttr, how string) *Report {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", reportCommand, how)
	cmd.SysProcAttr = attr
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &complaint)
	}
	var r Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// asRootOfNamespace is root of a user namespace of one id.
func asRootOfNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
}

var kernelRows = []string{"user namespaces", "AppArmor", "other namespaces", "no nested user namespaces", "fresh /proc",
	"bounded tmpfs", "overlay", "read-only binds", "seccomp", "clone3", "kernel calls", "oom_score_adj"}

// An ordinary user's kernel rows are as good as root's.
func TestReportAsOrdinaryUser(t *testing.T) {
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	r := reportIn(t, attr, "")
	for _, name := range append([]string{"service user"}, kernelRows...) {
		if row := rowOf(t, r, name); row.Status != OK {
			t.Errorf("%+v", row)
		}
	}
}

func TestReportAsRootIsNeverReady(t *testing.T) {
	r := reportIn(t, asRootOfNamespace(), "")
	row := rowOf(t, r, "service user")
	if r.Ready || row.Status != Missing || !strings.Contains(row.Fix, "cordon setup --quiet -- cordon doctor") {
		t.Errorf("ready %v, %+v", r.Ready, row)
	}
}

// Inside a user namespace, as the daemon is, everything can be tried as well.
func TestReportInside(t *testing.T) {
	r := reportIn(t, asRootOfNamespace(), "inside")
	for _, name := range kernelRows {
		if row := rowOf(t, r, name); row.Status != OK {
			t.Errorf("%+v", row)
		}
	}
	if row := rowOf(t, r, "subordinate ids"); row.Status != Missing { // a map of one id
		t.Errorf("%+v", row)
	}
}

// Where user namespaces are used up, the answer is a row and not an error.
func TestReportWithoutUserNamespaces(t *testing.T) {
	r := reportIn(t, asRootOfNamespace(), "exhausted")
	row := rowOf(t, r, "user namespaces")
	if row.Status != Missing || !strings.Contains(row.Found, "ENOSPC") || !strings.Contains(row.Fix, "user.max_user_namespaces=") || r.Ready {
		t.Errorf("%+v", row)
	}
	if row := rowOf(t, r, "fresh /proc"); row.Status != Missing {
		t.Errorf("%+v", row)
	}
	if row := rowOf(t, r, "kernel calls"); row.Status != OK { // needs no namespace
		t.Errorf("%+v", row)
	}
}

// Two at once, as two requests would be, find the same.
func TestRunAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	var reports [2]*Report
	for i := range reports {
		wg.Go(func() {
			var err error
			if reports[i], err = Run(context.Background(), Options{Languages: someToolchains}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if !reflect.DeepEqual(reports[0], reports[1]) {
		t.Errorf("%+v\n%+v", reports[0], reports[1])
	}
	if row := rowOf(t, reports[0], "toolchains"); row.Found != "1 of 1: c" || len(reports[0].Toolchains) != 1 {
		t.Errorf("%+v", row)
	}
}

func someToolchains(context.Context) ([]Toolchain, error) { return []Toolchain{{ID: "c"}}, nil }

func TestRunIsNotCalledByAProbe(t *testing.T) {
	t.Setenv(probeMark, "1")
	if _, err := Run(context.Background(), Options{}); err == nil {
		t.Error("a probe looked for probes")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRunProbeUnknown(t *testing.T) {
	if err := RunProbe("none", io.Discard); err == nil || !strings.Contains(err.Error(), "openat2") {
		t.Errorf("got %v", err)
	}
}

func TestReadOutcome(t *testing.T) {
	killed := exec.Command("sh", "-c", "kill -SYS $$").Run()
	failed := exec.Command("sh", "-c", "exit 3").Run()
	for name, c := range map[string]struct {
		ended error
		out   string
		want  string
	}{
		"good":   {nil, `{"found":"x"}`, "x"},
		"errno":  {nil, `{"problem":"mount proc","errno":"EPERM"}`, "mount proc: EPERM"},
		"killed": {killed, `{"found":"x"}`, "SIGSYS"},
		"failed": {failed, ``, "exit status 3 complaint"},
		"empty":  {nil, `{}`, "cannot be read"},
		"broken": {nil, `PASS`, "cannot be read"},
	} {
		o := readOutcome(c.ended, []byte(c.out), []byte("complaint\n"))
		if !strings.Contains(o.text(), c.want) || o.ok() != (name == "good") {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func FuzzReadOutcome(f *testing.F) {
	f.Add([]byte(`{"problem":"mount proc","errno":"EPERM"}`))
	f.Add([]byte(`{"found":"x"}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		if o := readOutcome(nil, out, nil); o.ok() && o.Found == "" && o.Errno == "" {
			t.Errorf("%q: an outcome that says nothing", out)
		}
	})
}

func TestFlagNames(t *testing.T) {
	for flags, want := range map[uintptr]string{0: "process", unix.CLONE_NEWUSER: "user namespace",
		unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID: "user and mount and pid namespace"} {
		if got := flagNames(flags); got != want {
			t.Errorf("%x: %q", flags, got)
		}
	}
}
