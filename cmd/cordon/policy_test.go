package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cordon/policies"
	"cordon/policy"
)

// policyCLI runs `cordon policy` and returns what it printed.
func policyCLI(t *testing.T, args ...string) (string, error) {
	t.Helper()
	t.Setenv("CORDON_POLICIES", "")
	cmd := newPolicyCommand()
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	for _, r := range out.String() {
		if r == '\x1b' {
			t.Errorf("colour in %q", out.String())
			break
		}
	}
	return out.String(), err
}

func policyFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const tight = "name: tight\ndescription: Tighter.\nextends: judge\nlimits:\n  pids: {default: 2, max: 4, reason: single programs}\n"

func wantAll(t *testing.T, out string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not in:\n%s", w, out)
		}
	}
}

func wantStatus(t *testing.T, err error, want statusError) {
	t.Helper()
	var got statusError
	if !errors.As(err, &got) || got != want {
		t.Errorf("error %v, want exit status %d", err, int(want))
	}
}

func TestPolicyList(t *testing.T) {
	file := policyFile(t, "tight.yaml", tight)
	out, err := policyCLI(t, "list", "--policies", filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, out, "NAME", "judge", "playground", "tight", "Tighter.", "shipped", file)
	out, err = policyCLI(t, "list", "--json")
	var infos []policies.Info
	if err != nil || json.Unmarshal([]byte(out), &infos) != nil || len(infos) != 5 {
		t.Errorf("list --json: %v\n%s", err, out)
	}
	if _, err := policyCLI(t, "list", "--policies", "/nonexistent/dir"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
}

func TestPolicyDirFromVariable(t *testing.T) {
	t.Setenv("CORDON_POLICIES", filepath.Dir(policyFile(t, "tight.yaml", tight)))
	cmd := newPolicyCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"list"})
	if err := cmd.Execute(); err != nil {
		t.Fatal(err)
	}
	wantAll(t, out.String(), "tight")
}

func TestPolicyShow(t *testing.T) {
	out, err := policyCLI(t, "show", "judge")
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, out, "judge: Online judges", "limits.cpu_ms", "2000 (2 s)", "15000 (15 s)", "build.limits.memory_bytes",
		"seccomp.profile", "caps.env_vars", "require_subuid", "root.job_may_choose_dirs", "usual time limit")
	for _, line := range strings.Split(out, "\n") {
		if len(line) > 160 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
	out, err = policyCLI(t, "show", "judge", "--json")
	var p policy.Policy
	if err != nil || json.Unmarshal([]byte(out), &p) != nil || *p.Limits.CPUMillis.Max != 15000 || p.Caps.EnvVars == nil {
		t.Errorf("show --json: %v\n%s", err, out)
	}
	if _, err := policyCLI(t, "show", "nobody"); !errors.Is(err, policies.ErrUnknown) {
		t.Errorf("an unknown policy: %v", err)
	}
}

func TestPolicyCheck(t *testing.T) {
	good := policyFile(t, "tight.yaml", tight)
	bad := policyFile(t, "bad.yaml", "name: bad\ndescription: d\nextends: judge\nlimits:\n  pids: {max: 0, reason: r}\n  memory: {max: 1, reason: r}\n")
	out, err := policyCLI(t, "check", good)
	if err != nil || out != good+": ok, policy tight\n" {
		t.Errorf("a good file: %v\n%s", err, out)
	}
	out, err = policyCLI(t, "check", bad, good)
	wantStatus(t, err, 1)
	wantAll(t, out, bad+":5:15: limits.pids.max", bad+":6:3: limits.memory", "5 |   pids: {max: 0", "memory_bytes", good+": ok")
	if _, err = policyCLI(t, "check", good+".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestPolicyExplain(t *testing.T) {
	out, err := policyCLI(t, "explain", "judge", "cpu_ms=5000", "limits.pids=8", "build.limits.cpus=1.5", "files=3", "stdin=10", "outputs=1", "env=2")
	if err != nil {
		t.Fatal(err)
	}
	wantAll(t, out, "5000 (5 s)", "asked", "policy default", "1.5", "build.limits.cpus")
	out, err = policyCLI(t, "explain", "judge", "cpu_ms=50000", "pids=0", "writable_root=true", "root_dirs=/opt", "env=9999", "outputs=99999999", "interactive.tty=true")
	wantStatus(t, err, 1)
	wantAll(t, out, "refused", "denied: limits.cpu_ms: asked for 50000, allowed: 1 to 15000 (15 s)", "denied: limits.pids: asked for 0",
		"denied: writable_root", "denied: root_dirs", "denied: env", "denied: outputs", "denied: interactive: ", "denied: interactive.tty: ")
	out, err = policyCLI(t, "explain", "judge", "--json", "pids=9999")
	wantStatus(t, err, 1)
	var got struct {
		Granted bool
		Rows    []policy.Row
		Denials []policy.Denial
	}
	if json.Unmarshal([]byte(out), &got) != nil || got.Granted || len(got.Rows) == 0 || got.Denials[0].Field != "limits.pids" {
		t.Errorf("explain --json:\n%s", out)
	}
	if out, err = policyCLI(t, "explain", "dev", "writable_root=true", "root_dirs=/srv/a:/srv/b"); err != nil {
		t.Errorf("dev: %v\n%s", err, out)
	}
	for _, bad := range []string{"cpu_ms", "cpu_ms=2s", "memory=1", "files=-1", "env=x", "stdin=99999999999", "writable_root=maybe", "interactive=maybe", "build.limits.x=1"} {
		var status statusError
		if _, err := policyCLI(t, "explain", "judge", bad); err == nil || errors.As(err, &status) {
			t.Errorf("explain judge %s: %v", bad, err)
		}
	}
}

func TestPolicySchema(t *testing.T) {
	out, err := policyCLI(t, "schema")
	if err != nil || out != string(policies.Schema()) || !json.Valid([]byte(out)) {
		t.Errorf("schema: %v", err)
	}
}
