package cell_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// A waiting cell is shown files, each at its own place, which its job can read and not
// change. The next cell sees nothing of them, and neither does the server.
func testShow(t *testing.T, k *kit) {
	name := filepath.Join(t.TempDir(), "kept")
	if err := errors.Join(os.WriteFile(name, []byte("#!/bin/sh\necho ran\n"), 0o600), os.Chmod(name, 0o555|os.ModeSetuid)); err != nil {
		t.Fatal(err)
	}
	opened, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	o := k.order(k.open)
	owner := o.FirstID + 1
	if k.single {
		owner = 0
	}
	c := k.warmed(t, k.server, o)
	some := []cell.Shown{{Path: "in/deep/f", File: opened}}
	for i := range cell.MostShown - 1 {
		some = append(some, cell.Shown{Path: fmt.Sprintf("f%d", i), File: opened})
	}
	for _, files := range [][]cell.Shown{some, {{Path: "in/g", File: opened}}} {
		if err := c.Show(files, owner); err != nil {
			t.Fatal(err)
		}
	}
	const script = `cd /work; ./in/deep/f; for f in in/g f0; do (echo x >$f) 2>/dev/null && echo changed $f; chmod 700 $f 2>/dev/null && echo chmod; rm -f $f 2>/dev/null && echo removed; done
grep " /work/f0 " /proc/self/mountinfo | cut -d" " -f6; ls | wc -l; stat -c "%A %u" in/deep; echo x >in/beside && cat in/beside`
	p := &cell.Program{Args: []string{"/bin/sh", "-c", script}, Entries: []cell.Entry{{Path: "in/placed", Mode: 0o644}}}
	if r := begin(t, c, p, "").end(t); r.out != fmt.Sprintf("ran\nro,nosuid,nodev,relatime\n%d\ndrwxr-xr-x 1000\nx\n", cell.MostShown) || r.errs != "" {
		t.Errorf("%+v", r)
	}
	if r := k.shell(t, "ls -A /work; id -u"); r.out != "1000\n" || r.errs != "" { // the server is back in its own mounts, with its own id
		t.Errorf("the next cell: %+v", r)
	}
	if text, err := os.ReadFile(name); err != nil || string(text) != "#!/bin/sh\necho ran\n" {
		t.Errorf("%q, %v", text, err)
	}
	testShowRefused(t, k, opened)
}

func testShowRefused(t *testing.T, k *kit, opened *os.File) {
	one := func(path string) []cell.Shown { return []cell.Shown{{Path: path, File: opened}} }
	for _, path := range []string{"", "/etc/x", "../x", "a/../b", "a/", "a\x00b", "."} {
		wantFailure(t, path, k.warm(t, k.server, k.open).Show(one(path), 0), cell.StageLayer, unix.EBADMSG)
	}
	o := k.order(k.open)
	owner := o.FirstID + 1
	if k.single {
		owner = 0
	}
	c := k.warmed(t, k.server, o)
	if err := c.Show(one("f"), owner); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, "the same place twice", c.Show(one("f"), owner), cell.StageLayer, unix.EEXIST)
	wantFailure(t, "below a file", c.Show(one("f/g"), owner), cell.StageLayer, unix.ENOTDIR)
	wantFailure(t, "an id that is not in the daemon's range", c.Show(one("g"), 1<<30), cell.StageLayer, unix.EPERM)
	for _, n := range []int{0, cell.MostShown + 1} {
		if err := c.Show(make([]cell.Shown, n), owner); err == nil {
			t.Errorf("%d files at once", n)
		}
	}
	if r := begin(t, c, &cell.Program{Args: []string{"/bin/sh", "-c", "cat f | wc -l"}}, "").end(t); r.out != "2\n" {
		t.Errorf("after that: %+v", r)
	}
	gone := k.warm(t, k.server, k.open)
	gone.End()
	if err := gone.Show(one("f"), 0); !errors.Is(err, cell.ErrGone) { // so another is taken
		t.Errorf("a cell that has ended was shown a file: %v", err)
	}
	if r := k.shell(t, "echo on"); r.out != "on\n" {
		t.Errorf("%+v", r)
	}
}
