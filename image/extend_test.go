package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// built is an image of one layer, held.
func built(t *testing.T, s *opened, name string, items ...item) *Held {
	t.Helper()
	from := filepath.Join(t.TempDir(), "root.tar")
	if err := os.WriteFile(from, archive(t, items...), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := s.Build(t.Context(), from, nil, BuildOptions{Name: name, Env: []string{"PATH=/bin", "A=old"}})
	if err != nil {
		t.Fatal(err)
	}
	return holding(t, s, a.Image)
}

func holding(t *testing.T, s *opened, i *Image) *Held {
	t.Helper()
	h, err := s.Hold(Ref{Prefix: strings.TrimPrefix(i.ID, "sha256:")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestExtend mounts an overlay as a cell does, changes it in every way, and finds the same
// in the image of base and layer.
func TestExtend(t *testing.T) {
	s := open(t, Limits{})
	base := built(t, s, "base:1", dir("etc"), file("etc/keep", "kept"), file("etc/gone", "gone"), file("etc/change", "before"), dir("full"), file("full/a", "a"), file("full/b", "b"),
		dir("moved"), file("moved/x", "x"), dir("proc"), symlink("link", "etc/keep"))
	lowers, err := base.Lowers()
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	at := func(name string) string { return filepath.Join(top, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("tmpfs", top, "tmpfs", 0, "mode=0755"))
	defer func() { must(unix.Unmount(top, unix.MNT_DETACH)) }()
	for _, d := range []string{"up", "work", "root"} {
		must(os.Mkdir(at(d), 0o755))
	}
	must(unix.Setxattr(at("up"), "user.overlay.probe", []byte("y"), 0)) // a kernel before 6.6 has none here
	must(unix.Removexattr(at("up"), "user.overlay.probe"))
	must(unix.Mount("overlay", at("root"), "overlay", 0, "lowerdir="+filepath.Join(s.Layers(), lowers[0])+",upperdir="+at("up")+",workdir="+at("work")+",userxattr"))
	in := func(name string) string { return at("root/" + name) }
	must(os.Remove(in("etc/gone")))
	must(os.WriteFile(in("etc/change"), []byte("after"), 0o600))
	must(os.RemoveAll(in("full")))
	must(os.Mkdir(in("full"), 0o750))
	must(os.WriteFile(in("full/c"), []byte("c"), 0o644))
	must(os.WriteFile(in("new"), []byte("new"), 0o4755))
	must(os.Chmod(in("new"), 0o4755|os.ModeSetuid))
	must(os.Link(in("new"), in("new2")))
	must(os.Symlink("/anywhere/../..", in("out")))
	must(os.WriteFile(in("proc/self"), []byte("the cell's"), 0o644))
	must(syscall.Mkfifo(in("fifo"), 0o644))
	owners := s.Owners()
	if owners.Count > 40 {
		must(os.Lchown(in("etc/change"), int(owners.First)+33, int(owners.First)+34))
	}
	must(unix.Unmount(at("root"), 0))
	upper, err := os.Open(at("up"))
	must(err)
	defer upper.Close()
	a, err := s.Extend(t.Context(), base, upper, LayerOptions{Name: "more:1", Env: []string{"A=new", "B=b"}, CreatedBy: "a test", Without: []string{"proc"}})
	must(err)
	if len(a.Layers) != 2 || a.New != 1 || !slices.ContainsFunc(a.Notes, func(n Note) bool { return n.Entry == "fifo" }) {
		t.Errorf("%+v", a)
	}
	f, err := a.File()
	must(err)
	if !slices.Equal(f.Config.Env, []string{"PATH=/bin", "A=new", "B=b"}) || f.History[1].CreatedBy != "a test" || len(f.RootFS.DiffIDs) != 2 {
		t.Errorf("%+v", f)
	}
	v, err := holding(t, s, a.Image).View(s.Store)
	must(err)
	defer v.Close()
	for name, want := range map[string]string{"/etc/keep": "kept", "/etc/change": "after", "/full/c": "c", "/new": "new", "/new2": "new", "/link": "kept", "/moved/x": "x"} {
		if got, err := v.ReadFile(name, 100); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"/etc/gone", "/full/a", "/full/b", "/proc/self", "/fifo"} {
		if _, err := v.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	if got, err := v.Names("/full"); err != nil || !slices.Equal(got, []string{"c"}) {
		t.Errorf("what was emptied shows %q, %v", got, err)
	}
	if problems, err := s.Verify(t.Context(), a.Image); err != nil || len(problems) > 0 {
		t.Errorf("%+v, %v", problems, err)
	}
	// The same again is the same layer; what an overlay cannot say in a layer is refused.
	if again, err := s.Extend(t.Context(), base, upper, LayerOptions{CreatedBy: "a test", Env: []string{"A=new", "B=b"}, Without: []string{"proc"}}); err != nil || again.ID != a.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := s.Extend(t.Context(), base, upper, LayerOptions{MaxBytes: 10}); err == nil || !strings.Contains(err.Error(), "holes") {
		t.Errorf("more than can be there was taken: %v", err)
	}
	deep := at("up" + strings.Repeat("/d", depthMax+1))
	must(os.MkdirAll(deep, 0o755))
	if _, err := s.Extend(t.Context(), base, upper, LayerOptions{}); err == nil || !strings.Contains(err.Error(), "in each other") {
		t.Errorf("too deep a tree was taken: %v", err)
	}
	must(os.RemoveAll(at("up/d")))
	must(os.WriteFile(at("up/.wh.etc"), nil, 0o644))
	if _, err := s.Extend(t.Context(), base, upper, LayerOptions{}); err == nil || !strings.Contains(err.Error(), ".wh.etc") {
		t.Errorf("a name that would be a whiteout was taken: %v", err)
	}
	must(os.Remove(at("up/.wh.etc")))
	must(unix.Setxattr(at("up/full"), "user.overlay.redirect", []byte("/etc"), 0))
	if _, err := s.Extend(t.Context(), base, upper, LayerOptions{}); err == nil || !strings.Contains(err.Error(), "user.overlay.redirect") {
		t.Errorf("a redirection was taken: %v", err)
	}
}

// TestExtendOwners: ids that stand for the image's are its own again, and others are root's.
func TestExtendOwners(t *testing.T) {
	for _, c := range []struct {
		owners    Owners
		disk      uint32
		inImage   int
		backAgain bool
	}{{Owners{32769, 32768}, 32769, 0, true}, {Owners{32769, 32768}, 32769 + 33, 33, true}, {Owners{32769, 32768}, 65536, nobodys, false}, {Owners{65537, 65536}, 65537 + 65534, 65534, true},
		{Owners{65537, 65536}, 65537 + 65535, 65535, true}, {Owners{32769, 32768}, 5, 0, false}, {Owners{32769, 32768}, 0, 0, false}, {Owners{}, 1000, 0, false}, {Owners{100, 10}, 110, 0, false}} {
		if got := c.owners.inImage(c.disk); got != c.inImage || c.backAgain && c.owners.disk(got) != int(c.disk) {
			t.Errorf("%+v: %d is %d, want %d", c.owners, c.disk, got, c.inImage)
		}
	}
}

// TestMade: what was made for a key is found while it is there, whole, and never because
// an image says so.
func TestMade(t *testing.T) {
	s := open(t, Limits{})
	one := built(t, s, "one:1", file("a", "1"))
	key, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	if _, err := s.Made(key); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := errors.Join(s.Remember(key, one.Image), s.Remember(other, one.Image)); err != nil {
		t.Fatal(err)
	}
	h, err := s.Made(key)
	if err != nil || h.ID != one.ID || h.Close() != nil {
		t.Fatal(h, err)
	}
	for _, bad := range []string{"", "../" + key, strings.ToUpper(key)} {
		if err := s.Remember(bad, one.Image); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
	if err := s.Name(one.Image, "two:2"); err != nil {
		t.Error(err)
	}
	if i, err := s.Get(Ref{Name: "two:2"}); err != nil || i.ID != one.ID || len(i.Names) != 2 {
		t.Error(i, err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(Ref{Prefix: strings.TrimPrefix(one.ID, "sha256:")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Made(key); !errors.Is(err, ErrNotFound) {
		t.Errorf("it was removed: %v", err)
	}
	if err := s.Name(one.Image, "two:2"); err == nil {
		t.Error("an image that is not there got a name")
	}
	two := built(t, s, "two:1", file("a", "2"))
	if err := s.Remember(key, two.Image); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(s.dir, madeDir, "*")); err != nil || len(left) != 1 {
		t.Errorf("notes about what is gone stay: %q, %v", left, err)
	}
}

// TestLockMade: one at a time, in any number of stores; who does not want to wait any more
// does not, and nothing is left.
func TestLockMade(t *testing.T) {
	top := t.TempDir()
	a, b := openIn(t, top, Limits{}), openIn(t, top, Limits{})
	key := strings.Repeat("0f", 32)
	var mu sync.Mutex
	inside, most, times := 0, 0, 0
	var all sync.WaitGroup
	for i := range 6 {
		s := []*opened{a, b}[i%2]
		all.Go(func() {
			unlock, err := s.LockMade(t.Context(), key, func() {})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside++
			most, times = max(most, inside), times+1
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most != 1 || times != 6 {
		t.Errorf("%d at once, %d in all", most, times)
	}
	unlock, err := a.LockMade(t.Context(), key, func() {})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := b.LockMade(ctx, key, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("it did not wait: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(a.dir, madeDir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
}

// TestWorkbench: gone when it is closed, and after its owner at the next opening.
func TestWorkbench(t *testing.T) {
	top := t.TempDir()
	s := openIn(t, top, Limits{})
	w, err := s.Workbench()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Dir(), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openIn(t, top, Limits{}) // it is in use: nobody takes it away
	if _, err := os.Stat(filepath.Join(w.Dir(), "x")); err != nil {
		t.Error(err)
	}
	dir := w.Dir()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
