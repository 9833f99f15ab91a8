package setup

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Settings go on to the service user; what is root's own does not.
func TestEnvironment(t *testing.T) {
	own := []string{"HOME=/var/lib/cordon", "USER=cordon", "LOGNAME=cordon"}
	for _, kv := range []string{"PATH=/bin", "LANG=C", "LANGUAGE=en", "LC_ALL=C", "TERM=xterm", "COLUMNS=80", "TZ=UTC", "TMPDIR=/t",
		"NOTIFY_SOCKET=/run/n", "CORDON_TOKEN=x", "CORDON_=", "GOMAXPROCS=2", "GODEBUG=a=b", "PATH="} {
		if got := environment([]string{kv}, "cordon", "/var/lib/cordon"); !slices.Equal(got, append([]string{kv}, own...)) {
			t.Errorf("%s: got %q", kv, got)
		}
	}
	for _, kv := range []string{"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "MAIL=/m", "SUDO_USER=a", "SSH_AUTH_SOCK=/s",
		"XDG_RUNTIME_DIR=/run/user/0", "AWS_SECRET_ACCESS_KEY=s", "LD_PRELOAD=/x.so", "LD_LIBRARY_PATH=/x", "DBUS_SESSION_BUS_ADDRESS=u",
		"cordon_token=x", "XPATH=/", "PATHX=/", "", "=x"} {
		if got := environment([]string{kv}, "cordon", "/var/lib/cordon"); !slices.Equal(got, own) {
			t.Errorf("%s: got %q", kv, got)
		}
	}
	from := []string{"SECRET=1", "PATH=/bin", "HOME=/root"}
	kept := slices.Clone(from)
	environment(from, "cordon", "/h")
	if !slices.Equal(from, kept) {
		t.Errorf("the caller's list was changed: %q", from)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, mode := range map[string]fs.FileMode{"tool": 0o755, "text": 0o644} {
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"cordon": self, "sh": sh, "./tool": filepath.Join(dir, "tool"), filepath.Join(dir, "tool"): filepath.Join(dir, "tool"),
	} {
		if got, err := resolve(name); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
	for _, name := range []string{"", "text", "./text", "./none", "no-such-program-anywhere", "/"} {
		if got, err := resolve(name); err == nil {
			t.Errorf("%q: got %s", name, got)
		}
	}
	// A program of the current directory is not found by its bare name.
	t.Setenv("PATH", "."+string(os.PathListSeparator)+os.Getenv("PATH"))
	if got, err := resolve("tool"); err == nil {
		t.Errorf("found %s in the current directory", got)
	}
}

func TestNotStarted(t *testing.T) {
	for err, say := range map[error]string{
		unix.EACCES: "chmod a+rx /p/x", unix.ENOENT: "interpreter", unix.ENOEXEC: "cannot start /p/x",
	} {
		got := notStarted("cordon", "/p/x", err)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), say) || !strings.Contains(got.Error(), "cordon") {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// An ordinary user cannot become another one, and is told so before anything starts.
func TestExecRefuses(t *testing.T) {
	m := newMachine(t)
	h := Host{Root: m.root, Fake: true, Command: m.command, Handover: &m.handover}
	if err := h.Exec("nobody-here", []string{"true"}); err == nil || !strings.Contains(err.Error(), "there is no user nobody-here") {
		t.Errorf("no such user: %v", err)
	}
	if err := h.Exec("root", []string{"true"}); err == nil || !strings.Contains(err.Error(), "may not be root") {
		t.Errorf("root: %v", err)
	}
	if err := h.Exec("alice", []string{"true"}); err == nil || !strings.Contains(err.Error(), "not in these tests") {
		t.Errorf("the group cannot be entered: %v", err)
	}
	if os.Geteuid() == 0 {
		t.Fatal("run the tests as an ordinary user, with go test -exec test/as-service-user")
	}
	if err := drop(account{os.Getuid(), os.Getgid(), "/"}); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "setgroups") {
		t.Errorf("root was given up by an ordinary user: %v", err)
	}
}
