package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
)

// moved is what was written to move a process into the supervisor leaf of s.
func moved(top string) string {
	file := filepath.Join(top, "cg/s/supervisor/cgroup.procs")
	_ = os.Chmod(file, 0o600) // a kernel has made it before; here it was made with no mode
	text, _ := os.ReadFile(file)
	return string(text)
}

func TestSettle(t *testing.T) {
	for name, c := range map[string]struct {
		groups string
		files  map[string]string
		ro     []string
		path   string // --cgroup
		want   string
		asks   bool // for a scope, which is refused
	}{
		"delegated":         {"0::/s\n", v2Tree("s"), nil, "", "0", false},
		"alone there":       {"0::/s\n", with("cg/s/cgroup.procs", fmt.Sprintln(os.Getpid())), nil, "", "0", false},
		"beside a shell":    {"0::/s\n", with("cg/s/cgroup.procs", fmt.Sprintf("1\n%d\n", os.Getpid())), nil, "", "0", true},
		"a second start":    {"0::/s\n", v2Tree("s", "s/supervisor"), nil, "", "0", false},
		"settled before":    {"0::/s/supervisor\n", v2Tree("s", "s/supervisor"), nil, "", "", false},
		"in the start leaf": {"0::/s/start\n", v2Tree("s", "s/start"), nil, "", "", false},
		"a place was given": {"0::/s\n", v2Tree("s"), nil, "/cg/other", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			h, top := probeHost(t, v2Mount, c.groups, c.files)
			readOnly(t, top, c.ro...)
			asked := false
			err := h.settle(c.path, func() error { asked = true; return errors.New("no systemd") })
			if err != nil || moved(top) != c.want || asked != c.asks {
				t.Errorf("got %v, wrote %q, want %q; asked for a scope: %v", err, moved(top), c.want, asked)
			}
		})
	}
	t.Run("v1", func(t *testing.T) {
		h, _ := probeHost(t, v1Mounts, v1Groups, v1Tree("memory/cordon"))
		if err := h.settle("", func() error { t.Error("asked for a scope"); return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("not delegated", func(t *testing.T) {
		h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s"))
		readOnly(t, top, "cg/s")
		err := h.settle("", func() error { return errNoSystemd })
		if !errors.Is(err, ErrNoDelegation) || errors.Is(err, ErrNoScope) || !strings.Contains(err.Error(), `run "cordon setup" once as root`) {
			t.Errorf("without systemd: %v", err)
		}
		err = h.settle("", func() error { return errors.New("nobody listens") })
		if !errors.Is(err, ErrNoDelegation) || !errors.Is(err, ErrNoScope) || !strings.Contains(err.Error(), "nobody listens") ||
			!strings.Contains(err.Error(), "loginctl enable-linger") || strings.Contains(err.Error(), `run "cordon setup"`) {
			t.Errorf("without the user's systemd: %v", err)
		}
	})
	t.Run("only v1 is delegated", func(t *testing.T) {
		h, top := probeHost(t, v2Mount+v1Mounts, v1Groups, merged(v2Tree(), v1Tree("memory/cordon", "pids/a/cordon", "cpu/cordon")))
		readOnly(t, top, "cg")
		if err := h.settle("", func() error { return errNoSystemd }); err != nil {
			t.Error(err)
		}
	})
	t.Run("the leaf cannot be entered", func(t *testing.T) {
		h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s", "s/supervisor"))
		readOnly(t, top, "cg/s/supervisor/cgroup.procs")
		if err := h.settle("", nil); err == nil || !strings.Contains(err.Error(), top+"/cg/s/supervisor") {
			t.Errorf("got %v", err)
		}
	})
}

// with are the files of the group s, one of them another.
func with(name, text string) map[string]string {
	return merged(v2Tree("s"), map[string]string{name: text})
}

// A shell beside this process is left where it is: the scope is this one's alone.
func TestSettleBesideAShell(t *testing.T) {
	files := merged(v2Tree("term", "s"), map[string]string{"cg/term/cgroup.procs": "1\n"})
	h, top := probeHost(t, v2Mount, "0::/term\n", files)
	err := h.settle("", func() error {
		return os.WriteFile(filepath.Join(top, "proc/cgroup"), []byte("0::/s\n"), 0o644)
	})
	if err != nil || moved(top) != "0" {
		t.Errorf("got %v, wrote %q into the scope's leaf", err, moved(top))
	}
	if _, err := os.Stat(filepath.Join(top, "cg/term/supervisor")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the terminal's group was divided: %v", err)
	}
}

// systemd puts this process into a scope, which is then its own group.
func TestSettleInAScope(t *testing.T) {
	h, top := probeHost(t, v2Mount, "0::/login\n", v2Tree("login", "s"))
	readOnly(t, top, "cg/login")
	err := h.settle("", func() error {
		return os.WriteFile(filepath.Join(top, "proc/cgroup"), []byte("0::/s\n"), 0o644)
	})
	if err != nil || moved(top) != "0" {
		t.Errorf("got %v, wrote %q into the scope's leaf", err, moved(top))
	}
}

// movingManager also moves this process into the scope s.
type movingManager struct {
	fakeManager
	top string
}

func (m *movingManager) StartTransientUnitContext(ctx context.Context, name, mode string, properties []dbus.Property, result chan<- string) (int, error) {
	if err := os.WriteFile(filepath.Join(m.top, "proc/cgroup"), []byte("0::/s\n"), 0o644); err != nil {
		return 0, err
	}
	return m.fakeManager.StartTransientUnitContext(ctx, name, mode, properties, result)
}

// As root on a systemd machine: into a leaf of a scope, which then is the user's.
func TestEnterManaged(t *testing.T) {
	files := v2Tree("login", "s", "s/start")
	files["cg/s/cgroup.threads"], files["cg/s/start/cgroup.threads"] = "", ""
	h, top := probeHost(t, v2Mount, "0::/login\n", files)
	m := &movingManager{fakeManager{result: "done"}, top}
	before := systemManager
	systemManager = func(context.Context) (manager, error) { return m, nil }
	t.Cleanup(func() { systemManager = before })
	o := &Handover{Version: 2, Dirs: []string{top + "/cg/s/cordon"}, host: h, systemd: true}
	if !o.Managed() {
		t.Error("not managed")
	}
	if err := o.Enter(os.Getuid(), os.Getgid()); err != nil || m.name == "" {
		t.Errorf("got %v, asked for %q", err, m.name)
	}
	if text, err := os.ReadFile(top + "/cg/s/start/cgroup.procs"); string(text) != "0" {
		t.Errorf("wrote %q into the leaf: %v", text, err)
	}
	if err := os.Remove(top + "/cg/s/cgroup.threads"); err != nil {
		t.Fatal(err)
	}
	if err := o.Enter(os.Getuid(), os.Getgid()); err == nil || !strings.Contains(err.Error(), "cgroup.threads") {
		t.Errorf("a file of the scope cannot be given away: %v", err)
	}
}
