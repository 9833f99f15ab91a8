package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// TestImageBootstrap makes a system of one package from Debian's archive. Larger ones take
// the same way, and their packages' scripts half a minute.
func TestImageBootstrap(t *testing.T) {
	top := t.TempDir()
	state := filepath.Join(top, "state")
	t.Cleanup(func() {
		for _, n := range []string{"tiny:1", "tiny:2"} {
			images(t, state, "remove", n)
		}
	})
	empty := func(when string) {
		t.Helper()
		for _, dir := range []string{"layers", "images", "work"} {
			if left, err := filepath.Glob(filepath.Join(state, "images", dir, "*")); err != nil || len(left) > 0 {
				t.Errorf("%s: left: %v, %v", when, left, err)
			}
		}
	}
	_, told, status := images(t, state, "bootstrap", "debian", "--mirror", "http://127.0.0.1:1/debian")
	if status != 125 || !strings.Contains(told, "127.0.0.1") || !strings.Contains(told, "--mirror") {
		t.Errorf("no mirror: status %d: %s", status, told)
	}
	for _, args := range [][]string{{"bootstrap"}, {"bootstrap", "plan9"}, {"bootstrap", "debian", "--suite", "Bookworm"}, {"bootstrap", "debian", "--name", "No"}} {
		if _, told, status := images(t, state, args...); status != 125 || told == "" {
			t.Errorf("%q: status %d: %s", args, status, told)
		}
	}
	empty("refused")
	tiny := []string{"bootstrap", "debian", "--variant", "extract", "--include", "busybox-static"}
	out, told, status := images(t, state, append(tiny, "--name", "tiny:1", "--json")...)
	if status != 0 && strings.Contains(told, "cannot be had from") {
		t.Skipf("no archive of Debian can be reached: %s", told)
	}
	var made []struct{ Image struct{ ID string } }
	if err := json.Unmarshal([]byte(out), &made); status != 0 || err != nil || len(made) != 1 || made[0].Image.ID == "" {
		t.Fatalf("status %d, %v: %s%s", status, err, out, told)
	}
	if out, told, status := images(t, state, append(tiny, "--name", "tiny:2", "--json")...); status != 0 || !strings.Contains(out, made[0].Image.ID) {
		t.Errorf("the same again is another image: status %d: %s%s", status, out, told)
	}
	flat := filepath.Join(top, "flat.tar")
	if _, told, status := images(t, state, "export", "tiny:1", "-o", flat); status != 0 {
		t.Fatal(told)
	}
	list, err := exec.Command("tar", "-tvf", flat, "--numeric-owner").Output()
	if err != nil || !strings.Contains(string(list), "0/0") || !strings.Contains(string(list), "bin/busybox") {
		t.Errorf("%v: %s", err, list)
	}
	for _, name := range []string{"etc/hostname", "etc/resolv.conf", "etc/apt/apt.conf.d/99mmdebstrap"} {
		if strings.Contains(string(list), name+"\n") {
			t.Errorf("it holds %s", name)
		}
	}
	sources, err := exec.Command("tar", "-xOf", flat, "--wildcards", "*etc/apt/sources.list").Output()
	if err != nil || strings.Count(string(sources), "\n") != strings.Count(string(sources), "deb http://deb.debian.org/") {
		t.Errorf("%v: %s", err, sources)
	}
	if out, told, status := images(t, state, "bootstrap", "debian", "--variant", "extract", "--include", "no-such-package-anywhere"); status != 125 || !strings.Contains(told, "no-such-package-anywhere") {
		t.Errorf("an unknown package: status %d: %s%s", status, out, told)
	}
	images(t, state, "remove", "tiny:1")
	images(t, state, "remove", "tiny:2")
	killBootstrap(t, state)
	images(t, state, "prune") // opens the store, which is what tidies
	empty("killed")
}

// killBootstrap ends one in the middle as the kernel does, and waits until nothing of it
// runs any more.
func killBootstrap(t *testing.T, state string) {
	t.Helper()
	c := exec.Command(testkit.Binary(t), "image", "bootstrap", "debian", "--variant", "essential", "--state", state, "--name", "tiny:1")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(state, "images/work/*/tmp")
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if at, _ := filepath.Glob(filepath.Join(work, "*/var/lib/dpkg")); len(at) > 0 { // packages are being brought
			break
		}
		if time.Now().After(deadline) {
			t.Error("it does not begin")
			break
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	for deadline := time.Now().Add(time.Minute); strings.Contains(commandLines(t), "--variant=essential"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("processes go on:\n%s", commandLines(t))
		}
	}
}

// commandLines are those of all processes.
func commandLines(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		text, _ := os.ReadFile(f) // it may be gone
		b.WriteString(strings.ReplaceAll(string(text), "\x00", " ") + "\n")
	}
	return b.String()
}
