package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/tenants"
)

// cordon runs a command line of the tenants' commands.
func cordon(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, told bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&told)
	err = root.Execute()
	return out.String(), told.String(), err
}

func TestKeyCommands(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state") // which nobody has made yet
	t.Setenv("CORDON_STATE", state)
	t.Setenv("HOME", t.TempDir())
	must := func(args ...string) string {
		t.Helper()
		out, _, err := cordon(t, args...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	if out := must("key", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("without a file: %q", out)
	}
	if _, _, err := cordon(t, "key", "add", "--tenant", "a"); err == nil || !strings.Contains(err.Error(), "cordon tenant set a") {
		t.Errorf("a key of nobody: %v", err)
	}
	must("tenant", "set", "a", "--limit", "concurrency=2,rate=0.5", "--limit", "stored_bytes=1G", "--policy", "judge,default")
	must("tenant", "set", "a", "--limit", "rate=none,cpu_seconds_per_hour=100")
	key := strings.TrimSpace(must("key", "add", "--tenant", "a", "--name", "for the grader", "--scope", "run,files", "--scope", "metrics", "--expires", "90d"))
	if !regexp.MustCompile(`^cordon_[a-z2-7]{10}_[a-z2-7]{39}$`).MatchString(key) {
		t.Fatalf("%q is no key", key)
	}
	d, err := tenants.File(filepath.Join(state, tenants.FileName)).Load()
	if err != nil {
		t.Fatal(err)
	}
	a := d.Tenants[0]
	if l := a.Limits; l.Concurrency != 2 || l.Rate != 0 || l.StoredBytes != 1<<30 || l.CPUPerHour != 100 || !slices.Equal(l.Policies, []string{"judge", "default"}) {
		t.Errorf("limits %+v", l)
	}
	k := a.Keys[0]
	if days := k.Expires.Sub(k.Created).Hours() / 24; !slices.Equal(k.Scopes, []tenants.Scope{"run", "files", "metrics"}) || days < 89.9 || days > 90.1 {
		t.Errorf("%+v", k)
	}
	registry := tenants.NewRegistry()
	registry.Use(d)
	if c, known := registry.Authenticate(key); !known || c.Tenant != "a" || c.KeyName != "for the grader" {
		t.Errorf("what was printed is no key: %+v", c)
	}
	again := strings.TrimSpace(must("key", "rotate", k.ID, "--overlap", "2d"))
	var rows []keyRow
	if err := json.Unmarshal([]byte(must("key", "list", "--json")), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || rows[0].ID != k.ID || rows[0].State != "good" || rows[0].Rotated.IsZero() || time.Until(rows[0].Overlap) < 47*time.Hour {
		t.Errorf("%+v", rows)
	}
	if again == key || !strings.HasPrefix(again, "cordon_"+k.ID+"_") {
		t.Errorf("%s became %s", key, again)
	}
	must("key", "revoke", k.ID)
	must("key", "revoke", k.ID)
	lists := must("key", "list") + must("key", "list", "--json") + must("tenant", "list") + must("tenant", "list", "--json")
	if !strings.Contains(lists, "revoked") || !strings.Contains(lists, "for the grader") {
		t.Errorf("a part is missing:\n%s", lists)
	}
	text, err := os.ReadFile(filepath.Join(state, tenants.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{key, again, key[18:40], again[18:40]} {
		if strings.Contains(lists, secret) || strings.Contains(string(text), secret) {
			t.Error("a secret is listed, or in the file")
		}
	}
	if strings.Contains(lists, k.SHA256) {
		t.Error("a hash is listed")
	}
	for name, args := range map[string][]string{
		"a whole key": {"key", "revoke", key}, "no such key": {"key", "revoke", "aaaaaaaaaa"}, "a revoked one": {"key", "rotate", k.ID},
		"scope": {"key", "add", "--tenant", "a", "--scope", "root"}, "expires": {"key", "add", "--tenant", "a", "--expires", "soon"}, "past": {"key", "add", "--tenant", "a", "--expires", "-1d"},
		"limit": {"tenant", "set", "a", "--limit", "speed=1"}, "no value": {"tenant", "set", "a", "--limit", "rate"}, "no number": {"tenant", "set", "a", "--limit", "rate=fast"},
		"below 0": {"tenant", "set", "a", "--limit", "queue=-1"}, "name": {"tenant", "set", "../a"}, "nobody": {"tenant", "remove", "b"}} {
		_, told, err := cordon(t, args...)
		if err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error()+told, key[18:]) {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
	if after, err := os.ReadFile(filepath.Join(state, tenants.FileName)); err != nil || string(after) != string(text) {
		t.Errorf("what was refused has changed the file: %v", err)
	}
	must("tenant", "remove", "a")
	if out := must("tenant", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("%q", out)
	}
}

func TestDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "0.5d": 12 * time.Hour, "24h": 24 * time.Hour, "0s": 0} {
		if got, err := days("x", text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "90", "-1h", "-1d", "1000000d", "9223372036854775807d", "soon"} {
		if got, err := days("x", text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
