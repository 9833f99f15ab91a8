package cell_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

func testFiles(t *testing.T, k *kit) {
	large := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16) // 1 MiB
	r := k.run(t, &cell.Program{
		Args: []string{"/bin/sh", "-c", "find . -printf '%P %M %U %s %l\n' | LC_ALL=C sort; sha256sum <large; cat deep/er/est"}, Umask: 0o77,
		Entries: []cell.Entry{
			{Path: "closed", Mode: 0o555, Kind: cell.Dir},
			{Path: "closed/in", Mode: 0o444, Data: []byte("x")},
			{Path: "deep/er/est", Mode: 0o640, Data: []byte("deepest\n")},
			{Path: "deep", Mode: 0o701, Kind: cell.Dir}, // exists by then: its mode counts all the same
			{Path: "large", Mode: 0o666, Data: large},
			{Path: "set-id", Mode: 0o6755, Data: []byte("x")},
			{Path: "spaced name", Mode: 0o600},
			{Path: "link", Kind: cell.Symlink, Target: "deep/er"},
			{Path: "out", Kind: cell.Symlink, Target: "../../etc/shadow"},
			{Path: "far/link", Kind: cell.Symlink, Target: "x"},
		}})
	want := ` drwxr-xr-x 1000 D 
closed dr-xr-xr-x 1000 D 
closed/in -r--r--r-- 1000 1 
deep drwx-----x 1000 D 
deep/er drwxr-xr-x 1000 D 
deep/er/est -rw-r----- 1000 8 
far drwxr-xr-x 1000 D 
far/link lrwxrwxrwx 1000 1 x
large -rw-rw-rw- 1000 1048576 
link lrwxrwxrwx 1000 7 deep/er
out lrwxrwxrwx 1000 16 ../../etc/shadow
set-id -rwxr-xr-x 1000 1 
spaced name -rw------- 1000 0 
`
	var got, sum, rest string
	for line := range strings.Lines(r.out) { // a directory's size is the filesystem's affair
		f := strings.Split(line, " ")
		switch {
		case len(f) >= 5 && strings.HasPrefix(f[1], "d"):
			f[3] = "D"
			got += strings.Join(f, " ")
		case strings.HasSuffix(line, "  -\n"):
			sum = line
		case line == "deepest\n":
			rest += line
		default:
			got += line
		}
	}
	if got != want || r.errs != "" {
		t.Errorf("placed\n%swant\n%s%s", got, want, r.errs)
	}
	if want := fmt.Sprintf("%x  -\n", sha256.Sum256(large)); sum != want || rest != "deepest\n" {
		t.Errorf("contents: %q %q", sum, rest)
	}
}

// A file that cannot be placed is named by its index, and the job does not run.
func testFilesRefused(t *testing.T, k *kit) {
	ok := cell.Entry{Path: "ok", Data: []byte("x")}
	for name, c := range map[string]struct {
		entries []cell.Entry
		stage   cell.Stage
		index   int
		errno   unix.Errno
	}{
		"twice":          {[]cell.Entry{ok, {Path: "ok"}}, cell.StageFiles, 1, unix.EEXIST},
		"below a file":   {[]cell.Entry{ok, {Path: "ok/x"}}, cell.StageFiles, 1, unix.ENOTDIR},
		"link over file": {[]cell.Entry{ok, {Path: "ok", Kind: cell.Symlink, Target: "x"}}, cell.StageFiles, 1, unix.EEXIST},
		"too large":      {[]cell.Entry{ok, {Path: "big", Data: make([]byte, 5<<20)}}, cell.StageFiles, 1, unix.ENOSPC},
		"too many":       {many(100), cell.StageFiles, 61, unix.ENOSPC}, // the filesystem and its two directories take three of 64
		"long name":      {[]cell.Entry{{Path: strings.Repeat("x", 256)}}, cell.StageFiles, 0, unix.ENAMETOOLONG},
		"long path":      {[]cell.Entry{{Path: strings.Repeat("x/", 2100) + "x"}}, cell.StageFiles, 0, unix.ENAMETOOLONG},
		"upwards":        {[]cell.Entry{{Path: "../tmp/x"}}, cell.StageProtocol, 0, unix.EBADMSG},
		"absolute":       {[]cell.Entry{{Path: "/tmp/x"}}, cell.StageProtocol, 0, unix.EBADMSG},
		"through a link": {[]cell.Entry{{Path: "l", Kind: cell.Symlink, Target: "/tmp"}, {Path: "l/x"}}, cell.StageProtocol, 0, unix.EBADMSG},
	} {
		r := k.run(t, &cell.Program{Args: []string{"/bin/echo", "ran"}, Entries: c.entries})
		if f := r.Failure; f == nil || f.Stage != c.stage || f.Index != c.index || f.Errno != c.errno || r.Ended || r.out != "" {
			t.Errorf("%s: %+v, %v (index %d); want %v at %d, %v", name, r, f, index(f), c.stage, c.index, c.errno)
		}
	}
	for name, p := range map[string]*cell.Program{"no argument": {}, "NUL": {Args: []string{"/bin/echo", "a\x00b"}}} {
		if r := k.run(t, p); r.Failure == nil || r.Failure.Stage != cell.StageProtocol || r.Failure.Errno != unix.EBADMSG {
			t.Errorf("%s: %+v, %v", name, r, r.Failure)
		}
	}
}

func index(f *cell.Failure) int {
	if f == nil {
		return -1
	}
	return f.Index
}

func many(n int) []cell.Entry {
	var entries []cell.Entry
	for i := range n {
		entries = append(entries, cell.Entry{Path: fmt.Sprint("f", i)})
	}
	return entries
}
