package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// place does with entries what a cell does: directories and files, links last,
// then the modes.
func (s *scratchDir) place(entries []cell.Entry) {
	s.t.Helper()
	for _, e := range entries {
		s.try(os.MkdirAll(filepath.Dir(s.at(e.Path)), 0o755))
		switch e.Kind {
		case cell.Dir:
			s.try(os.MkdirAll(s.at(e.Path), 0o755))
		case cell.Symlink:
			s.try(os.Symlink(e.Target, s.at(e.Path)))
		default:
			s.try(os.WriteFile(s.at(e.Path), e.Data, 0o600))
			s.try(os.Chmod(s.at(e.Path), os.FileMode(e.Mode)))
		}
	}
	for _, e := range slices.Backward(entries) {
		if e.Kind == cell.Dir {
			s.try(os.Chmod(s.at(e.Path), os.FileMode(e.Mode)))
		}
	}
}

func (s *scratchDir) tree(maxBytes, maxFiles int64) []cell.Entry {
	s.t.Helper()
	entries, err := tree(s.file, "work", maxBytes, maxFiles)
	s.try(err)
	return entries
}

func lines(entries []cell.Entry) (out []string) {
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%d %o %q %q %q", e.Kind, e.Mode, e.Path, e.Data, e.Target))
	}
	return out
}

func TestTree(t *testing.T) {
	s := newScratch(t)
	s.write("b/main", "\x7fELF")
	s.try(os.Chmod(s.at("b/main"), 0o755))
	s.write("a\nb", "name")
	s.write("closed/x", "x")
	s.try(os.Chmod(s.at("closed/x"), 0))
	s.try(os.Chmod(s.at("closed"), 0o500))
	s.try(os.Mkdir(s.at("empty"), 0o700))
	s.link("b/main", "a-link") // sorted before what it names, and told after it
	s.link("/etc/passwd", "closed-link")
	s.try(unix.Mkfifo(s.at("fifo"), 0o666)) // left out
	s.try(os.Link(s.at("b/main"), s.at("hard")))
	got := lines(s.tree(1<<20, 100))
	want := []string{
		`0 644 "a\nb" "name" ""`,
		`1 755 "b" "" ""`,
		`0 755 "b/main" "\x7fELF" ""`,
		`1 500 "closed" "" ""`,
		`0 0 "closed/x" "x" ""`,
		`1 700 "empty" "" ""`,
		`0 755 "hard" "\x7fELF" ""`,
		`2 777 "a-link" "" "b/main"`,
		`2 777 "closed-link" "" "/etc/passwd"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	other := newScratch(t)
	other.place(s.tree(1<<20, 100))
	if again := lines(other.tree(1<<20, 100)); !slices.Equal(again, want) {
		t.Errorf("placed and read again\n%s\nwant\n%s", strings.Join(again, "\n"), strings.Join(want, "\n"))
	}
	if got := newScratch(t).tree(0, 0); len(got) != 0 {
		t.Errorf("an empty tree: %v", got)
	}
}

// What does not fit is refused as a whole: half a build is none.
func TestTreeLimits(t *testing.T) {
	s := newScratch(t)
	s.write("d/a", strings.Repeat("x", 4097)) // two pages
	s.write("d/b", "x")                       // one
	s.link("a", "d/c")
	for _, test := range []struct {
		bytes, files int64
		fits         bool
	}{
		{3 * 4096, 4, true}, {3*4096 - 1, 4, false}, {3 * 4096, 3, false}, {0, 4, false}, {1 << 20, 0, false},
	} {
		entries, err := tree(s.file, "work", test.bytes, test.files)
		if test.fits != (err == nil) || err != nil && !errors.Is(err, errTreeTooLarge) || test.fits != (len(entries) == 4) {
			t.Errorf("%d bytes, %d files: %d entries, %v", test.bytes, test.files, len(entries), err)
		}
	}
	// Of a sparse file the size counts, and nothing is read before.
	s.write("huge", "")
	s.try(os.Truncate(s.at("huge"), 1<<40))
	if _, err := tree(s.file, "work", 1<<30, 100); !errors.Is(err, errTreeTooLarge) {
		t.Errorf("1 TiB: %v", err)
	}
}

// deep makes directories one in another, step by step: no path reaches so far.
func (s *scratchDir) deep(name string, n int) {
	s.t.Helper()
	at, err := unix.Open(s.at(""), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	s.try(err)
	for range n {
		s.try(unix.Mkdirat(at, name, 0o755))
		next, err := unix.Openat(at, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		s.try(err)
		at = next
	}
	unix.Close(at)
}

func TestTreeDepth(t *testing.T) {
	for _, test := range []struct {
		length, depth int
		fits          bool
	}{
		{1, maxDepth, true}, {1, maxDepth + 1, false}, {1, 2000, false},
		{255, 15, true}, {255, 16, true}, {255, 17, false}, {255, 100, false}, // 16 × 256 - 1 is 4095, the longest path
	} {
		s := newScratch(t)
		s.deep(strings.Repeat("d", test.length), test.depth)
		entries, err := tree(s.file, "work", 1<<20, 10_000)
		if test.fits != (err == nil) || err != nil && !errors.Is(err, errTreeTooLarge) || test.fits && len(entries) != test.depth {
			t.Errorf("%d directories with names of %d bytes: %d entries, %v", test.depth, test.length, len(entries), err)
		}
	}
}
