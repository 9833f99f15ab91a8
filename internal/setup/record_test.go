package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What setup made is not guessed: a record that cannot be read stops everything.
func TestCorruptRecord(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"made": ["cordon"]}`, `{"made": {"cordon": ["user"]}}`, "null null"} {
		for _, o := range []Options{{}, {Undo: true}, {DryRun: true}} {
			m := newMachine(t)
			m.put("etc/cordon/setup.json", text)
			before := m.tree()
			out, err := m.setup(o)
			if err == nil || !strings.Contains(err.Error(), "etc/cordon/setup.json") || !strings.Contains(err.Error(), "mend or remove it") {
				t.Errorf("%q, %+v: %v\n%s", text, o, err, out)
			}
			unchanged(t, before, m.tree())
		}
	}
	m := newMachine(t)
	m.put("etc/cordon/setup.json", "null\n") // nothing made
	m.must(Options{})
	if err := os.Chmod(filepath.Join(m.root, "etc/cordon/setup.json"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.setup(Options{}); err == nil {
		t.Error("an unreadable record was taken for an empty one")
	}
}

func TestRecord(t *testing.T) {
	m := newMachine(t)
	h := Host{Root: m.root}
	r, err := h.readRecord()
	if err != nil || r.has("cordon", userStep) {
		t.Fatalf("got %+v, %v", r, err)
	}
	if err := h.writeRecord(r.with("cordon", userStep, "").with("cordon", rangeStep, "1-2").with("cordon", rangeStep, "3-4").with("alice", rangeStep, "5-6")); err != nil {
		t.Fatal(err)
	}
	if r, err = h.readRecord(); err != nil || !r.has("cordon", userStep) || r.Made["cordon"][rangeStep] != "3-4" || !r.has("alice", rangeStep) || r.has("alice", userStep) {
		t.Errorf("got %+v, %v", r, err)
	}
	if m.has("etc/cordon/setup.json.new") {
		t.Error("the new file is left beside")
	}
	r.without("alice", rangeStep).without("cordon", userStep).without("nobody", userStep)
	if len(r.Made) != 1 || len(r.Made["cordon"]) != 1 {
		t.Errorf("got %+v", r)
	}
	for range 2 {
		if err := h.writeRecord(r.without("cordon", rangeStep)); err != nil {
			t.Error(err)
		}
	}
	if m.has("etc/cordon") {
		t.Error("an empty record left a directory")
	}
}

// Two setups at once would choose the same ids.
func TestLock(t *testing.T) {
	m := newMachine(t)
	if m.locked() {
		t.Fatal("locked before it was begun")
	}
	seen := 0
	h := Host{Root: m.root, Fake: true, Handover: &m.handover, Command: func(name string, args ...string) error {
		if m.locked() {
			seen++
		}
		return m.command(name, args...)
	}}
	if err := Run(Options{User: ServiceUser, Out: &strings.Builder{}, Host: h}); err != nil {
		t.Fatal(err)
	}
	if seen != len(m.commands) || seen == 0 || m.locked() {
		t.Errorf("locked during %d of %d commands; afterwards: %v", seen, len(m.commands), m.locked())
	}
}
