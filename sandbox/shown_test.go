package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/judge"
	"cordon/policy"
	"cordon/sandbox/cell"
)

// sharedFile is a file as a store has it: whole, and nobody writes to it.
type sharedFile struct {
	name, sum string
	size      int64
}

func share(t testing.TB, content string) *sharedFile {
	t.Helper()
	f := &sharedFile{filepath.Join(t.TempDir(), "shared"), sumOf(content), int64(len(content))}
	if err := os.WriteFile(f.name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.name, 0o555); err != nil {
		t.Fatal(err)
	}
	return f
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// Open opens it.
func (f *sharedFile) Open() (*os.File, error) { return os.Open(f.name) }

// Bytes is its size.
func (f *sharedFile) Bytes() int64 { return f.size }

// SHA256 is its name.
func (f *sharedFile) SHA256() string { return f.sum }

// intact wants the file to be as it was made, and to have no further name.
func (f *sharedFile) intact(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(f.name)
	info, statErr := os.Stat(f.name)
	if err := errors.Join(err, statErr); err != nil || sumOf(string(text)) != f.sum || info.Mode() != 0o555 {
		t.Errorf("it has been changed: %d bytes, %v, %v", len(text), info, err)
	}
}

func shownFile(path string, f *sharedFile) File { return File{Path: path, Mode: 0o555, Kept: f} }

// A job sees a file that is shared at its path, as a regular file, whole.
func TestShown(t *testing.T) {
	l := newLab(t)
	content := strings.Repeat("0123456789abcdef", 1<<16)
	big, small, empty, program := share(t, content), share(t, "text\n"), share(t, ""), share(t, "#!/bin/sh\necho ran $0\n")
	job := shell(`sha256sum big | cut -d" " -f1; cat deep/er/small deep/beside; stat -c "%F %a %s %h" empty deep/er/small; ./program
[ -L big ] || echo no link; stat -c %a deep deep/er; cat copied; echo more >>copied && tail -1 copied; stat -c %a copied`)
	job.Files = []File{shownFile("big", big), shownFile("deep/er/small", small), {Path: "deep/beside", Mode: 0o644, Data: []byte("beside\n")}, shownFile("empty", empty),
		shownFile("program", program), {Path: "copied", Mode: 0o644, Kept: small}}
	want := big.sum + "\ntext\nbeside\nregular empty file 555 0 1\nregular file 555 5 1\nran ./program\nno link\n755\n755\ntext\nmore\n644\n"
	for range 2 {
		if got := l.output(t, job); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
	for _, f := range []*sharedFile{big, small, empty, program} {
		f.intact(t)
	}
}

// changes are what could change a file, its name or what lies in its place: each tells
// when it has succeeded.
const changes = `try() { what=$1; shift; "$@" 2>/dev/null && echo $what; }
try write sh -c 'echo x >f'
try append sh -c 'echo x >>f'
try both sh -c 'echo x 1<>f'
try descriptor sh -c 'exec 3<f; echo x >/proc/self/fd/3'
try truncate truncate -s 0 f
try chmod chmod 755 f
try touch touch f
try attribute setfattr -n user.x -v y f
try link ln f g
try over mv g0 f
try rename mv f h
try remove rm -f h f
`

// withoutIDs is a host without subordinate ids: jobs have the service user's, and with
// it that of the store's files.
func withoutIDs(c *Config) { c.Ranges = nil }

// A job can do nothing to a file that it is shown, nor to its place. What fails there
// succeeds with a file of its own.
func TestShownIsReadOnly(t *testing.T) {
	t.Run("own id", func(t *testing.T) { testShownIsReadOnly(t, newLab(t)) })
	t.Run("single id", func(t *testing.T) { testShownIsReadOnly(t, newLab(t, withoutIDs)) })
}

func testShownIsReadOnly(t *testing.T, l *lab) {
	f := share(t, "text\n")
	script := ": >g0; " + changes + "cat f 2>/dev/null; ls"
	job := shell(script)
	job.Files = []File{shownFile("f", f)}
	if got := l.output(t, job); got != "text\nf\ng0\n" {
		t.Errorf("a job could do something to a file that it was shown:\n%s", got)
	}
	f.intact(t)
	job.Policy, job.WritableRoot = "dev", true
	if got := l.output(t, job); got != "text\nf\ng0\n" {
		t.Errorf("with a writable root a job could do something to a file that it was shown:\n%s", got)
	}
	f.intact(t)
	job.Files[0].Mode = 0o755
	if got := l.output(t, job); !strings.HasPrefix(got, "write\nappend\nboth\ndescriptor\ntruncate\nchmod\ntouch\n") || !strings.Contains(got, "link\nover\nrename\nremove\n") {
		t.Errorf("with a copy of its own:\n%s", got)
	}
	f.intact(t)
	// The directory above can get another name, and the file stays what it is.
	job = shell("mv d e && cat e/f; rm -rf e 2>/dev/null; cat e/f")
	job.Files, job.Outputs = []File{shownFile("d/f", f)}, []string{"e/*", "d/*"}
	r := l.run(t, job)
	if string(r.Stdout) != "text\ntext\n" || len(r.Files) != 2 || r.Files[0].Path != "e/f" || string(r.Files[0].Data) != "text\n" || r.Files[1].Error != notFound {
		t.Errorf("%q %+v", r.Stdout, r.Files)
	}
	f.intact(t)
}

// Nothing but the file comes with it: what lies beside it where it is kept is not there,
// and the mount has every restriction.
func TestShownAlone(t *testing.T) {
	l := newLab(t)
	f := share(t, "text\n")
	if err := os.WriteFile(filepath.Join(filepath.Dir(f.name), "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	job := shell(`grep " /work/f " /proc/self/mountinfo | cut -d" " -f6; ls -a /work; cat f/../secret /work/f/../secret 2>/dev/null; ls /layer; echo end`)
	job.Files = []File{shownFile("f", f)}
	if got := l.output(t, job); got != "ro,nosuid,nodev,relatime\n.\n..\nf\nend\n" && got != "ro,nosuid,nodev\n.\n..\nf\nend\n" {
		t.Errorf("%q", got)
	}
}

// What is shown takes nothing of the job's scratch or memory, however large it is; what
// is placed does.
func TestShownTakesNoRoom(t *testing.T) {
	l := newLab(t)
	f := share(t, strings.Repeat("x", 24<<20))
	job := shell("cat big | wc -c")
	job.Files = []File{shownFile("big", f)}
	job.Limits = policy.LimitRequest{DiskBytes: ptr[int64](1 << 20)}
	r := l.run(t, job)
	if r.Verdict != OK || strings.TrimSpace(string(r.Stdout)) != fmt.Sprint(24<<20) || r.Usage.DiskBytes > 64<<10 {
		t.Errorf("%s %q, %d bytes of disk", r.Verdict, r.Stdout, r.Usage.DiskBytes)
	}
	job.Files[0].Mode = 0o644
	if _, err := l.Run(t.Context(), job); !errors.Is(err, policy.ErrDenied) {
		t.Errorf("a copy that does not fit: %v", err)
	}
}

// Many files come in several messages, with the longest of paths; a path that is taken
// twice is refused.
func TestManyShown(t *testing.T) {
	l := newLab(t)
	f := share(t, "x")
	deep := strings.Repeat(strings.Repeat("d", 250)+"/", 15) + "f"
	job := shell("ls | wc -l; cat f* | wc -c; cd d*; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do cd d*; done; cat f")
	job.Files = []File{shownFile(deep, f)}
	for i := range 100 {
		job.Files = append(job.Files, shownFile(fmt.Sprintf("f%d", i), f))
	}
	if got := strings.Fields(l.output(t, job)); !slices.Equal(got, []string{"101", "100", "x"}) {
		t.Errorf("%q", got)
	}
	for _, second := range []string{"f1", "f1/g", "d"} {
		job := shell("true")
		job.Files = []File{shownFile("f1", f), shownFile("d/f", f), shownFile(second, f)}
		if _, err := l.Run(t.Context(), job); !errors.Is(err, ErrInvalidJob) {
			t.Errorf("%s: %v", second, err)
		}
	}
}

// Standard input that is shared is the file itself: it is read from its beginning by
// each job, and none can write to it, whatever the descriptor is turned into.
func TestSharedInput(t *testing.T) {
	t.Run("own id", func(t *testing.T) { testSharedInput(t, newLab(t)) })
	t.Run("single id", func(t *testing.T) { testSharedInput(t, newLab(t, withoutIDs)) })
}

func testSharedInput(t *testing.T, l *lab) {
	f := share(t, strings.Repeat("line\n", sharedInput/5+1))
	job := shell(`head -c 5; sha256sum </dev/stdin | cut -d" " -f1; for way in ">/dev/stdin" ">>/proc/self/fd/0" "1<>/proc/self/fd/0" "1>&0"; do
eval "echo x $way" 2>/dev/null && echo wrote $way; done; truncate -s 0 /proc/self/fd/0 2>/dev/null && echo cut
chmod 777 /proc/self/fd/0 2>/dev/null && echo chmod; touch /proc/self/fd/0 2>/dev/null && echo touch; exit 0`)
	job.Stdin = Content{Kept: f}
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if got := l.output(t, job); got != "line\n"+f.sum+"\n" {
				t.Errorf("%q", got)
			}
		})
	}
	wait.Wait()
	f.intact(t)
	in, err := job.Stdin.input()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	same, err := os.Stat(f.name)
	if got, gotErr := in.Stat(); err != nil || gotErr != nil || !os.SameFile(same, got) {
		t.Errorf("it is a copy: %v, %v", err, gotErr)
	}
	// Whose file it is can do as little: with a single id, jobs have the service user's.
	if err := in.Chmod(0o777); err == nil {
		t.Error("its owner could change its mode")
	}
	if w, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", in.Fd()), os.O_RDWR, 0); err == nil {
		t.Error("its owner could open it to write")
		w.Close()
	}
	if err := os.Chmod(f.name, 0o755); err != nil { // as by its own name
		t.Fatal(err)
	}
}

// A build is shown files as a run is. What it leaves has them, and the run that follows
// is shown them again: from what was kept, though the file itself has gone.
func TestShownToBuild(t *testing.T) {
	l := newLab(t)
	f := share(t, strings.Repeat("data ", 1000))
	const build = "wc -c <in/f >size; mkdir sub; cp in/f sub/own; mv in moved; ls >names; ! echo x >>moved/f"
	for _, suite := range []bool{false, true} {
		job := shell("cat size; cat names; cksum <moved/f; cksum <sub/own; (echo x >>moved/f) 2>/dev/null && echo changed; test -L moved/f || echo no link")
		job.Build = []string{"/bin/sh", "-c", build}
		job.Files = []File{shownFile("in/f", f)}
		if suite {
			job.Tests, job.KeepOutput = []Test{{}, {}}, 4096
		}
		for i := range 2 {
			r := l.run(t, job)
			if suite && r.Verdict == OK {
				r.Stdout = r.Tests[1].Stdout
			}
			if r.Verdict != OK || string(r.Stdout) != "5000\nmoved\nnames\nsize\nsub\n692606743 5000\n692606743 5000\nno link\n" {
				t.Errorf("tests: %t: %s (%s) %q %q", suite, r.Verdict, r.Message, r.Stdout, r.Stderr)
			}
			if want := suite || i > 0; r.BuildCached != want {
				t.Errorf("tests: %t, run %d: cached: %t", suite, i, r.BuildCached)
			}
		}
	}
	f.intact(t)
	if s := l.Stats().Builds; s.Builds != 1 || s.Bytes < 2*f.size {
		t.Errorf("%+v", s)
	}
	// The same content as a copy is another build: it could be changed.
	job := shell("cat in/f | wc -c")
	job.Build = []string{"/bin/sh", "-c", strings.Replace(build, "! echo", "echo", 1)}
	job.Files = []File{{Path: "in/f", Mode: 0o644, Kept: f}}
	if r := l.run(t, job); r.BuildCached || r.Build.Verdict != OK {
		t.Errorf("%s, cached: %t", r.Verdict, r.BuildCached)
	}
}

// The build's tree holds the file that the build was shown, and outlasts it. Where it
// cannot be linked it is copied.
func TestShownIsKeptWithBuild(t *testing.T) {
	dir := t.TempDir()
	to, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	f := share(t, strings.Repeat("data ", 1000))
	elsewhere := *f
	elsewhere.name = filepath.Join("/dev/shm", filepath.Base(t.TempDir())+"-shared")
	text, err := os.ReadFile(f.name)
	if err == nil {
		err = os.WriteFile(elsewhere.name, text, 0o555)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(elsewhere.name)
	for name, from := range map[string]*sharedFile{"linked": f, "copied": &elsewhere} {
		copied, err := keepShown(t.Context(), from, int(to.Fd()), name)
		if err != nil || copied != (name == "copied") {
			t.Fatalf("%s: copied %v, %v", name, copied, err)
		}
		own, err1 := os.Stat(from.name)
		kept, err2 := os.Stat(filepath.Join(dir, name))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if kept.Size() != f.size || kept.Mode() != 0o555 || os.SameFile(own, kept) != (name == "linked") {
			t.Errorf("%s: %v, the same file: %t", name, kept.Mode(), os.SameFile(own, kept))
		}
		if _, err := keepShown(t.Context(), from, int(to.Fd()), name); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s, twice: %v", name, err)
		}
	}
}

// Paths may be as long as paths are, however many there are: one message has no room for
// those of nineteen files.
func TestShownDeep(t *testing.T) {
	l := newLab(t)
	f := share(t, "deep")
	dir := strings.Repeat("d/", 2000)
	job := shell("cd " + dir + " && cat f0 f39 && ls | wc -l")
	for i := range 40 {
		job.Files = append(job.Files, shownFile(fmt.Sprintf("%sf%d", dir, i), f))
	}
	if r := l.run(t, job); r.Verdict != OK || string(r.Stdout) != "deepdeep40\n" {
		t.Errorf("%s %s: %q %q", r.Verdict, r.Message, r.Stdout, r.Stderr)
	}
	if r := l.run(t, shell("echo on")); r.Verdict != OK {
		t.Errorf("after that: %s", r.Verdict)
	}
}

// openedFile calls then at some opening of a file.
type openedFile struct {
	*sharedFile
	opened *int
	then   func(opened int)
}

func (f openedFile) Open() (*os.File, error) {
	*f.opened++
	f.then(*f.opened)
	return f.sharedFile.Open()
}

// A caller that goes away while files are shown is not waited for: the rest are not shown,
// and nothing is started.
func TestShownToNobody(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opened := 0
	f := openedFile{share(t, "x"), &opened, func(n int) {
		if n == 5 {
			cancel()
		}
	}}
	job := shell("echo started")
	for i := range 3 * cell.MostShown {
		job.Files = append(job.Files, File{Path: fmt.Sprintf("f%d", i), Mode: 0o555, Kept: f})
	}
	r, err := l.Run(ctx, job)
	if err != nil || r.Verdict != Cancelled || len(r.Stdout) > 0 || opened != cell.MostShown {
		t.Errorf("%v, %s %q, %d files opened", err, r.Verdict, r.Stdout, opened)
	}
}

// Several names of one file take its room once, so that many names make no other build go.
func TestKeptShownCountsOnce(t *testing.T) {
	dir := t.TempDir()
	to, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	f, g := share(t, strings.Repeat("data ", 1000)), share(t, "g")
	var kept keptShown
	for i, from := range []*sharedFile{f, g, f, f} {
		if err := kept.keep(t.Context(), from, int(to.Fd()), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if kept.bytes != f.size+g.size {
		t.Errorf("%d bytes of %d and %d", kept.bytes, f.size, g.size)
	}
}

// Tests and checkers are shown files as well: a test its own beside what was built, a
// checker the input and the answer.
func TestShownToTests(t *testing.T) {
	l := newLab(t)
	in, answer, table := share(t, "6 7\n"), share(t, "42\n"), share(t, "a table\n")
	job := shell("read a b; echo $((a*b)); cat table >&2")
	job.Files = []File{{Path: "main", Mode: 0o644, Data: []byte("x")}, shownFile("shared/table", table)}
	job.KeepOutput = 100
	for i, style := range []judge.Style{judge.Testlib, judge.Kattis} {
		job.Tests = []Test{{Stdin: Content{Kept: in}, Files: []File{shownFile("table", table)}, Expect: &Expectation{Output: Content{Kept: answer}}}}
		script := `cat output.txt | cmp - "$3" >&2 && cmp input.txt in2 >&2 && test ! -L answer.txt`
		if style == judge.Kattis {
			script = `cmp - "$2" >&2 && test -d "$3" && cmp "$1" in2 >&2 && exit 42`
		}
		job.Checker = &Checker{Style: style, Command: []string{"/bin/sh", "-c", script, "check"}, Files: []File{shownFile("in2", in)}}
		r := l.run(t, job)
		if r.Verdict != OK || string(r.Tests[0].Stderr) != "a table\n" {
			t.Errorf("%d: %s (%s): %+v", i, r.Verdict, r.Message, r.Tests[0].Checker)
		}
	}
	for _, f := range []*sharedFile{in, answer, table} {
		f.intact(t)
	}
}

// A file that nobody has in memory is read by the first job: what that takes of its
// memory the kernel takes back, and it ends nobody.
func TestShownColdInLittleMemory(t *testing.T) {
	l := newLab(t)
	f := share(t, strings.Repeat("0123456789abcdef", 3<<20))
	opened, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if err := errors.Join(opened.Sync(), unix.Fadvise(int(opened.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	job := shell("cksum <big; cksum <big")
	job.Files = []File{shownFile("big", f)}
	job.Limits = policy.LimitRequest{MemoryBytes: ptr[int64](16 << 20), DiskBytes: ptr[int64](1 << 20)}
	r := l.run(t, job)
	if lines := strings.Split(string(r.Stdout), "\n"); r.Verdict != OK || len(lines) != 3 || lines[0] != lines[1] || r.Usage.MemoryPeakBytes > 16<<20 {
		t.Errorf("%s (%s), %d bytes: %q", r.Verdict, r.Message, r.Usage.MemoryPeakBytes, r.Stdout)
	}
}
