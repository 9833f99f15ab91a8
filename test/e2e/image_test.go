package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// images runs cordon image with a state directory, and gives what it says and its status.
func images(t *testing.T, state string, args ...string) (out, told string, status int) {
	t.Helper()
	c := exec.CommandContext(context.Background(), testkit.Binary(t), append(append([]string{"image"}, args...), "--state", state)...) // also when the test has ended
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), c.ProcessState.ExitCode()
}

// TestImageCommands: from a directory by way of a layout into another store and out again.
func TestImageCommands(t *testing.T) {
	top := t.TempDir()
	from, state, other := filepath.Join(top, "root"), filepath.Join(top, "state"), filepath.Join(top, "other")
	if err := errors.Join(os.MkdirAll(filepath.Join(from, "bin"), 0o755), os.WriteFile(filepath.Join(from, "bin/tool"), []byte("#!/bin/sh\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	do := func(state string, args ...string) string {
		t.Helper()
		out, told, status := images(t, state, args...)
		if status != 0 {
			t.Fatalf("cordon image %q: status %d: %s", args, status, told)
		}
		return out
	}
	t.Cleanup(func() { // files of images are not this user's to remove
		for _, s := range []string{state, other} {
			for _, n := range []string{"tool:1", "tool:2"} {
				images(t, s, "remove", n)
			}
		}
	})
	do(state, "build-from-dir", from, "--name", "tool:1", "--env", "PATH=/bin", "--entrypoint", "/bin/tool")
	var all []struct {
		ID     string
		Names  []string
		Config struct{ Config struct{ Entrypoint []string } }
	}
	if err := json.Unmarshal([]byte(do(state, "list", "--json")), &all); err != nil || len(all) != 1 || all[0].Names[0] != "tool:1" || all[0].Config.Config.Entrypoint[0] != "/bin/tool" {
		t.Fatalf("%+v, %v", all, err)
	}
	layout := filepath.Join(top, "layout.tar")
	do(state, "export", "tool:1", "--format", "oci", "-o", layout)
	if out := do(other, "import", layout, "--name", "tool:2"); !strings.Contains(out, all[0].ID) {
		t.Errorf("another image: %s", out)
	}
	for _, want := range []struct{ words, in string }{{"build-from-dir", "history"}, {"PATH=/bin", "show"}, {"as it came", "verify"}} {
		if out := do(other, want.in, "tool:2"); !strings.Contains(out, want.words) {
			t.Errorf("%s: %s", want.in, out)
		}
	}
	if out, _, _ := images(t, other, "export", "tool:2", "-o", "-"); !strings.Contains(out, "bin/tool") {
		t.Errorf("the flat export has %d bytes", len(out))
	}
	tamper(t, other)
	record, err := filepath.Glob(filepath.Join(other, "images/layers/*/record"))
	if err != nil || len(record) != 1 {
		t.Fatal(record, err)
	}
	if err := os.Truncate(record[0], 20); err != nil {
		t.Fatal(err)
	}
	if out, _, status := images(t, other, "verify"); status != 1 || !strings.Contains(out, "damaged") {
		t.Errorf("status %d: %s", status, out)
	}
	do(other, "remove", "tool:2")
	do(other, "prune")
	for _, dir := range []string{"layers", "images", "work"} {
		if left, err := filepath.Glob(filepath.Join(other, "images", dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	// A hostile layer is told by its digest and its entry.
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "../../escape", Mode: 0o644}), w.Close(), os.WriteFile(filepath.Join(top, "evil.tar"), text.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, told, status := images(t, other, "build-from-dir", filepath.Join(top, "evil.tar"), "--name", "tool:2"); status != 125 || !strings.Contains(told, `entry "../../escape"`) {
		t.Errorf("status %d: %s", status, told)
	}
	for _, args := range [][]string{{"show", "tool:9"}, {"import", top}, {"import", from, "--name", "Not A Name"}, {"pull", "tool", "--username", "me"}, {"export", "tool:1"}, {"import", layout, "--max-layers", "0"},
		{"import", layout, "--platform", "linux"}, {"verify", "tool:9"}} {
		if _, told, status := images(t, other, args...); status != 125 || told == "" {
			t.Errorf("%q: status %d: %s", args, status, told)
		}
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(top), "escape")); err == nil {
		t.Error("it escaped")
	}
}

// tamper: an image's own file that somebody has changed is a finding of verify, and told
// with what helps.
func tamper(t *testing.T, state string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(state, "images/images/*.json"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(text, []byte(`"diff_id": "sha256:`), []byte(`"diff_id": "sha256:0`), 1)
	if err := os.WriteFile(names[0], changed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify"}, {"verify", "tool:2"}, {"verify", "--json"}} {
		if out, told, status := images(t, state, args...); status != 1 || !strings.Contains(out, "import it again") {
			t.Errorf("%q: status %d: %s%s", args, status, out, told)
		}
	}
	if err := os.WriteFile(names[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
}
