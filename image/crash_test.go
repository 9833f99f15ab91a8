package image

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child starts a function of this program as a process of its own.
func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/proc/self/exe")
	c.Env = append(os.Environ(), childVar+"="+name+"="+dir)
	return c
}

// importing brings in the layout of a directory again and again, each time after the
// image was removed, and says when each step begins.
func importing(dir string) error {
	s, err := Open(Config{Dir: filepath.Join(dir, "images")})
	if err != nil {
		return err
	}
	for {
		fmt.Println("import")
		all, err := s.Import(context.Background(), filepath.Join(dir, "layout"), nil, ImportOptions{})
		if err != nil {
			return err
		}
		fmt.Println(all[0].ID)
		time.Sleep(10 * time.Millisecond) // time to be killed in
		if _, err := s.Remove(Ref{Name: "x:1"}); err != nil {
			return err
		}
	}
}

// manyFiles is a layer that takes a while.
func manyFiles(t testing.TB, seed string, files int) []byte {
	t.Helper()
	items := []item{dir("d")}
	for i := range files {
		items = append(items, file(fmt.Sprintf("d/%s-%d", seed, i), strings.Repeat(seed, i%50)))
	}
	return archive(t, items...)
}

// TestKilled: a process is killed again and again while it brings in and removes an
// image. Whatever it was at, the next sees the image whole or not at all, and what was
// half made is gone.
func TestKilled(t *testing.T) {
	top := t.TempDir()
	l := newLayout(t)
	l.dir = filepath.Join(top, "layout")
	l.image("x:1", manyFiles(t, "one", 300), manyFiles(t, "two", 300))
	l.write()
	half, whole := 0, 0
	for round := range 12 {
		c := child(t, "importing", top)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; i <= round%3 && lines.Scan(); i++ { // in an import, or in a removal
		}
		if round%3 != 1 {
			time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		}
		if err := c.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
		left, err := filepath.Glob(filepath.Join(top, "images", workDir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		half += len(left)
		s := openIn(t, top, Limits{})
		if _, err := s.Prune(); err != nil { // a layer may have its place already, and no image yet
			t.Fatal(err)
		}
		s.clean(t)
		all, err := s.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range all {
			whole++
			s.verified(t, i)
		}
	}
	if half == 0 {
		t.Error("it was never killed in the middle: this test does not see what it looks for")
	}
	t.Logf("%d half, %d whole", half, whole)
}

// TestFullDisk: on a real file system without room nothing half is left, the error says
// so, and what fits is taken afterwards.
func TestFullDisk(t *testing.T) {
	top := t.TempDir()
	for name, layer := range map[string][]byte{"large": archive(t, file("a", strings.Repeat("x", 1<<20)), file("b", strings.Repeat("y", 6<<20))), "many": manyFiles(t, "m", 2000), "small": archive(t, file("a", "x"))} {
		l := newLayout(t)
		l.dir = filepath.Join(top, name)
		l.image("x:1", archive(t, file("base", "b")), layer)
		l.write()
	}
	if out, err := child(t, "full disk", top).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func fullDisk(dir string) error {
	at := filepath.Join(dir, "disk")
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=4m,nr_inodes=1000,mode=0700"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	s, err := Open(Config{Dir: filepath.Join(at, "images")})
	if err != nil {
		return err
	}
	for _, name := range []string{"large", "many"} {
		_, err := s.Import(context.Background(), filepath.Join(dir, name), nil, ImportOptions{})
		if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "layer sha256:") {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, d := range []string{workDir, layersDir, imagesDir} {
			if left, err := os.ReadDir(filepath.Join(at, "images", d)); err != nil || len(left) > 0 {
				return fmt.Errorf("%s: left in %s: %v, %w", name, d, left, err)
			}
		}
	}
	all, err := s.Import(context.Background(), filepath.Join(dir, "small"), nil, ImportOptions{})
	if err != nil {
		return err
	}
	if problems, err := s.Verify(context.Background(), all[0].Image); err != nil || len(problems) > 0 {
		return fmt.Errorf("%v, %w", problems, err)
	}
	return s.Close()
}

// TestSeveralAtOnce: several stores on one directory, as several processes have them,
// bring in and remove images that share layers. Nobody sees half a thing, and in the end
// there is nothing but what is named.
func TestSeveralAtOnce(t *testing.T) {
	top := t.TempDir()
	base := manyFiles(t, "base", 50)
	var layouts []string
	for i := range 3 {
		l := newLayout(t)
		l.image(fmt.Sprintf("x%d:1", i), base, manyFiles(t, fmt.Sprint("own", i), 20))
		layouts = append(layouts, l.write())
	}
	var all sync.WaitGroup
	for i, from := range layouts {
		for range 2 { // two of them bring in the same image
			s := openIn(t, top, Limits{})
			all.Go(func() {
				for range 6 {
					added, err := s.Import(context.Background(), from, nil, ImportOptions{})
					if err != nil {
						t.Errorf("import: %v", err)
						return
					}
					held, err := s.Hold(Ref{Prefix: strings.TrimPrefix(added[0].ID, "sha256:")})
					if err == nil {
						if problems, err := s.Verify(context.Background(), held.Image); err != nil || len(problems) > 0 {
							t.Errorf("verify: %+v, %v", problems, err)
						}
						if err := held.Close(); err != nil {
							t.Error(err)
						}
					} else if !errors.Is(err, ErrNotFound) && !errors.Is(err, unix.ENOENT) { // the other has removed it
						t.Errorf("hold: %v", err)
					}
					if _, err := s.Remove(Ref{Name: fmt.Sprintf("x%d:1", i)}); err != nil && !errors.Is(err, ErrNotFound) {
						t.Errorf("remove: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	s := openIn(t, top, Limits{})
	if _, err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	s.empty(t)
}

// TestInUse: layers that somebody holds stay until they are let go.
func TestInUse(t *testing.T) {
	o := open(t, Limits{})
	base := archive(t, file("base", "b"))
	o.brings(t, "x:1", base, archive(t, file("a", "x")))
	o.brings(t, "y:1", base)
	h, err := o.Hold(Ref{Name: "x:1"})
	if err != nil {
		t.Fatal(err)
	}
	other := openIn(t, o.top, Limits{})
	gone, err := other.Remove(Ref{Name: "x:1"})
	if err != nil || len(gone.Layers) != 0 || len(gone.Busy) != 1 || len(gone.Images) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	for _, lower := range lowers(t, h) {
		if _, err := os.Stat(filepath.Join(o.Layers(), lower)); err != nil {
			t.Error(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if gone, err = other.Prune(); err != nil || len(gone.Layers) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	o.clean(t)
	if gone, err = o.Remove(Ref{Name: "y:1"}); err != nil || len(gone.Layers) != 1 || len(gone.Images) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	o.empty(t)
}

// TestNames: an image goes with its last name; without one it is pruned.
func TestNames(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	one := o.brings(t, "x:1", layer)
	two := o.brings(t, "x:2", layer)
	if one.ID != two.ID || two.New != 0 || len(two.Names) != 2 {
		t.Errorf("%+v, %+v", one, two)
	}
	gone, err := o.Remove(Ref{Name: "x:1"})
	if err != nil || len(gone.Names) != 1 || len(gone.Images) != 0 || len(gone.Layers) != 0 {
		t.Errorf("%+v, %v", gone, err)
	}
	if i, err := o.Get(Ref{Name: "x", Digest: two.Manifests[0]}); err != nil || i.ID != two.ID {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := o.Get(Ref{Name: "y", Digest: two.Manifests[0]}); !errors.Is(err, ErrNotFound) {
		t.Errorf("by another name: %v", err)
	}
	three, err := o.Build(context.Background(), "-", strings.NewReader(string(archive(t, file("b", "y")))), BuildOptions{Name: "x:2"}) // takes the name
	if err != nil {
		t.Fatal(err)
	}
	if gone, err = o.Prune(); err != nil || len(gone.Images) != 1 || gone.Images[0] != two.ID || len(gone.Layers) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	if gone, err = o.Remove(Ref{Prefix: strings.TrimPrefix(three.ID, "sha256:")[:12]}); err != nil || len(gone.Names) != 1 || len(gone.Images) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	if _, err := o.Remove(Ref{Name: "x:2"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	o.empty(t)
}

// TestOrder: an image's layers are on the disk before they have their places, and have
// these before there is an image of them.
func TestOrder(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	var steps []string
	o.sync = func(fd int) error {
		if !same(o.work, o.only(t), fd) {
			t.Error("another file system may be asked")
		}
		if names, err := namesIn(o.work, o.only(t)+"/layer0/"+treeDir); err != nil || len(names) != 1 {
			t.Errorf("%q, %v", names, err)
		}
		steps = append(steps, "sync")
		o.unseen(t)
		return nil
	}
	o.flush = func(int) error { steps = append(steps, "flush"); return nil }
	o.brings(t, "x:1", layer)
	// The layers' names, then the image and its name, then the name of that and its own.
	if want := []string{"sync", "flush", "flush", "flush", "flush", "flush"}; !slices.Equal(steps, want) {
		t.Errorf("%q, want %q", steps, want)
	}
	o.sync = func(int) error { return unix.EIO }
	if _, err := o.Build(context.Background(), "-", strings.NewReader(string(archive(t, file("b", "x")))), BuildOptions{}); !errors.Is(err, unix.EIO) {
		t.Errorf("%v", err)
	}
	o.clean(t)
	all, err := o.List()
	if err != nil || len(all) != 1 {
		t.Errorf("%d images, %v", len(all), err)
	}
}

// only is the one desk with a layer on it.
func (o *opened) only(t *testing.T) string {
	t.Helper()
	names, err := namesIn(o.work, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if _, err := os.Stat(filepath.Join(o.dir, workDir, n, "layer0")); err == nil {
			return n
		}
	}
	t.Fatal("no layer is being made")
	return ""
}

// unseen: nobody sees anything yet.
func (o *opened) unseen(t *testing.T) {
	t.Helper()
	for _, d := range []string{layersDir, imagesDir} {
		if names, err := namesIn(o.root, d); err != nil || len(names) > 0 {
			t.Errorf("%s: %q, %v", d, names, err)
		}
	}
}

// TestDamagedLayer: what is left of a layer that somebody has broken is not taken for one,
// and goes with its image.
func TestDamagedLayer(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	l := newLayout(t)
	l.image("x:1", layer)
	from := l.write()
	o.imports(t, from)
	if err := os.Remove(filepath.Join(o.Layers(), layerID(digestOf(layer)), layerFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Import(context.Background(), from, nil, ImportOptions{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := o.Hold(Ref{Name: "x:1"}); err == nil {
		t.Error("it can be used")
	}
	if gone, err := o.Remove(Ref{Name: "x:1"}); err != nil || len(gone.Layers) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	o.verified(t, o.imports(t, from).Image)
	o.clean(t)
}

// TestDamagedImage: an image whose own file is broken is told, and can be got rid of or
// brought in again; nothing else of the store is lost by it.
func TestDamagedImage(t *testing.T) {
	o := open(t, Limits{})
	layer := archive(t, file("a", "x"))
	l := newLayout(t)
	l.image("x:1", layer)
	from := l.write()
	a := o.imports(t, from)
	o.brings(t, "y:1", archive(t, file("b", "y")))
	name := filepath.Join(o.dir, imageName(a.ID))
	for what, text := range map[string]string{"no JSON": "{", "another configuration": `{"id":"` + a.ID + `","config":"e30K"}`, "another image": `{"id":"x"}`} {
		for how, mend := range map[string]func() error{
			"by its name": func() error { _, err := o.Remove(Ref{Name: "x:1"}); return err },
			"by its id":   func() error { _, err := o.Remove(Ref{Prefix: strings.TrimPrefix(a.ID, "sha256:")}); return err },
			"again":       func() error { o.imports(t, from); return nil },
		} {
			o.imports(t, from)
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := o.List(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), a.ID) {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := o.Prune(); !errors.Is(err, ErrDamaged) { // whose layers are whose is not known
				t.Errorf("%s: prune: %v", what, err)
			}
			if _, err := o.Get(Ref{Name: "y:1"}); err != nil {
				t.Errorf("%s: the other image: %v", what, err)
			}
			if err := mend(); err != nil {
				t.Errorf("%s, %s: %v", what, how, err)
			}
			if _, err := o.Prune(); err != nil {
				t.Errorf("%s, %s: %v", what, how, err)
			}
			o.clean(t)
		}
	}
}
