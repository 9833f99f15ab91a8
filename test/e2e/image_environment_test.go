package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cordon/internal/testkit"
)

// busybox is an image that the test makes out of one static program.
func busybox(t *testing.T, state, name string) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "root")
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("%v; it is of the package busybox-static (test/deps test)", err)
	}
	err = errors.Join(os.MkdirAll(filepath.Join(from, "bin"), 0o755), os.Mkdir(filepath.Join(from, "etc"), 0o755), os.Mkdir(filepath.Join(from, "usr"), 0o755),
		os.WriteFile(filepath.Join(from, "bin/busybox"), program, 0o755), os.WriteFile(filepath.Join(from, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\njudge:x:7:7::/:/bin/sh\n"), 0o644),
		os.WriteFile(filepath.Join(from, "etc/old"), []byte("old\n"), 0o644))
	for _, tool := range []string{"sh", "cat", "chown", "dd", "echo", "grep", "id", "ls", "mkdir", "rm", "seq", "sleep", "stat", "test"} {
		err = errors.Join(err, os.Symlink("busybox", filepath.Join(from, "bin", tool)))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, told, status := images(t, state, "build-from-dir", from, "--name", name, "--env", "PATH=/usr/local/bin:/bin"); status != 0 {
		t.Fatal(told)
	}
}

// environment writes a file of an environment.
func environment(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "env.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestImageEnvironment: steps on an image from scratch, made once for all who want them,
// and nothing of those that fail.
func TestImageEnvironment(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	t.Cleanup(func() { // files of images are not this user's to remove
		for _, n := range []string{"base:1", "one:1", "two:1"} {
			images(t, state, "remove", n)
		}
		images(t, state, "prune")
	})
	busybox(t, state, "base:1")
	networks := `test "$(grep -c : /proc/net/dev)" = 1`
	if exec.CommandContext(t.Context(), "sh", "-c", networks).Run() == nil {
		t.Error("outside there is no network either: that there is none inside shows nothing")
	}
	file := environment(t, "base: base:1\nenv: {GREETING: hello}\nsteps:\n  - echo $GREETING > /etc/greeting; chown 7 /etc/greeting\n  - '"+networks+"'"+
		"\n  - |\n    rm /etc/old\n    mkdir /opt\n    echo mine > /etc/hosts; echo mine > /tmp/x; echo mine > /work/x\n    id > /opt/id\n")
	// Two at once: one makes it, the other finds it.
	var both sync.WaitGroup
	var out, told [2]string
	for i, name := range []string{"one:1", "two:1"} {
		both.Go(func() {
			var status int
			if out[i], told[i], status = images(t, state, "build", file, "--name", name); status != 0 {
				t.Errorf("%s: status %d: %s", name, status, told[i])
			}
		})
	}
	both.Wait()
	if all := out[0] + out[1]; strings.Count(all, " made: steps:") != 1 || strings.Count(all, " there: steps:") != 1 {
		t.Fatalf("not made once: %s", all)
	}
	d := &testkit.Daemon{State: state}
	says := func(want string, args ...string) {
		t.Helper()
		got := cordon(t, d, "", "", append([]string{"run", "--quiet", "--state", state}, args...)...)
		if got.status != 0 || got.out != want {
			t.Errorf("%q: %+v, want %q", args, got, want)
		}
	}
	says("hello hello\nuid=0(root) gid=0\n", "--image", "two:1", "--", "sh", "-c", "echo $GREETING $(cat /etc/greeting); cat /opt/id; ! test -e /etc/old && ! test -e /work/x && ! test -e /tmp/x && ! grep mine /etc/hosts")
	says("7 7 root\n", "--image", "one:1", "--policy", "ci", "--id-range", "--", "sh", "-c", "echo $(stat -c %u /etc/greeting) $(stat -c %u /etc/greeting) $(stat -c %U /opt/id)")
	says("old\n", "--image", "base:1", "--", "cat", "/etc/old")
	if out, _, status := images(t, state, "verify"); status != 0 {
		t.Error(out)
	}
	before, _, _ := images(t, state, "list", "--json")
	for name, c := range map[string]struct {
		text  string
		flags []string
		want  []string
	}{
		"a step": {"steps: [echo one, 'echo to out; echo to err >&2; exit 3', echo never]", nil, []string{"steps[1]", "exit 3", "to out", "to err", "exit code 3"}},
		"time":   {"steps: [sleep 60]", []string{"--wall-time", "3s"}, []string{"steps[0]", "wall_limit"}},
		"memory": {"steps: ['dd if=/dev/zero of=/big bs=1M count=100']", []string{"--memory", "32M", "--disk", "32M"}, []string{"steps[0]"}},
		"policy": {"steps: [echo one]", []string{"--policy", "judge"}, []string{"id_range", "writable_root"}},
		"apt":    {"packages: {apt: [hello]}", nil, []string{"packages.apt", "no release of Debian"}},
		"pip":    {"packages: {pip: [hello]}", nil, []string{"packages.pip", "no python3"}},
		"npm":    {"packages: {npm: [hello]}", nil, []string{"packages.npm", "no node"}},
		"file":   {"step: [x]", nil, []string{"unknown field"}},
	} {
		_, told, status := images(t, state, append([]string{"build", environment(t, "base: base:1\n"+c.text), "--name", "none:1"}, c.flags...)...)
		if status != 125 {
			t.Errorf("%s: status %d", name, status)
		}
		for _, w := range c.want {
			if !strings.Contains(told, w) {
				t.Errorf("%s: without %q: %s", name, w, told)
			}
		}
		if strings.Contains(told, "never") && name == "a step" {
			t.Errorf("it went on: %s", told)
		}
	}
	if _, told, status := images(t, state, "build", environment(t, "base: none:1\nsteps: [x]"), "--name", "none:1"); status != 125 || !strings.Contains(told, "base") {
		t.Errorf("without a base: status %d: %s", status, told)
	}
	killBuild(t, state, environment(t, "base: base:1\nsteps: [echo begun; sleep 600]"))
	if after, told, _ := images(t, state, "list", "--json"); after != before {
		t.Errorf("images are left: %s%s", after, told)
	}
	if left, err := filepath.Glob(filepath.Join(state, "images/work/*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if layers, err := filepath.Glob(filepath.Join(state, "images/layers/*")); err != nil || len(layers) != 2 {
		t.Errorf("layers: %v, %v", layers, err)
	}
	if out, told, status := images(t, state, "build", file, "--name", "one:1", "--fresh"); status != 0 || !strings.Contains(out, " made: steps:") {
		t.Errorf("fresh: status %d: %s%s", status, out, told)
	}
}

// killBuild ends a build as the kernel does, while its step runs.
func killBuild(t *testing.T, state, file string) {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), testkit.Binary(t), "image", "build", file, "--verbose", "--name", "none:1", "--state", state)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stderr = w
	if err := errors.Join(c.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	piece := make([]byte, 1024)
	for !strings.Contains(told.String(), "begun") {
		n, err := r.Read(piece)
		told.Write(piece[:n])
		if err != nil {
			t.Fatalf("it ended by itself: %v: %s", err, &told)
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for err == nil { // until nobody is there who could write
		_, err = r.Read(piece)
	}
	_ = c.Wait() // it was killed
}
