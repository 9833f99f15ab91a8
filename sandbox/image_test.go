package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"cordon/image"
	"cordon/imageroots"
	"cordon/internal/testkit"
	"cordon/rootfs"
	"cordon/sandbox/cell"
	"cordon/userns"
)

// gallery is a lab with a store of images.
type gallery struct {
	*lab
	store *image.Store
	tool  []byte
}

func newGallery(t testing.TB, change ...func(*Config)) *gallery {
	t.Helper()
	g := &gallery{tool: testkit.Tool(t)}
	mapped, err := userns.Mapped()
	if err != nil {
		t.Fatal(err)
	}
	first, count := userns.ForImages(mapped)
	if g.store, err = image.Open(image.Config{Dir: filepath.Join(t.TempDir(), "images"), Owners: image.Owners{First: int64(first), Count: int64(count)}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the lab's: what its cells stand on is let go of by then
		for _, i := range must(g.store.List()) {
			if _, err := g.store.Remove(image.Ref{Prefix: strings.TrimPrefix(i.ID, "sha256:")}); err != nil {
				t.Error(err)
			}
		}
		if left := must(g.store.Prune()); len(left.Busy) > 0 {
			t.Errorf("layers still in use: %v", left.Busy)
		}
		if err := g.store.Close(); err != nil {
			t.Error(err)
		}
	})
	g.lab = newLab(t, append([]func(*Config){func(c *Config) {
		c.Ranges = userns.NewRanges(userns.ForCells(mapped), nil)
		c.Images = g.roots()
	}}, change...)...)
	return g
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (g *gallery) roots() imageroots.Store { return imageroots.Store{Images: g.store} }

// brings has an image with the tool and what its layers have.
func (g *gallery) brings(t testing.TB, name string, config map[string]any, layers ...[]byte) *image.Image {
	t.Helper()
	file := filepath.Join(t.TempDir(), "saved.tar")
	bottom := testkit.Archive(t, testkit.Dir("bin", 0o755, 0), testkit.Regular("bin/tool", 0o755, 0, string(g.tool)))
	if err := os.WriteFile(file, testkit.Saved(t, name, config, slices.Concat([][]byte{bottom}, layers)...), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := g.store.Import(context.Background(), file, nil, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Image
}

// on is a job that runs the tool on an image. Commands are divided by semicolons.
func (g *gallery) on(t testing.TB, q ImageRequest, policy, commands string) *Job {
	t.Helper()
	j := &Job{ID: uuid.NewString(), Policy: policy, Command: append([]string{"/bin/tool"}, strings.Fields(commands)...)}
	if commands == "" {
		j.Command = nil
	}
	if err := j.UseImage(g.roots(), q); err != nil {
		t.Fatal(err)
	}
	return j
}

// says runs a job and holds what the tool prints against what is wanted, line by line.
func (g *gallery) says(t testing.TB, j *Job, want ...string) {
	t.Helper()
	r := g.run(t, j)
	if r.Verdict != OK {
		t.Fatalf("%q: %s (%s)\n%s%s", j.Command, r.Verdict, r.Message, r.Stdout, r.Stderr)
	}
	if got := strings.TrimSuffix(string(r.Stdout), "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%q printed\n%s\nwant\n%s", j.Command, got, strings.Join(want, "\n"))
	}
}

var system = []testkit.Entry{
	testkit.Dir("etc", 0o755, 0), testkit.Regular("etc/passwd", 0o644, 0, "root:x:0:0:root:/root:/bin/sh\nwww:x:33:34:www:/srv:/bin/sh\n"),
	testkit.Regular("etc/group", 0o644, 0, "root:x:0:\nweb:x:35:\n"), testkit.Regular("etc/shadow", 0o600, 0, "secret"),
	testkit.Dir("srv", 0o755, 33), testkit.Regular("srv/page", 0o640, 33, "page"), testkit.Regular("srv/user", 0o600, 1000, "of user 1000"),
	testkit.Regular("srv/above", 0o644, 0, "lower"), testkit.Regular("srv/gone", 0o644, 0, "gone"),
}

// TestOnImageOneID: a job with one id sees the image as it is, owns nothing of it and can
// change nothing of it.
func TestOnImageOneID(t *testing.T) {
	g := newGallery(t)
	i := g.brings(t, "web:1", map[string]any{"Env": []string{"PATH=/bin", "FOO=bar", "HOME=/srv"}, "WorkingDir": "srv", "User": "www",
		"Entrypoint": []string{"tool", "env", "FOO"}, "Cmd": []string{";", "pwd"}},
		testkit.Archive(t, system...), testkit.Archive(t, testkit.Gone("srv/gone"), testkit.Regular("srv/above", 0o644, 0, "upper")))
	for _, name := range []string{"web:1", i.ID, i.ID[7:19]} {
		g.says(t, g.on(t, ImageRequest{Name: name}, "judge", ""), "env bar", "pwd /srv")
	}
	g.says(t, g.on(t, ImageRequest{Name: "web:1", Dir: "/etc"}, "judge", "env HOME ; env PWD ; pwd ; ids ; caps ; env USER"),
		"env /srv", "env /etc", "pwd /etc", "ids 1000 1000 1000 1000 1000 1000 0",
		"caps "+strings.TrimSpace(strings.Repeat("0000000000000000 ", 5)), "env job")
	g.says(t, g.on(t, ImageRequest{Name: "web:1", Placed: true}, "judge", "pwd ; list /srv ; cat /srv/above ; cat /srv/gone ; look /etc/passwd ; look /srv/page ; look /srv/user ; look / ; look /bin/tool"),
		"pwd /work", "list above page user", "cat upper", "cat ENOENT", "look 0:0 100644 0:0", "look 33:33 100640 0:0", "look 65534:65534 100600 0:0", "look 0:0 040755 0:0", "look 0:0 100755 0:0")
	g.says(t, g.on(t, ImageRequest{Name: "web:1"}, "judge", "cat /etc/shadow ; cat /srv/user ; put /etc/x x ; put /srv/above x ; chmod /srv/user 777 ; become 0 ; become 33 ; become 65536 ; mount /srv ; put /work/x x ; put /tmp/x x ; chown /work/x 0"),
		"cat EACCES", "cat EACCES", "put EROFS", "put EROFS", "chmod EROFS", "become EPERM", "become EPERM", "become EPERM", "mount EPERM", "put ok", "put ok", "chown EPERM")
	if r := g.run(t, g.on(t, ImageRequest{Name: "web:1", Dir: "/srv/none"}, "judge", "pwd")); r.Verdict != ExecFailed || !strings.Contains(r.Message, "working directory") {
		t.Errorf("%s (%s)", r.Verdict, r.Message)
	}
	// A writable root is the job's own directories over the image's.
	g.says(t, g.on(t, ImageRequest{Name: "web:1"}, "ci", "put /etc/x x"), "put EROFS")
	j := g.on(t, ImageRequest{Name: "web:1"}, "ci", "put /etc/x x ; put /new x ; put /etc/passwd x ; put /srv/above x ; cat /etc/shadow ; cat /srv/above")
	j.WritableRoot = true
	g.says(t, j, "put ok", "put ok", "put EACCES", "put EACCES", "cat EACCES", "cat upper")
	g.sound(t)
}

// sound: no job has changed a byte of the store.
func (g *gallery) sound(t *testing.T) {
	t.Helper()
	for _, i := range must(g.store.List()) {
		if problems, err := g.store.Verify(context.Background(), i); err != nil || len(problems) > 0 {
			t.Errorf("%v: %v, %v", i.Names, problems, err)
		}
	}
}

// TestOnImageRange: root of an image owns what is root's there, inside its own user namespace.
func TestOnImageRange(t *testing.T) {
	g := newGallery(t)
	g.brings(t, "web:1", map[string]any{"Env": []string{"PATH=/bin"}}, testkit.Archive(t, system...))
	caps := "0000000000000000 00000000000000fb 00000000000000fb 00000000000000fb 0000000000000000"
	root := ImageRequest{Name: "web:1", Range: true}
	all := "ids ; caps ; cat /etc/shadow ; put /etc/shadow 2 ; cat /etc/shadow ; chown /etc/shadow 33 ; look /etc/shadow ; look /work ; unlink /srv/above ; list /srv ; mkdir /d ; rename /d /e ; mount /e ; node /e/n ; put /work/x x ; put /dev/stdout +"
	j := g.on(t, root, "ci", all)
	j.WritableRoot = true
	g.says(t, j, "ids 0 0 0 0 0 0 0", "caps "+caps, "cat secret", "put ok", "cat secret2", "chown ok", "look 33:33 100600 0:0", "look 0:0 040755 0:0",
		"unlink ok", "list gone page user", "mkdir ok", "rename "+renamed(t), "mount EPERM", "node EPERM", "put ok", "+put ok")
	g.says(t, g.on(t, root, "ci", "put /etc/x x ; cat /etc/shadow ; env HOME ; env USER"), "put EROFS", "cat secret", "env /root", "env root")
	// Rights that are dropped are gone, for nobody too, whose id may lie beyond the range.
	g.says(t, g.on(t, root, "ci", "become 33 ; ids ; cat /etc/shadow ; cat /srv/page ; become 0"), "become ok", "ids 33 33 33 33 33 33 1", "cat EACCES", "cat page", "become EPERM")
	g.says(t, g.on(t, root, "ci", "become 65534 ; ids ; exec /bin/tool caps"), "become ok", "ids 65534 65534 65534 65534 65534 65534 1",
		"caps 0000000000000000 0000000000000000 0000000000000000 00000000000000fb 0000000000000000")
	// Init is in the map, and out of reach: by root, and by who takes its id.
	for _, who := range []string{"0", "65536"} {
		g.says(t, g.on(t, root, "ci", "become "+who+" ; trace 1 ; cat /proc/1/environ ; kill 1 9 ; kill 1 19 ; put /proc/1/oom_score_adj 0 ; ids"),
			"become ok", "trace EPERM", "cat EACCES", "kill ok", "kill ok", "put EACCES", "ids "+strings.TrimSpace(strings.Repeat(who+" ", 6))+" 1")
	}
	for user, ids := range map[string]string{"www": "33 33 33 34 34 34", "33": "33 33 33 34 34 34", "www:web": "33 33 33 35 35 35", "7:8": "7 7 7 8 8 8", ":web": "0 0 0 35 35 35"} {
		j := g.on(t, ImageRequest{Name: "web:1", Range: true, User: user}, "ci", "ids ; put /work/f/x x ; put /dev/stdout +")
		j.Files = []File{{Path: "f/y", Mode: 0o644, Data: []byte("y")}}
		j.Outputs = []string{"f/*"}
		g.says(t, j, "ids "+ids+" 0", "put ok", "+put ok")
		if r := g.run(t, j); len(r.Files) != 2 || string(r.Files[0].Data) != "x" {
			t.Errorf("outputs: %+v", r.Files)
		}
	}
	g.sound(t)
}

// renamed is what comes of renaming a directory in a writable root: a tmpfs keeps what an
// overlay has to note of it since Linux 6.6.
func renamed(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	switch err := unix.Setxattr(dir, "user.noted", []byte("y"), 0); err {
	case nil:
		return "ok"
	case unix.EOPNOTSUPP:
		return "EXDEV"
	default:
		t.Fatal(err)
		return ""
	}
}

// TestOnImageRangesApart: jobs that are root of images have the same ids outside, and do not
// reach each other.
func TestOnImageRangesApart(t *testing.T) {
	g := newGallery(t)
	g.brings(t, "web:1", nil, testkit.Archive(t, system...))
	root := ImageRequest{Name: "web:1", Range: true}
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, said := io.Pipe()
	first := g.on(t, root, "ci", "ids ; priority ; wait ; priority ; cat /etc/shadow ; list /proc/1/task ; lock /etc/passwd")
	first.WritableRoot, first.StdinFile, first.Stdout = true, in, said
	done := make(chan *Result)
	go func() { done <- g.run(t, first); said.Close() }()
	line := make([]byte, 64)
	if n, err := out.Read(line); err != nil || !strings.HasPrefix(string(line[:n]), "ids 0") {
		t.Fatalf("%q, %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	second := g.on(t, root, "ci", "lock /etc/passwd ; put /etc/shadow x ; hurry ; priority ; kill -1 9")
	second.WritableRoot = true
	r := g.run(t, second)
	// It has changed what it could reach, itself: as its own priority shows. kill(2) spares it.
	if want := "lock ok\nput ok\nhurry ok\npriority 19\nkill ESRCH\n"; string(r.Stdout) != want {
		t.Errorf("%q (%s, %s), want %q", r.Stdout, r.Verdict, r.Message, want)
	}
	fmt.Fprintln(feed, "go on")
	feed.Close()
	r = <-done
	usual := fmt.Sprintf("priority %d\n", 20-must(unix.Getpriority(unix.PRIO_PROCESS, 0))) // the system call itself has it so
	if want := "ids 0 0 0 0 0 0 0\n" + usual + "wait go on\n" + usual + "cat secret\nlist 1\nlock ok\n"; r.Verdict != OK || string(r.Stdout) != want {
		t.Errorf("%s (%s): %q, want %q", r.Verdict, r.Message, r.Stdout, want)
	}
}

// TestOnImageBuilt: builds and tests run on the image too, and what a build leaves is found.
func TestOnImageBuilt(t *testing.T) {
	g := newGallery(t)
	g.brings(t, "web:1", map[string]any{"WorkingDir": "/srv"}, testkit.Archive(t, system...))
	for _, q := range []ImageRequest{{Name: "web:1", Placed: true}, {Name: "web:1", Placed: true, Range: true}, {Name: "web:1", Placed: true, Range: true, User: "www"}} {
		j := g.on(t, q, "ci", "cat made ; cat /etc/group ; put mine x")
		j.Build = strings.Fields("/bin/tool put made built")
		g.says(t, j, "cat built", "cat root:x:0:", map[bool]string{true: "web:x:35:", false: "web:x:35:\njob:x:1000:"}[q.Range], "", "put ok")
		j.Tests = []Test{{}, {Args: []string{";", "ids"}}}
		j.KeepOutput = 1000
		r := g.run(t, j)
		if r.Verdict != OK || len(r.Tests) != 2 || !strings.Contains(string(r.Tests[1].Stdout), "cat built\n") {
			t.Errorf("%+v: %s (%s) %+v", q, r.Verdict, r.Message, r.Tests)
		}
	}
}

// TestOnImageLayers: as many layers as an image may have fit the mount, and what hides what
// is as in the archives.
func TestOnImageLayers(t *testing.T) {
	g := newGallery(t)
	var layers [][]byte
	for n := range 126 {
		layers = append(layers, testkit.Archive(t, testkit.Regular(fmt.Sprintf("d/%03d", n), 0o644, 0, fmt.Sprint(n)), testkit.Regular("top", 0o644, 0, fmt.Sprint(n))))
	}
	layers[100] = testkit.Archive(t, testkit.Gone("d/050"), testkit.Regular("top", 0o644, 0, "100"))
	g.brings(t, "high:127", nil, layers...)
	g.says(t, g.on(t, ImageRequest{Name: "high:127"}, "default", "cat top ; cat /top ; cat /d/000 ; cat /d/050 ; cat /d/125"), "cat ENOENT", "cat 125", "cat 0", "cat ENOENT", "cat 125")
}

// TestOnImageLinks: an image whose directories of the system are links, or whose accounts lead
// elsewhere, has no place of ours made through them.
func TestOnImageLinks(t *testing.T) {
	g := newGallery(t)
	marker := filepath.Join(t.TempDir(), "marker")
	if err := os.Mkdir(marker, 0o777); err != nil {
		t.Fatal(err)
	}
	var links []testkit.Entry
	for _, name := range []string{"dev", "proc", "sys", "tmp", "work", "etc", "var", "run", "layer", ".mask", ".lower", ".scratch"} {
		links = append(links, testkit.Symlink(name, marker))
	}
	for _, name := range []string{"links:1", "files:1"} {
		g.brings(t, name, nil, testkit.Archive(t, links...))
		for _, q := range []ImageRequest{{Name: name}, {Name: name, Range: true}} {
			for _, writable := range []bool{false, true} {
				j := g.on(t, q, "ci", "look /dev/null ; look /etc ; put /dev/null x ; cat /proc/1/comm ; put /tmp/x x ; list /sys/devices/system ; list "+marker)
				j.WritableRoot = writable
				etc := "look 0:0 040755 0:0"
				if writable && !q.Range { // its own, over the image's
					etc = "look 1000:1000 040755 0:0"
				}
				g.says(t, j, "look 65534:65534 020666 1:3", etc, "put ok", "cat cordon-cell", "", "put ok", "list cpu", "list ENOENT")
			}
		}
		for i := range links {
			links[i] = testkit.Regular(links[i].Name, 0o777, 0, "root:x:0:0::/:\n")
		}
	}
	if left := must(os.ReadDir(marker)); len(left) > 0 {
		t.Errorf("left outside: %v", left)
	}
}

// TestOnImageTemplates: fork servers of images are few, the one that was not used for the
// longest time goes, and its layers can be removed then.
func TestOnImageTemplates(t *testing.T) {
	g := newGallery(t, func(c *Config) { c.ImageTemplates, c.Warm = 2, 1 })
	servers := func() (n int) {
		g.pool.mu.Lock()
		defer g.pool.mu.Unlock()
		for _, k := range g.pool.kinds {
			if k.held != nil {
				n++
			}
		}
		return n
	}
	var first *image.Image
	for _, name := range []string{"a:1", "b:1", "a:1", "c:1"} {
		if _, err := g.roots().Find(name); err != nil {
			i := g.brings(t, name, nil, testkit.Archive(t, testkit.Regular("own", 0o644, 0, name)))
			first = orFirst(first, i)
		}
		g.says(t, g.on(t, ImageRequest{Name: name}, "default", "cat /own"), "cat "+name)
		eventually(t, "fillers are at rest", func() bool {
			g.pool.mu.Lock()
			defer g.pool.mu.Unlock()
			for _, k := range g.pool.kinds {
				if k.users > 0 {
					return false
				}
			}
			return true
		})
	}
	if n := servers(); n != 2 {
		t.Errorf("%d fork servers of images, want 2", n)
	}
	// b was not used for the longest time; a and c are held.
	eventually(t, "the layer of b goes", func() bool {
		r, err := g.store.Remove(image.Ref{Name: "b:1"})
		if err == nil {
			t.Logf("%+v", r)
			return len(r.Layers) == 1
		}
		p, err := g.store.Prune()
		return err == nil && len(p.Layers) == 1
	})
	r, err := g.store.Remove(image.Ref{Name: "a:1"})
	if err != nil || len(r.Busy) != 1 || len(r.Layers) != 0 {
		t.Errorf("%+v, %v; want a layer in use", r, err)
	}
	// Who is not asked for any more is let go of by itself.
	idle := func(d time.Duration) {
		g.pool.mu.Lock()
		defer g.pool.mu.Unlock()
		imageIdle = d
	}
	defer idle(imageIdle)
	idle(0)
	g.says(t, g.on(t, ImageRequest{Name: "c:1"}, "default", "cat /own"), "cat c:1")
	eventually(t, "the idle one goes", func() bool { return servers() < 2 })
}

func orFirst(a, b *image.Image) *image.Image {
	if a != nil {
		return a
	}
	return b
}

// TestOnImageRefused: what is not there, is damaged or asks for too much is a refusal, with the
// field that it is about.
func TestOnImageRefused(t *testing.T) {
	g := newGallery(t)
	i := g.brings(t, "web:1", map[string]any{"Cmd": []string{"a\x00b"}, "User": "nobody-here"}, testkit.Archive(t, system...))
	for _, c := range []struct {
		q     ImageRequest
		field string
	}{
		{ImageRequest{User: "x"}, "user"}, {ImageRequest{Dir: "/x"}, "working_dir"}, {ImageRequest{Name: "web:1", Dir: "x"}, "working_dir"},
		{ImageRequest{Name: "web:1", User: "www"}, "user"}, {ImageRequest{Name: "web:1", User: "none", Range: true}, "user"}, {ImageRequest{Name: "web:1", User: "0:none", Range: true}, "user"},
		{ImageRequest{Name: "web:1", Range: true}, "image"}, {ImageRequest{Name: "web:1"}, "image"},
		{ImageRequest{Name: "web:1", User: "4000000", Range: true}, "user"}, {ImageRequest{Name: "web:1", User: "65535:65536", Range: true}, "user"}, {ImageRequest{Name: "web:1", User: "0\n", Range: true}, "user"},
	} {
		j := &Job{Command: []string{"x"}}
		if c.q == (ImageRequest{Name: "web:1"}) {
			j.Command = nil
		}
		var wrong *InvalidError
		if err := j.UseImage(g.roots(), c.q); !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%+v: %v, want one about %s", c.q, err, c.field)
		}
	}
	for _, name := range []string{"none:1", "Not A Name", "sha256:" + strings.Repeat("0", 64), "web@sha256:" + strings.Repeat("0", 64)} {
		if err := (&Job{}).UseImage(g.roots(), ImageRequest{Name: name}); !errors.Is(err, ErrUnknownImage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (&Job{}).UseImage(nil, ImageRequest{Name: "web:1"}); !errors.Is(err, ErrUnknownImage) {
		t.Errorf("a service without images: %v", err)
	}
	// A layer that has gone since.
	j := g.on(t, ImageRequest{Name: "web:1"}, "default", "ids")
	layer := filepath.Join(g.store.Layers(), i.Layers[1].DiffID[7:27])
	if err := os.Rename(layer, layer+"-away"); err != nil {
		t.Fatal(err)
	}
	var wrong *InvalidError
	if _, err := g.Run(t.Context(), j); !errors.As(err, &wrong) || wrong.Field != "image" {
		t.Errorf("a layer is missing: %v", err)
	}
	if err := os.Rename(layer+"-away", layer); err != nil {
		t.Fatal(err)
	}
	g.says(t, j, "ids 1000 1000 1000 1000 1000 1000 0")
	// The same, of an image whose root was made before, and has no fork server any more.
	g.pool.mu.Lock()
	for _, k := range g.pool.kinds {
		g.pool.end(k)
	}
	g.pool.mu.Unlock()
	g.pool.fillers.Wait()
	if err := os.Rename(layer, layer+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Run(t.Context(), j); !errors.As(err, &wrong) || wrong.Field != "image" {
		t.Errorf("a layer is missing of a root that is known: %v", err)
	}
	if err := os.Rename(layer+"-away", layer); err != nil {
		t.Fatal(err)
	}
	g.says(t, j, "ids 1000 1000 1000 1000 1000 1000 0")
}

// TestOnImageSingleID: without subordinate ids an image is a root all the same, and nobody
// can be its root.
func TestOnImageSingleID(t *testing.T) {
	g := newGallery(t, withoutIDs)
	g.brings(t, "web:1", nil, testkit.Archive(t, system...))
	g.says(t, g.on(t, ImageRequest{Name: "web:1"}, "dev", "ids ; put /etc/x x ; put /work/x x"), "ids 1000 1000 1000 1000 1000 1000 0", "put EROFS", "put ok")
	j := g.on(t, ImageRequest{Name: "web:1", Range: true}, "dev", "ids")
	if _, err := g.Run(t.Context(), j); !errors.Is(err, ErrUnsupportedHost) {
		t.Errorf("root on a host without ids: %v", err)
	}
	if err := (&Job{}).imageUser("www", "", &rootfs.Image{}); err != nil {
		t.Errorf("a user where there are none to give: %v", err) // the host is what is wrong
	}
}

// TestOnImageAccounts: whoever the image says there is.
func TestOnImageAccounts(t *testing.T) {
	const text = "broken\nroot:x:0:0:root:/root:/bin/sh\nbin\x00:x:1:1::/:\nwww:x:33:34::srv:\n12:x:7:7::/home/12:/bin/sh\nhigh:x:5000000000:1::/:\nend:x:9:10::/e:/bin/sh"
	for wanted, want := range map[string]account{"root": {"root", "/root", 0, 0}, "0": {"root", "/root", 0, 0}, "1": {"1", "/", 1, 0}, "www": {"www", "/", 33, 34}, "33": {"www", "/", 33, 34},
		"12": {"12", "/", 12, 0}, "7": {"12", "/home/12", 7, 7}, "end": {"end", "/e", 9, 10}, "4294967295": {"4294967295", "/", 4294967295, 0}} {
		if got, err := lookUp(text, wanted, "user"); err != nil || *got != want {
			t.Errorf("%s: %+v, %v; want %+v", wanted, got, err, want)
		}
	}
	for _, wanted := range []string{"none", "bin\x00", "", "high", "-1", "5000000000", "root\n"} {
		if got, err := lookUp(text, wanted, "user"); err == nil {
			t.Errorf("%q: %+v", wanted, got)
		}
	}
	if got, err := lookUp("", "0", "user"); err != nil || *got != (account{"root", "/root", 0, 0}) {
		t.Errorf("an image without accounts: %+v, %v", got, err)
	}
}

// TestOnImageOwner: what waits with a cell belongs to who will run in it.
func TestOnImageOwner(t *testing.T) {
	k := &kind{}
	w := &warm{kind: k}
	for _, c := range []struct {
		first int
		ids   imageIDs
		user  *cell.User
		want  int
	}{
		{0, imageIDs{}, nil, 0}, {7, imageIDs{}, nil, 8}, {7, imageIDs{files: cell.IDs{First: 100, Count: 65536}}, &cell.User{UID: 3}, 8},
		{7, imageIDs{cell.IDs{First: 100, Count: 65536}, true}, nil, 100}, {7, imageIDs{cell.IDs{First: 100, Count: 65536}, true}, &cell.User{UID: 65534}, 65634},
		{7, imageIDs{cell.IDs{First: 100, Count: 2048}, true}, &cell.User{UID: 65534}, 2147}, {7, imageIDs{cell.IDs{First: 100, Count: 2048}, true}, &cell.User{UID: 2046}, 2146},
	} {
		w.firstID, k.ids = c.first, c.ids
		if got := w.owner(c.user); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	var _ rootfs.Images = imageroots.Store{}
}
