package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// webhookSecret runs cordon webhook secret.
func webhookSecret(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append([]string{"webhook", "secret"}, args...))
	err := root.Execute()
	return out.String(), err
}

func TestWebhookSecret(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	state := t.TempDir()
	if _, err := webhookSecret(t, "--state", state); err == nil || !strings.Contains(err.Error(), "no secret") {
		t.Errorf("%v", err)
	}
	c, err := load(t, "--state", state, "--webhook-hosts", "a.example")
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.loadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	own, err := webhookSecret(t, "--state", state)
	if err != nil || own != made.Reveal("")[0]+"\n" {
		t.Errorf("another secret is printed: %v", err)
	}
	if of, err := webhookSecret(t, "--state", state, "--tenant", "team-a"); err != nil || of != made.Reveal("team-a")[0]+"\n" || of == own {
		t.Errorf("not the tenant's: %v", err)
	}
	// A file that is named has to be there, and is not made.
	named := filepath.Join(state, "named")
	if c, err = load(t, "--state", state, "--webhook-hosts", "a.example", "--webhook-secret", named); err != nil {
		t.Fatal(err)
	}
	if _, err := c.loadSecrets(); err == nil || !strings.Contains(err.Error(), "webhook-secret") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(named); err == nil {
		t.Error("it was made")
	}
}

func TestHooksRefused(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	for _, c := range []struct{ args, says string }{
		{"--webhook-hosts=*", `webhook-hosts: "*"`},
		{"--webhook-hosts=a.example --queue-jobs=0", "queue-jobs 0"},
		{"--webhook-secret=/s", "webhook-secret: given without webhook-hosts"},
		{"--webhook-ca=/s", "webhook-ca: given without webhook-hosts"},
		{"--webhook-hosts=a.example --webhook-ttl=10000h", "webhook-ttl"},
		{"--audit-source", "audit-source: given without audit-log"},
		{"--audit-log=/a --audit-source=half", `audit-source: "half"`},
	} {
		if _, err := load(t, strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", c.args, err, c.says)
		}
	}
}

// The list of hosts is not shown where nobody may be told, and the settings that are
// changed are named without their values.
func TestHooks(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("CORDON_GO_CACHE", "")
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.changed(); len(got) != 0 {
		t.Errorf("changed: %v", got)
	}
	if hooks, err := c.hooks(nil); err != nil || hooks == nil || hooks.Hosts.Len() != 0 {
		t.Errorf("%+v, %v", hooks, err)
	}
	if _, err := os.Stat(filepath.Join(c.State, secretFile)); err == nil {
		t.Error("a secret was made that nobody needs")
	}
	if c, err = load(t, "--state", t.TempDir(), "--webhook-hosts", "a.example,*.b.example http://10.0.0.5:80,10.0.0.0/8", "--audit-log", "x", "--audit-source"); err != nil {
		t.Fatal(err)
	}
	if got := c.changed(); !slices.Equal(got, []string{"state", "webhook-hosts", "audit-log", "audit-source"}) {
		t.Errorf("changed: %v", got)
	}
	hosts, _, err := c.webhookSettings()
	if err != nil || hosts.Len() != 3 || !filepath.IsAbs(c.AuditLog) || !slices.Contains(c.private(), c.AuditLog) {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := hosts.Check("https://x.b.example/"); err != nil {
		t.Error(err)
	}
	if c, err = load(t, "--queue-url", "nats://queue.example"); err != nil { // others have hosts
		t.Fatal(err)
	}
	if hooks, err := c.hooks(nil); err != nil || hooks != nil {
		t.Errorf("%+v, %v", hooks, err)
	}
}
