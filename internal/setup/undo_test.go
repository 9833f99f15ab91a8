package setup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUndo(t *testing.T) {
	m := newMachine(t)
	before := m.tree()
	m.must(Options{})
	m.put("var/lib/cordon/token", "secret")
	told(t, m.must(Options{Undo: true}), [2]string{"removed", cgroupWhat}, [2]string{"removed", stateWhat},
		[2]string{"removed", idsWhat}, [2]string{"removed", userWhat})
	want := []string{"usermod --del-subuids 165536-231071 --del-subgids 165536-231071 cordon", "userdel cordon"}
	if !slices.Equal(m.commands, want) || !slices.Equal(m.handover.calls, []string{"undo"}) {
		t.Errorf("ran %q, %q; want %q", m.commands, m.handover.calls, want)
	}
	unchanged(t, before, m.tree())
	told(t, m.must(Options{Undo: true}), [2]string{"not there", cgroupWhat}, [2]string{"not there", stateWhat},
		[2]string{"not there", idsWhat}, [2]string{"not there", userWhat})
}

// The operator's own files beside the record stay.
func TestUndoKeepsTheConfiguration(t *testing.T) {
	m := newMachine(t)
	m.must(Options{})
	m.put("etc/cordon/config.yaml", "listen: :80\n")
	m.must(Options{Undo: true})
	if !m.has("etc/cordon/config.yaml") || m.has("etc/cordon/setup.json") {
		t.Errorf("config kept: %v; record kept: %v", m.has("etc/cordon/config.yaml"), m.has("etc/cordon/setup.json"))
	}
}

// A user, ranges and a directory that were there before are never taken away.
func TestUndoLeavesWhatWasThere(t *testing.T) {
	m := newMachine(t)
	m.put("etc/passwd", basePasswd+m.user("cordon", "/var/lib/cordon"))
	for _, f := range []string{"etc/subuid", "etc/subgid"} {
		m.put(f, "cordon:500000:65536\n")
	}
	m.put("var/lib/cordon/precious", "data")
	if err := os.Chmod(filepath.Join(m.root, "var/lib/cordon"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := m.tree()
	told(t, m.must(Options{}), [2]string{"kept", helpersWhat}, [2]string{"kept", userWhat}, [2]string{"kept", idsWhat},
		[2]string{"kept", stateWhat}, [2]string{"made", cgroupWhat})
	out := m.must(Options{Undo: true})
	told(t, out, [2]string{"removed", cgroupWhat}, [2]string{"left", stateWhat}, [2]string{"left", idsWhat}, [2]string{"left", userWhat})
	if !strings.Contains(out, "which setup did not make") || len(m.commands) > 0 {
		t.Errorf("ran %q:\n%s", m.commands, out)
	}
	unchanged(t, before, m.tree())
}

// Of a user with a few ids of its own only what was added goes.
func TestUndoLeavesOtherRanges(t *testing.T) {
	m := newMachine(t)
	m.put("etc/passwd", basePasswd+m.user("cordon", "/srv/cordon"))
	m.put("etc/subuid", "cordon:200000:1000\n")
	before := m.tree()
	out := m.must(Options{})
	told(t, out, [2]string{"kept", helpersWhat}, [2]string{"kept", userWhat}, [2]string{"made", idsWhat}, [2]string{"made", cgroupWhat})
	if !strings.Contains(m.get("etc/subuid"), "cordon:201000:65536\n") || !strings.Contains(m.get("etc/subgid"), "cordon:201000:65536\n") {
		t.Errorf("ranges: %q, %q", m.get("etc/subuid"), m.get("etc/subgid"))
	}
	m.must(Options{Undo: true})
	unchanged(t, before, m.tree())
}

// A home that was there with files in it is not setup's to delete, although its
// mode was.
func TestUndoLeavesAnOldHome(t *testing.T) {
	m := newMachine(t)
	m.put("var/lib/cordon/precious", "data")
	told(t, m.must(Options{}), [2]string{"kept", helpersWhat}, [2]string{"made", userWhat}, [2]string{"made", idsWhat},
		[2]string{"made", stateWhat}, [2]string{"made", cgroupWhat})
	if info, err := os.Stat(filepath.Join(m.root, "var/lib/cordon")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info, err)
	}
	m.must(Options{Undo: true})
	if !m.has("var/lib/cordon/precious") {
		t.Error("what was there before was deleted")
	}
	// One that setup made and did not finish is its own, also in the next run.
	m = newMachine(t)
	before := m.tree()
	m.fail = "usermod"
	_, _ = m.setup(Options{})
	m.put("etc/cordon/setup.json", `{"made": {"cordon": {"user": "", "state": ""}}}`)
	m.put("var/lib/cordon/empty", "")
	m.fail = ""
	m.must(Options{})
	m.must(Options{Undo: true})
	unchanged(t, before, m.tree())
}

// A run that stopped half-way is finished by the next, and can be taken back.
func TestInterrupted(t *testing.T) {
	for _, fail := range []string{"useradd", "usermod"} {
		m := newMachine(t)
		before := m.tree()
		m.fail = fail
		if _, err := m.setup(Options{}); err == nil || !strings.Contains(err.Error(), fail) {
			t.Fatalf("%s failed: %v", fail, err)
		}
		if record := m.get("etc/cordon/setup.json"); !strings.Contains(record, `"user"`) ||
			strings.Contains(record, `"ids"`) != (fail == "usermod") {
			t.Errorf("%s failed; the record is %s", fail, record)
		}
		m.fail = ""
		m.must(Options{Undo: true})
		if slices.Contains(m.commands, "userdel cordon") != (fail == "usermod") {
			t.Errorf("%s failed; undo ran %q", fail, m.commands)
		}
		unchanged(t, before, m.tree())
	}
	m := newMachine(t)
	before := m.tree()
	m.handover.fail = errors.New("EBUSY")
	if _, err := m.setup(Options{}); err == nil || !strings.Contains(err.Error(), "EBUSY") || !strings.Contains(err.Error(), cgroupWhat) {
		t.Fatalf("got %v", err)
	}
	m.handover.fail = nil
	told(t, m.must(Options{}), [2]string{"kept", helpersWhat}, [2]string{"kept", userWhat}, [2]string{"kept", idsWhat},
		[2]string{"kept", stateWhat}, [2]string{"made", cgroupWhat})
	m.must(Options{Undo: true})
	unchanged(t, before, m.tree())
}

// An undo that fails keeps the record of what is still there.
func TestUndoFails(t *testing.T) {
	m := newMachine(t)
	m.must(Options{})
	m.fail = "userdel"
	out, err := m.setup(Options{Undo: true})
	if err == nil || !strings.Contains(err.Error(), "take back "+userWhat) {
		t.Errorf("got %v\n%s", err, out)
	}
	record := m.get("etc/cordon/setup.json")
	if !strings.Contains(record, `"user"`) || strings.Contains(record, `"ids"`) {
		t.Errorf("the record is %s", record)
	}
	m.fail = ""
	m.must(Options{Undo: true})
	if m.has("etc/cordon/setup.json") || strings.Contains(m.get("etc/passwd"), "cordon:") {
		t.Error("the second undo left something")
	}
	m.must(Options{})
	m.handover.fail = errors.New("still has processes")
	if _, err := m.setup(Options{Undo: true}); err == nil || !strings.Contains(err.Error(), "still has processes") || len(m.commands) > 0 {
		t.Errorf("a running service: %v, ran %q", err, m.commands)
	}
}
