package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const secret = "never to be seen"

// scratchDir is laid out as a cell's scratch: work, tmp and shm, with a secret
// beside work and one outside. The rules of openat2 hold on any filesystem.
type scratchDir struct {
	t       *testing.T
	root    string
	outside string
	file    *os.File
}

func newScratch(t *testing.T) *scratchDir {
	t.Helper()
	s := &scratchDir{t: t, root: t.TempDir(), outside: t.TempDir()}
	for _, d := range []string{"work", "tmp", "shm"} {
		s.try(os.Mkdir(filepath.Join(s.root, d), 0o755))
	}
	for _, d := range []string{s.outside, filepath.Join(s.root, "tmp")} {
		s.try(os.WriteFile(filepath.Join(d, "secret"), []byte(secret), 0o644))
	}
	f, err := os.Open(s.root)
	s.try(err)
	s.file = f
	t.Cleanup(func() { f.Close() })
	return s
}

func (s *scratchDir) try(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scratchDir) at(name string) string { return filepath.Join(s.root, "work", name) }

func (s *scratchDir) write(name, content string) {
	s.t.Helper()
	s.try(os.MkdirAll(filepath.Dir(s.at(name)), 0o755))
	s.try(os.WriteFile(s.at(name), []byte(content), 0o644))
}

func (s *scratchDir) link(target, name string) {
	s.t.Helper()
	s.try(os.MkdirAll(filepath.Dir(s.at(name)), 0o755))
	s.try(os.Symlink(target, s.at(name)))
}

func (s *scratchDir) collect(maxFiles, maxBytes int64, patterns ...string) []OutputFile {
	s.t.Helper()
	out, err := collectOutputs(s.file, patterns, maxFiles, maxBytes)
	s.try(err)
	return out
}

// told is what a collected file looks like in one line.
func told(f OutputFile) string {
	if f.Error != "" {
		return fmt.Sprintf("%q %s", f.Path, f.Error)
	}
	return fmt.Sprintf("%q = %q", f.Path, f.Data)
}

func (s *scratchDir) expect(patterns []string, want ...string) {
	s.t.Helper()
	var got []string
	for _, f := range s.collect(100, 1000, patterns...) {
		got = append(got, told(f))
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%q:\n got %q\nwant %q", patterns, got, want)
	}
}

func TestCollectRegular(t *testing.T) {
	s := newScratch(t)
	s.write("a.txt", "A")
	s.write("b.txt", "B")
	s.write("d/c.txt", "C")
	s.write("d/e/f.png", "F")
	s.write("empty", "")
	s.write("raw", "\x00\xff")
	s.try(os.Chmod(s.at("b.txt"), 0)) // its owner could not read it; its collector can
	for _, test := range []struct {
		patterns []string
		want     []string
	}{
		{nil, nil},
		{[]string{"a.txt"}, []string{`"a.txt" = "A"`}},
		{[]string{"*.txt"}, []string{`"a.txt" = "A"`, `"b.txt" = "B"`}},
		{[]string{"b.txt", "*.txt"}, []string{`"b.txt" = "B"`, `"a.txt" = "A"`}}, // once, in the order asked for
		{[]string{"*/*.txt"}, []string{`"d/c.txt" = "C"`}},
		{[]string{"*/*/*"}, []string{`"d/e/f.png" = "F"`}},
		{[]string{"d/*"}, []string{`"d/c.txt" = "C"`, `"d/e" not_regular`}},
		{[]string{"[ab].txt"}, []string{`"a.txt" = "A"`, `"b.txt" = "B"`}},
		{[]string{"?.txt"}, []string{`"a.txt" = "A"`, `"b.txt" = "B"`}},
		{[]string{"./*.txt"}, []string{`"a.txt" = "A"`, `"b.txt" = "B"`}},
		{[]string{"./a.txt", "d//c.txt", "d/../b.txt"}, []string{`"./a.txt" = "A"`, `"d//c.txt" = "C"`, `"d/../b.txt" = "B"`}},
		{[]string{"empty", "raw"}, []string{`"empty" = ""`, `"raw" = "\x00\xff"`}},
		{[]string{"absent", "*.gif", "d/absent", "a.txt/x", "["}, []string{`"absent" not_found`, `"*.gif" not_found`, `"d/absent" not_found`, `"a.txt/x" not_found`, `"[" not_found`}},
		{[]string{"", ".", "d"}, []string{`"" not_regular`, `"." not_regular`, `"d" not_regular`}},
		{[]string{"a\x00b", strings.Repeat("x", 300), strings.Repeat("x/", 3000)}, []string{`"a\x00b" not_found`,
			fmt.Sprintf("%q not_found", strings.Repeat("x", 300)), fmt.Sprintf("%q not_found", strings.Repeat("x/", 3000))}},
	} {
		s.expect(test.patterns, test.want...)
	}
}

// Only what lies below /work is an output, by whatever name.
func TestCollectBeneath(t *testing.T) {
	s := newScratch(t)
	s.write("d/x", "x")
	for _, name := range []string{"../tmp/secret", "d/../../tmp/secret", s.outside + "/secret", "/etc/passwd", "../../../../etc/passwd", "../*/secret", "d/../../*/secret", "/*"} {
		s.expect([]string{name}, fmt.Sprintf("%q not_found", name))
	}
}

// Links are not followed, wherever they lead and wherever they stand in a path.
func TestCollectLinks(t *testing.T) {
	s := newScratch(t)
	s.write("real/x", "x")
	s.link("real/x", "near")
	s.link("real", "dir")
	s.link("/etc/passwd", "passwd")
	s.link(s.outside+"/secret", "outside")
	s.link("../tmp/secret", "beside")
	s.link(s.outside, "outdir")
	s.link("/proc/self/fd", "magic")
	s.link("/proc/self/root", "root")
	s.link("loop", "loop")
	s.link("nowhere", "dangling")
	var names, want []string
	for _, n := range []string{"near", "dir", "dir/x", "passwd", "outside", "beside", "outdir", "outdir/secret", "magic/0", "root/etc/passwd", "loop", "dangling"} {
		names = append(names, n)
		want = append(want, fmt.Sprintf("%q not_regular", n))
	}
	s.expect(names, want...)
	s.expect([]string{"*/x"}, `"real/x" = "x"`)
	s.expect([]string{"*/secret"}, `"*/secret" not_found`)
	// A hard link is a file as good as any: the job could read what it names.
	s.try(os.Link(s.at("real/x"), s.at("hard")))
	s.expect([]string{"hard"}, `"hard" = "x"`)
}

// Opening one of these must not wait, nor have an effect.
func TestCollectSpecial(t *testing.T) {
	s := newScratch(t)
	s.try(unix.Mkfifo(s.at("fifo"), 0o666))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	s.try(err)
	defer unix.Close(fd)
	// A name relative to the working directory, because a socket's is short.
	t.Chdir(s.at(""))
	s.try(unix.Bind(fd, &unix.SockaddrUnix{Name: "socket"}))
	s.expect([]string{"fifo", "socket"}, `"fifo" not_regular`, `"socket" not_regular`)
	s.expect([]string{"*"}, `"fifo" not_regular`, `"socket" not_regular`)
}

func TestCollectNames(t *testing.T) {
	s := newScratch(t)
	names := []string{"a\nb", "*", "[x]", "?", "\\", " ", "-rf", "$(id)", "\xff\xfe", strings.Repeat("n", 255), "..x"}
	for _, n := range names {
		s.write(n, "content")
	}
	slices.Sort(names)
	var want []string
	for _, n := range names {
		want = append(want, fmt.Sprintf("%q = %q", n, "content"))
	}
	s.expect([]string{"*"}, want...)
	s.expect([]string{"\\*", "\\[x]", "\\\\", "a\nb"}, `"*" = "content"`, `"[x]" = "content"`, `"\\" = "content"`, `"a\nb" = "content"`)
}

func TestCollectLimits(t *testing.T) {
	s := newScratch(t)
	for i := range 9 {
		s.write(fmt.Sprint(i), strings.Repeat("x", i))
	}
	var got []string
	for _, f := range s.collect(3, 100, "*") {
		got = append(got, told(f))
	}
	if want := []string{`"0" = ""`, `"1" = "x"`, `"2" = "xx"`, `"*" too_many`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if out := s.collect(9, 100, "*"); len(out) != 9 || out[8].Error != "" {
		t.Errorf("as many as allowed: %v", out)
	}
	if out := s.collect(0, 100, "1"); len(out) != 1 || out[0].Error != tooMany {
		t.Errorf("none allowed: %v", out)
	}
	out := s.collect(9, 4, "4", "5")
	if string(out[0].Data) != "xxxx" || out[1].Error != tooLarge || out[1].Size != 5 || out[1].Data != nil {
		t.Errorf("%+v", out)
	}
}

// A file that is huge and empty costs nothing: its size is looked at first.
func TestCollectSparse(t *testing.T) {
	s := newScratch(t)
	s.write("huge", "")
	s.try(os.Truncate(s.at("huge"), 1<<40))
	out := s.collect(9, 1<<20, "huge")
	if len(out) != 1 || out[0].Error != tooLarge || out[0].Size != 1<<40 || out[0].Data != nil {
		t.Errorf("%+v", out)
	}
}

// Should anything still run that should not: whoever swaps a directory for a link
// between any two steps gets nothing from outside collected.
func TestCollectAmidSwaps(t *testing.T) {
	s := newScratch(t)
	s.write("dir/secret", "inside")
	s.write("file", "inside")
	s.link(s.outside, "other")
	s.link(s.outside+"/secret", "link")
	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, pair := range [][2]string{{"dir", "other"}, {"file", "link"}} {
				if err := unix.Renameat2(unix.AT_FDCWD, s.at(pair[0]), unix.AT_FDCWD, s.at(pair[1]), unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	read := 0
	for i := 0; i < 500 || read == 0 && i < 1_000_000; i++ {
		for _, f := range s.collect(100, 1000, "dir/secret", "*/secret", "file", "dir/../other/secret") {
			if bytes.Contains(f.Data, []byte(secret)) {
				t.Fatalf("%s was read through a link", f.Path)
			}
			read += len(f.Data)
		}
		entries, err := tree(s.file, "work", 1<<20, 100)
		if err != nil {
			continue // what was seen as a directory is a link by now
		}
		for _, e := range entries {
			if bytes.Contains(e.Data, []byte(secret)) {
				t.Fatalf("%s was read through a link", e.Path)
			}
		}
	}
	close(stop)
	swapper.Wait()
	if read == 0 {
		t.Error("nothing was read at all: the test has shown nothing")
	}
}

func TestCollectWithoutWork(t *testing.T) {
	s := newScratch(t)
	s.try(os.Remove(s.at("")))
	s.try(os.Symlink(s.outside, s.at("")))
	if out, err := collectOutputs(s.file, []string{"secret"}, 9, 100); err == nil {
		t.Errorf("%+v through a link in the place of work", out)
	}
	if out, err := tree(s.file, "work", 100, 100); err == nil {
		t.Errorf("%+v through a link in the place of work", out)
	}
}

// Whatever is asked for, only files of /work come back.
func FuzzCollect(f *testing.F) {
	for _, p := range []string{"*", "../tmp/secret", "d/*", "l/secret", "[a-", "\\", "/etc/passwd", "d/../../tmp/*"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		s := newScratch(t)
		s.write("d/x", "x")
		s.link(s.outside, "l")
		for _, file := range s.collect(10, 100, pattern) {
			if file.Error == "" && string(file.Data) != "x" {
				t.Fatalf("%q gave %q = %q", pattern, file.Path, file.Data)
			}
		}
	})
}
