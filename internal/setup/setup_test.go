package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// told checks the lines of an account: what was done, and a word of what to.
func told(t *testing.T, out string, want ...[2]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != len(want) {
		t.Errorf("%d lines, want %d:\n%s", len(lines), len(want), out)
		return
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i], w[0]+" ") || !strings.Contains(lines[i], w[1]) {
			t.Errorf("line %q, want %q … %q", lines[i], w[0], w[1])
		}
	}
}

const (
	helpersWhat = "newuidmap and newgidmap"
	userWhat    = "user cordon"
	idsWhat     = "65536 subordinate user and group ids for cordon"
	stateWhat   = "directory /var/lib/cordon, mode 0700"
	cgroupWhat  = "cgroup for cordon: /fake/cordon"
)

func TestFirstRun(t *testing.T) {
	m := newMachine(t)
	out := m.must(Options{})
	told(t, out, [2]string{"kept", helpersWhat}, [2]string{"made", userWhat}, [2]string{"made", idsWhat},
		[2]string{"made", stateWhat}, [2]string{"made", cgroupWhat})
	want := []string{
		"useradd --system --user-group --home-dir /var/lib/cordon --no-create-home --shell /usr/sbin/nologin --comment Cordon cordon",
		"usermod --add-subuids 165536-231071 --add-subgids 165536-231071 cordon",
	}
	if !slices.Equal(m.commands, want) {
		t.Errorf("ran %q, want %q", m.commands, want)
	}
	if do := fmt.Sprintf("do %d %d", os.Getuid(), os.Getgid()); !slices.Equal(m.handover.calls, []string{do}) {
		t.Errorf("cgroup: %v, want %s", m.handover.calls, do)
	}
	if info, err := os.Stat(filepath.Join(m.root, "var/lib/cordon")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info, err)
	}
	record := m.get("etc/cordon/setup.json")
	for _, s := range []string{`"user": ""`, `"ids": "165536-231071"`, `"state": ""`} {
		if !strings.Contains(record, s) {
			t.Errorf("%s is missing in the record %s", s, record)
		}
	}
	if strings.Contains(record, "cgroup") { // groups do not outlive the kernel
		t.Errorf("the cgroup is in the record %s", record)
	}
}

func TestSecondRunKeeps(t *testing.T) {
	m := newMachine(t)
	m.must(Options{})
	before := m.tree()
	out := m.must(Options{})
	told(t, out, [2]string{"kept", helpersWhat}, [2]string{"kept", userWhat}, [2]string{"kept", idsWhat},
		[2]string{"kept", stateWhat}, [2]string{"kept", cgroupWhat})
	if len(m.commands)+len(m.handover.calls) > 0 {
		t.Errorf("ran %q, %q", m.commands, m.handover.calls)
	}
	unchanged(t, before, m.tree())
}

// After a boot the groups are gone, and nothing else is.
func TestCgroupOnly(t *testing.T) {
	m := newMachine(t)
	m.must(Options{})
	m.handover.owner = 0
	before := m.tree()
	told(t, m.must(Options{CgroupOnly: true}), [2]string{"made", cgroupWhat})
	if len(m.commands) > 0 || m.handover.owner != os.Getuid() {
		t.Errorf("ran %q; the group is of %d", m.commands, m.handover.owner)
	}
	unchanged(t, before, m.tree())
}

func TestDryRun(t *testing.T) {
	m := newMachine(t)
	before := m.tree()
	told(t, m.must(Options{DryRun: true}), [2]string{"kept", helpersWhat}, [2]string{"would make", userWhat},
		[2]string{"would make", idsWhat}, [2]string{"would make", stateWhat}, [2]string{"would make", cgroupWhat})
	told(t, m.must(Options{DryRun: true, Undo: true}), [2]string{"not there", cgroupWhat}, [2]string{"not there", stateWhat},
		[2]string{"not there", idsWhat}, [2]string{"not there", userWhat})
	unchanged(t, before, m.tree())
	if m.has("run/cordon-setup.lock") {
		t.Error("a dry run made the lock")
	}

	m.must(Options{})
	before = m.tree()
	told(t, m.must(Options{DryRun: true, Undo: true}), [2]string{"would remove", cgroupWhat}, [2]string{"would remove", stateWhat},
		[2]string{"would remove", idsWhat}, [2]string{"would remove", userWhat})
	unchanged(t, before, m.tree())
	if len(m.commands)+len(m.handover.calls) > 0 {
		t.Errorf("ran %q, %q", m.commands, m.handover.calls)
	}
}

func TestOtherUser(t *testing.T) {
	m := newMachine(t)
	m.put("etc/passwd", strings.Replace(basePasswd, "1000:1000", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), 1))
	told(t, m.must(Options{User: "alice"}), [2]string{"kept", helpersWhat}, [2]string{"kept", "user alice"},
		[2]string{"kept", "ids for alice"}, [2]string{"made", "cgroup for alice"})
	if len(m.commands) > 0 || m.has("etc/cordon/setup.json") {
		t.Errorf("ran %q", m.commands)
	}
	m.must(Options{User: "judge"})
	if !m.has("var/lib/judge") || !strings.Contains(m.commands[0], "--home-dir /var/lib/judge") {
		t.Errorf("ran %q", m.commands)
	}
	m.must(Options{User: "alice", Undo: true})
	if !strings.Contains(m.get("etc/passwd"), "alice:") || !m.has("var/lib/judge") || !strings.Contains(m.get("etc/cordon/setup.json"), "judge") {
		t.Error("undo for one user took from another")
	}
}

func TestRootIsRefused(t *testing.T) {
	for _, o := range []Options{{User: "root"}, {User: "root", DryRun: true}, {User: "root", Undo: true}, {User: "toor"}} {
		m := newMachine(t)
		m.put("etc/passwd", basePasswd+"toor:x:0:0::/:/bin/sh\n")
		before := m.tree()
		if out, err := m.setup(o); err == nil || !strings.Contains(err.Error(), "may not be root") || !strings.Contains(err.Error(), o.User) {
			t.Errorf("%+v: %v\n%s", o, err, out)
		}
		unchanged(t, before, m.tree())
	}
}

func TestBadPasswd(t *testing.T) {
	m := newMachine(t)
	m.put("etc/passwd", "cordon:x:one:two::/:/bin/sh\n")
	if _, err := m.setup(Options{}); err == nil || !strings.Contains(err.Error(), "/etc/passwd") {
		t.Errorf("ids that are no numbers: %v", err)
	}
	if err := os.Remove(filepath.Join(m.root, "etc/passwd")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.setup(Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"cordon", "a", "_x", "a-b_c9", strings.Repeat("a", 32)} {
		if err := checkName(name); err != nil {
			t.Error(err)
		}
	}
	quoted := regexp.MustCompile(`--user: ".*" given; allowed are `)
	for _, name := range []string{"", "-x", "--help", "../a", "a/b", ".", "9a", "A", "a b", "a:b", "a\n", "ä", "a$", "a.b", strings.Repeat("a", 33)} {
		m := newMachine(t)
		err := Run(Options{User: name, Out: io.Discard, Host: Host{Root: m.root, Fake: true, Command: m.command, Handover: &m.handover}})
		if err == nil || !quoted.MatchString(err.Error()) || len(m.commands) > 0 {
			t.Errorf("%q: %v, ran %q", name, err, m.commands)
		}
	}
}

// The real machine is left alone by an ordinary user, who is told what to do.
func TestNeedsRoot(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Fatal("as root this would set up the machine: run the tests with go test -exec test/as-service-user")
	}
	for _, o := range []Options{{User: ServiceUser}, {User: ServiceUser, Undo: true}, {User: ServiceUser, CgroupOnly: true}} {
		o.Out = io.Discard
		if err := Run(o); err == nil || !strings.Contains(err.Error(), "sudo cordon setup") || !strings.Contains(err.Error(), "--dry-run") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
