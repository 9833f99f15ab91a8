package cgroup

import (
	"context"
	"errors"
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
		"a second start":    {"0::/s\n", v2Tree("s", "s/supervisor"), nil, "", "0", false},
		"settled before":    {"0::/s/supervisor\n", v2Tree("s", "s/supervisor"), nil, "", "", false},
		"in the start leaf": {"0::/s/start\n", v2Tree("s", "s/start"), nil, "", "", false},
		"not delegated":     {"0::/s\n", v2Tree("s"), []string{"cg/s"}, "", "", true},
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
	t.Run("the leaf cannot be entered", func(t *testing.T) {
		h, top := probeHost(t, v2Mount, "0::/s\n", v2Tree("s", "s/supervisor"))
		readOnly(t, top, "cg/s/supervisor/cgroup.procs")
		if err := h.settle("", nil); err == nil || !strings.Contains(err.Error(), top+"/cg/s/supervisor") {
			t.Errorf("got %v", err)
		}
	})
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

// As root on a systemd machine: into a scope, which then is the user's.
func TestEnterManaged(t *testing.T) {
	files := v2Tree("login", "s")
	files["cg/s/cgroup.threads"] = ""
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
	if err := os.Remove(top + "/cg/s/cgroup.threads"); err != nil {
		t.Fatal(err)
	}
	if err := o.Enter(os.Getuid(), os.Getgid()); err == nil || !strings.Contains(err.Error(), "cgroup.threads") {
		t.Errorf("a file of the scope cannot be given away: %v", err)
	}
}
