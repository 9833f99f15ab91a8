package main

import (
	"path/filepath"
	"testing"
)

// TestTenantsEmptyValues: a variable of a script that is empty lifts no limit.
func TestTenantsEmptyValues(t *testing.T) {
	t.Setenv("CORDON_STATE", filepath.Join(t.TempDir(), "state"))
	t.Setenv("HOME", t.TempDir())
	if _, _, err := cordon(t, "tenant", "set", "a", "--policy", "judge", "--limit", "rate=1"); err != nil {
		t.Fatal(err)
	}
	before, _, err := cordon(t, "tenant", "list", "--json")
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"key", "add", "--tenant", "a", "--expires", ""}, {"tenant", "set", "a", "--policy", ""}, {"tenant", "set", "a", "--policy", "judge,none"},
		{"tenant", "set", "a", "--limit", "rate=1e-12"}, {"tenant", "set", "a", "--limit", "cpu_seconds_per_hour=1e-10"},
	} {
		if out, _, err := cordon(t, args...); err == nil {
			t.Errorf("%q: %s", args, out)
		}
	}
	if after, _, err := cordon(t, "tenant", "list", "--json"); err != nil || after != before {
		t.Errorf("%s, %v; before %s", after, err, before)
	}
	if _, _, err := cordon(t, "tenant", "set", "a", "--policy", "none", "--limit", "rate=none"); err != nil {
		t.Errorf("control: %v", err)
	}
}
