package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/deploy"
)

const unitWhat = "systemd unit /etc/systemd/system/cordon.service with Delegate=yes, and /usr/local/bin/cordon"

// systemdMachine is one that systemd runs, with cgroup v2.
func systemdMachine(t *testing.T) *machine {
	m := newMachine(t)
	m.put("run/systemd/system/.keep", "")
	m.handover.managed = true
	return m
}

func TestSystemd(t *testing.T) {
	m := systemdMachine(t)
	before := m.tree()
	out := m.must(Options{})
	told(t, out, [2]string{"kept", helpersWhat}, [2]string{"made", userWhat}, [2]string{"made", idsWhat},
		[2]string{"made", stateWhat}, [2]string{"made", unitWhat})
	if m.get("etc/systemd/system/cordon.service") != deploy.Unit || m.commands[len(m.commands)-1] != "systemctl daemon-reload" {
		t.Errorf("ran %q", m.commands)
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil || m.get("usr/local/bin/cordon") != string(self) {
		t.Errorf("another program was installed: %v", err)
	}
	if info, err := os.Stat(filepath.Join(m.root, "usr/local/bin/cordon")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v, %v", info, err)
	}
	if m.has("usr/local/bin/cordon.new") || len(m.handover.calls) > 0 {
		t.Errorf("a half is left, or a group was made: %v", m.handover.calls)
	}
	if out := m.must(Options{}); strings.Contains(out, "made") || len(m.commands) > 0 {
		t.Errorf("the second run ran %q\n%s", m.commands, out)
	}
	out = m.must(Options{Undo: true})
	told(t, out, [2]string{"removed", unitWhat}, [2]string{"removed", stateWhat}, [2]string{"removed", idsWhat}, [2]string{"removed", userWhat})
	if !slices.Equal(m.commands[:2], []string{"systemctl disable --now cordon.service", "systemctl daemon-reload"}) {
		t.Errorf("ran %q", m.commands)
	}
	unchanged(t, before, m.tree())
}

// An older unit or program is replaced.
func TestSystemdUpgrade(t *testing.T) {
	for _, old := range []string{"etc/systemd/system/cordon.service", "usr/local/bin/cordon"} {
		m := systemdMachine(t)
		before := m.tree()
		m.must(Options{})
		m.put(old, "of the last version")
		out := m.must(Options{})
		if !strings.Contains(out, "made         "+unitWhat) || !slices.Equal(m.commands, []string{"systemctl daemon-reload"}) {
			t.Errorf("%s: ran %q\n%s", old, m.commands, out)
		}
		if m.get(old) == "of the last version" {
			t.Errorf("%s was kept", old)
		}
		m.must(Options{Undo: true})
		unchanged(t, before, m.tree())
	}
}

// A run that stopped before the unit was there is taken back without systemctl.
func TestSystemdInterrupted(t *testing.T) {
	m := systemdMachine(t)
	m.fail = "systemctl daemon-reload"
	if _, err := m.setup(Options{}); err == nil || !strings.Contains(err.Error(), unitWhat) {
		t.Fatalf("got %v", err)
	}
	if err := os.Remove(filepath.Join(m.root, "etc/systemd/system/cordon.service")); err != nil {
		t.Fatal(err)
	}
	m.must(Options{Undo: true})
	if slices.ContainsFunc(m.commands, func(c string) bool { return strings.HasPrefix(c, "systemctl disable") }) || m.has("etc/cordon/setup.json") {
		t.Errorf("ran %q", m.commands)
	}
}

// The unit is the service user's: another user needs none, and systemd's own
// manager delegates to users.
func TestSystemdOtherUser(t *testing.T) {
	m := systemdMachine(t)
	out := m.must(Options{User: "alice"})
	if len(m.commands) > 0 || m.has("etc/systemd/system/cordon.service") || strings.Contains(out, "cgroup") {
		t.Errorf("ran %q\n%s", m.commands, out)
	}
	if out := m.must(Options{CgroupOnly: true}); out != "" || len(m.commands) > 0 {
		t.Errorf("groups are systemd's: ran %q\n%s", m.commands, out)
	}
}

// A service that was started besides the unit keeps its state.
func TestSystemdUndoUnderAService(t *testing.T) {
	m := systemdMachine(t)
	before := m.tree()
	m.must(Options{})
	m.put("var/lib/cordon/token", "secret")
	m.put("proc/4194399/stat", "")
	if _, err := m.setup(Options{Undo: true}); err == nil || !strings.Contains(err.Error(), "user cordon still runs process 4194399; end the service first") {
		t.Errorf("got %v", err)
	}
	if !m.has("var/lib/cordon/token") {
		t.Error("the state is gone")
	}
	if err := os.RemoveAll(filepath.Join(m.root, "proc/4194399")); err != nil {
		t.Fatal(err)
	}
	m.must(Options{Undo: true})
	unchanged(t, before, m.tree())
}

// systemd with cgroup v1: the unit, and directories as without it.
func TestSystemdV1(t *testing.T) {
	m := systemdMachine(t)
	m.handover.managed = false
	told(t, m.must(Options{}), [2]string{"kept", helpersWhat}, [2]string{"made", userWhat}, [2]string{"made", idsWhat},
		[2]string{"made", stateWhat}, [2]string{"made", cgroupWhat}, [2]string{"made", unitWhat})
	// The service is ended before its groups are removed.
	told(t, m.must(Options{Undo: true}), [2]string{"removed", unitWhat}, [2]string{"removed", cgroupWhat}, [2]string{"removed", stateWhat},
		[2]string{"removed", idsWhat}, [2]string{"removed", userWhat})
}

func TestAppArmor(t *testing.T) {
	const sysctl, profile = "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "etc/apparmor.d/cordon"
	m := newMachine(t)
	m.put(sysctl, "0\n")
	m.must(Options{})
	if m.has(profile) {
		t.Error("a profile where none is needed")
	}
	m = newMachine(t)
	m.put(sysctl, "1\n")
	before := m.tree()
	told(t, m.must(Options{}), [2]string{"kept", helpersWhat}, [2]string{"made", userWhat}, [2]string{"made", idsWhat},
		[2]string{"made", stateWhat}, [2]string{"made", "AppArmor profile /etc/apparmor.d/cordon"}, [2]string{"made", cgroupWhat})
	if m.get(profile) != deploy.AppArmor || !slices.Contains(m.commands, "apparmor_parser --replace /etc/apparmor.d/cordon") {
		t.Errorf("ran %q", m.commands)
	}
	if out := m.must(Options{}); strings.Contains(out, "made") || len(m.commands) > 0 {
		t.Errorf("the second run ran %q\n%s", m.commands, out)
	}
	m.must(Options{Undo: true})
	if !slices.Contains(m.commands, "apparmor_parser --remove /etc/apparmor.d/cordon") {
		t.Errorf("ran %q", m.commands)
	}
	unchanged(t, before, m.tree())

	m.fail = "apparmor_parser"
	if _, err := m.setup(Options{}); err == nil || !strings.Contains(err.Error(), "AppArmor profile") {
		t.Errorf("the parser failed: %v", err)
	}
}

// settings reads the lines of a unit, "Section.Key" → values.
func settings(unit string) map[string][]string {
	out := map[string][]string{}
	section := ""
	for line := range strings.Lines(unit) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		} else if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			out[section+"."+key] = append(out[section+"."+key], value)
		}
	}
	return out
}

func TestUnit(t *testing.T) {
	have := settings(deploy.Unit)
	for key, want := range map[string]string{
		"Service.User": ServiceUser, "Service.Group": ServiceUser, "Service.Type": "notify", "Service.NotifyAccess": "all",
		"Service.Delegate": "cpu memory pids io", "Service.ExecStart": program + " serve",
		"Service.ExecStartPre": "+" + program + " setup --cgroup-only --quiet", "Service.StateDirectory": "cordon",
		"Service.StateDirectoryMode": "0700", "Service.KillMode": "mixed", "Install.WantedBy": "multi-user.target",
	} {
		if !slices.Equal(have[key], []string{want}) {
			t.Errorf("%s=%v, want %s", key, have[key], want)
		}
	}
	// Each makes newuidmap, a job's namespaces or its fresh /proc impossible.
	for _, never := range []string{"NoNewPrivileges", "PrivateUsers", "RestrictNamespaces", "SystemCallFilter", "MemoryDenyWriteExecute",
		"LockPersonality", "RestrictSUIDSGID", "RestrictRealtime", "RestrictAddressFamilies", "SystemCallArchitectures", "DynamicUser",
		"ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock", "ProtectHostname",
		"PrivateDevices", "ProtectControlGroups"} {
		if v, ok := have["Service."+never]; ok {
			t.Errorf("%s=%v", never, v)
		}
	}
	// A user namespace begins with what is in the bounding set.
	bounding := strings.Join(have["Service.CapabilityBoundingSet"], " ")
	if !strings.HasPrefix(bounding, "~") {
		t.Errorf("CapabilityBoundingSet=%s: only to take away", bounding)
	}
	for _, needed := range []string{"CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN", "CAP_CHOWN", "CAP_KILL", "CAP_SETFCAP", "CAP_SYS_PTRACE", "CAP_MKNOD"} {
		if strings.Contains(bounding, needed) {
			t.Errorf("CapabilityBoundingSet=%s takes %s away", bounding, needed)
		}
	}
}

// Where systemd's own checker is installed, it must have nothing to say; a unit
// with a mistake shows that it would.
func TestUnitVerified(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("no systemd-analyze here; TestUnit has read the unit")
		return
	}
	verify := func(unit string) string {
		file := filepath.Join(t.TempDir(), "cordon.service")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit, program, "/bin/true")), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput()
		if err != nil {
			return err.Error() + "\n" + string(out)
		}
		return string(out)
	}
	if out := verify(deploy.Unit); out != "" {
		t.Error(out)
	}
	if out := verify(strings.Replace(deploy.Unit, "\nDelegate=", "\nDelegatee=", 1)); !strings.Contains(out, "Delegatee") {
		t.Errorf("a mistake was not found: %q", out)
	}
}
