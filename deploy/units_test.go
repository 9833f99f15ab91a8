package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// read gives a file of this directory.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// verified gives what systemd-analyze has to say of a unit with its drop-ins.
func verified(t *testing.T, scope, unit string, dropIns ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatal("systemd-analyze is missing, which test/deps installs: apt-get install systemd")
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		// The program need not be installed here.
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(text, "/usr/local/bin/cordon", "/bin/true")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "cordon.service")
	write(file, unit)
	for i, text := range dropIns {
		write(filepath.Join(dir, "cordon.service.d", string(rune('a'+i))+".conf"), text)
	}
	cmd := exec.CommandContext(t.Context(), "systemd-analyze", scope, "verify", "--man=no", file)
	shipped := map[string]string{"--system": "/lib/systemd/system", "--user": "/usr/lib/systemd/user"}[scope]
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":"+shipped, "XDG_RUNTIME_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error() + "\n" + string(out)
	}
	return string(out)
}

// TestUnits: systemd has nothing to say of a unit, with or without its drop-ins, and would
// find a mistake in any of them.
func TestUnits(t *testing.T) {
	dropIns, err := filepath.Glob("cordon.service.d/*.conf")
	if err != nil || len(dropIns) < 4 {
		t.Fatalf("drop-ins: %v, %v", dropIns, err)
	}
	system, user := read(t, "cordon.service"), read(t, "user/cordon.service")
	check := func(name, scope, unit string, dropIns ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out := verified(t, scope, unit, dropIns...); out != "" {
				t.Error(out)
			}
			last := &unit
			if len(dropIns) > 0 {
				last = &dropIns[len(dropIns)-1]
			}
			*last = strings.Replace(*last, "[Service]\n", "[Service]\nDelegatee=yes\n", 1)
			if out := verified(t, scope, unit, dropIns...); !strings.Contains(out, "Delegatee") {
				t.Errorf("a mistake was not found: %q", out)
			}
		})
	}
	check("system", "--system", system)
	check("user", "--user", user)
	for _, name := range dropIns {
		check(name, "--system", system, read(t, name))
	}
	check("delegate.conf", "--system", system, read(t, "user/delegate.conf"))
}

// TestReasons: whoever widens a unit can read why something is there.
func TestReasons(t *testing.T) {
	hardening := regexp.MustCompile(`^(Protect|Private|UMask|CapabilityBoundingSet|AmbientCapabilities|KeyringMode|Limit|OOMPolicy|TasksMax|KillMode|Delegate|NotifyAccess)`)
	found, explained := 0, false
	for line := range strings.Lines(read(t, "cordon.service")) {
		switch {
		case strings.HasPrefix(line, "#"):
			explained = true
		case strings.TrimSpace(line) == "":
			explained = false
		case hardening.MatchString(line):
			if found++; !explained {
				t.Errorf("no reason stands before %s", line)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d settings were found", found)
	}
}

// TestStops: systemd waits for longer than the service drains.
func TestStops(t *testing.T) {
	for name, want := range map[string]string{"cordon.service": "TimeoutStopSec=45\n", "user/cordon.service": "TimeoutStopSec=45\n",
		"cordon.service.d/drain.conf": "CORDON_DRAIN=10m\nTimeoutStopSec=615\n"} {
		if !strings.Contains(read(t, name), want) {
			t.Errorf("%s: no %q", name, want)
		}
	}
}
