package sandbox

import (
	"io"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"cordon/sandbox/cell"
)

// tree reads everything below a directory as entries for a cell: what a build left
// is what the run starts from. Special files are left out.
func tree(dir *os.File, name string, maxBytes, maxFiles int64) ([]cell.Entry, error) {
	t := &treeReader{bytes: maxBytes, files: maxFiles}
	if err := t.dir(int(dir.Fd()), name, "", 0); err != nil {
		return nil, err
	}
	return append(t.entries, t.links...), nil
}

// treeOf is tree of what is kept of a build, without the files that it was shown.
func treeOf(b *built, maxBytes, maxFiles int64) ([]cell.Entry, []shown, error) {
	t := &treeReader{bytes: maxBytes, files: maxFiles, build: b.Dir, given: b.Account.shown}
	if err := t.dir(int(b.Dir.Fd()), ".", "", 0); err != nil {
		return nil, nil, err
	}
	return append(t.entries, t.links...), t.shown, nil
}

// inlineLink is the length from which tmpfs takes a page for a link's target.
const inlineLink = 128

type treeReader struct {
	bytes, files   int64
	entries, links []cell.Entry
	build          *os.File
	given          map[string]bool // files of the build that are shown, and not read
	shown          []shown
}

const maxDepth = 256

// dir reads the directory name of parent, which is dir below /work.
func (t *treeReader) dir(parent int, name, dir string, depth int) error {
	f, err := openBeneath(parent, name, unix.O_DIRECTORY)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	defer f.Close()
	if depth > maxDepth {
		return errTreeTooLarge
	}
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if t.files--; t.files < 0 {
			return errTreeTooLarge
		}
		if err := t.entry(int(f.Fd()), dir, name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (t *treeReader) entry(parent int, dir, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return os.NewSyscallError("fstatat", err)
	}
	e := cell.Entry{Path: path.Join(dir, name), Mode: st.Mode & 0o777}
	if len(e.Path) > maxPath { // made step by step; it could not be placed again
		return errTreeTooLarge
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Kind = cell.Dir
		t.entries = append(t.entries, e)
		return t.dir(parent, name, e.Path, depth+1)
	case unix.S_IFLNK:
		buffer := make([]byte, 4096)
		n, err := unix.Readlinkat(parent, name, buffer)
		if err != nil {
			return os.NewSyscallError("readlinkat", err)
		}
		if n >= inlineLink {
			t.bytes -= int64(os.Getpagesize())
		}
		e.Kind, e.Target = cell.Symlink, string(buffer[:n])
		t.links = append(t.links, e)
	case unix.S_IFREG:
		if t.given[e.Path] {
			t.shown = append(t.shown, shown{e.Path, builtFile{t.build, e.Path, st.Size}})
			return nil
		}
		return t.regular(parent, name, e, st.Size)
	}
	return nil
}

func (t *treeReader) regular(parent int, name string, e cell.Entry, size int64) error {
	if t.bytes -= wholePages(size); t.bytes < 0 {
		return errTreeTooLarge
	}
	f, err := openBeneath(parent, name, 0)
	if err != nil {
		return os.NewSyscallError("openat2", err)
	}
	defer f.Close()
	e.Data = make([]byte, size)
	if _, err := io.ReadFull(f, e.Data); err != nil {
		return err
	}
	t.entries = append(t.entries, e)
	return nil
}
