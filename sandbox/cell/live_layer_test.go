package cell_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// A waiting cell is shown a tree, which its job can use and not change. The next
// cell sees nothing of it, and neither does the server.
func testLayer(t *testing.T, k *kit) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "main")
	for name, text := range map[string]string{"main": "#!/bin/sh\necho built\n", "set-id": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), 0o755|os.ModeSetuid); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	const script = `cd /work; ./main; for f in /layer/main /layer/new; do (echo x >$f) 2>/dev/null && echo changed $f; done
grep " /layer " /proc/self/mountinfo | cut -d" " -f6; ls /layer`
	p := &cell.Program{Args: []string{"/bin/sh", "-c", script}, Entries: []cell.Entry{{Path: "main", Kind: cell.Symlink, Target: "/layer/main"}}}
	for range 2 { // a tree can be shown to many
		c := k.warm(t, k.server, k.open)
		if err := c.Layer(opened); err != nil {
			t.Fatal(err)
		}
		if r := begin(t, c, p, "").end(t); r.out != "built\nro,nosuid,nodev,relatime\nmain\nset-id\n" || r.errs != "" {
			t.Errorf("%+v", r)
		}
	}
	if r := begin(t, k.warm(t, k.server, k.open), &cell.Program{Args: []string{"/bin/ls", "-A", "/layer"}}, "").end(t); r.out != "" || r.errs != "" {
		t.Errorf("a cell without a layer sees %+v", r)
	}
	if text, err := os.ReadFile(main); err != nil || string(text) != "#!/bin/sh\necho built\n" {
		t.Errorf("%q, %v", text, err)
	}
	gone := k.warm(t, k.server, k.open)
	gone.End()
	if err := gone.Layer(opened); !errors.Is(err, cell.ErrGone) { // so another is taken
		t.Errorf("a cell that has ended was shown a tree: %v", err)
	}
	wantFailure(t, "a root without the directory", withoutLayer(t, k, opened), cell.StageLayer, unix.ENOENT)
	if r := k.shell(t, "echo on"); r.out != "on\n" { // the server is back in its own mounts
		t.Errorf("%+v", r)
	}
}

// withoutLayer asks for a layer in a root that has no place for it.
func withoutLayer(t *testing.T, k *kit, dir *os.File) error {
	t.Helper()
	template := smallTemplate(t)
	template.Root = slices.DeleteFunc(template.Root, func(o cell.Op) bool {
		return o.Kind == cell.OpMkdir && strings.HasSuffix(o.Target, cell.LayerPath)
	})
	s := start(t, template)
	err := k.warm(t, s, k.open).Layer(dir)
	if r := begin(t, k.warm(t, s, k.open), &cell.Program{Args: []string{"/bin/echo", "on"}}, "").end(t); r.out != "on\n" {
		t.Errorf("after that: %+v", r)
	}
	return err
}
