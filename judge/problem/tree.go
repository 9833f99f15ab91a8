package problem

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A package is bounded: this much of it is looked at, and more is a mistake.
const (
	maxFiles    = 50_000
	maxDepth    = 8
	maxCaseFile = 1 << 30 // an input or an answer
	maxText     = 64 << 10
)

// fileName is what the format allows; DOMjudge takes a plus, too (".c++").
var fileName = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.+-]{0,254}$`)

// file is one plain file of the package.
type file struct {
	name string // below the package
	size int64
}

// folder is a directory of the package, as it was found.
type folder struct {
	name    string
	files   []file    // by name
	folders []*folder // by name
}

// reader reads one package.
type reader struct {
	report
	fsys  fs.FS
	p     *Problem
	seen  int
	meta  meta
	input error // a file that could not be read: not a mistake of the package's
}

// list reads a directory and what is below it. What is not there is nil.
func (r *reader) list(name string, depth int) *folder {
	info := r.stat(name)
	if info == nil {
		return nil
	}
	if !info.IsDir() {
		r.wrong(name, "no directory", "make it one")
		return nil
	}
	entries, err := fs.ReadDir(r.fsys, name)
	if err != nil {
		r.cannot(err)
		return nil
	}
	f := &folder{name: name}
	for _, e := range entries {
		if r.seen++; r.seen > maxFiles {
			if r.seen == maxFiles+1 {
				r.wrong(name, fmt.Sprintf("more than %d files up to here", maxFiles), "a package has to be smaller")
			}
			return f
		}
		full := path.Join(name, e.Name())
		switch {
		case !fileName.MatchString(e.Name()):
			r.ignore("%s: the format leaves out files of such a name", shown(full))
		case e.IsDir() && depth == maxDepth:
			r.wrong(full, fmt.Sprintf("more than %d directories deep", maxDepth), "move it up")
		case e.IsDir():
			if sub := r.list(full, depth+1); sub != nil {
				f.folders = append(f.folders, sub)
			}
		default:
			r.plain(f, full, e.Type())
		}
	}
	return f
}

// plain keeps an entry that is a file, or a link to one in the package.
func (r *reader) plain(f *folder, name string, kind fs.FileMode) {
	if kind&fs.ModeType&^fs.ModeSymlink != 0 {
		r.wrong(name, "a "+what(kind), "only plain files and directories can be in a package")
		return
	}
	info := r.stat(name)
	switch {
	case info == nil:
	case !info.Mode().IsRegular():
		r.wrong(name, "a link to a "+what(info.Mode()), "a link may lead to a plain file in the package; put a copy here")
	default:
		f.files = append(f.files, file{name, info.Size()})
	}
}

// stat follows links in the package. It is nil for what is not there, and for
// a link that leads nowhere in the package, which is told.
func (r *reader) stat(name string) fs.FileInfo {
	info, err := fs.Stat(r.fsys, name)
	if err == nil {
		return info
	}
	at, linked := fs.Lstat(r.fsys, name)
	switch {
	case linked == nil && at.Mode()&fs.ModeSymlink != 0:
		r.wrong(name, "a link out of the package, or to nothing", "put a copy here")
	case !errors.Is(err, fs.ErrNotExist):
		r.cannot(err)
	}
	return nil
}

func what(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "device"
}

func (r *reader) cannot(err error) {
	if r.input == nil {
		r.input = fmt.Errorf("problem: %w", err)
	}
}

// read gives a file of at most so many bytes. false without one, and when it was
// told what is wrong with it.
func (r *reader) read(name string, most int64) ([]byte, bool) {
	info := r.stat(name)
	switch {
	case info == nil:
		return nil, false
	case !info.Mode().IsRegular():
		r.wrong(name, "a "+what(info.Mode()), "put a plain file here")
		return nil, false
	case info.Size() > most:
		r.wrong(name, fmt.Sprintf("%d bytes long", info.Size()), fmt.Sprintf("at most %d are read; shorten it", most))
		return nil, false
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		r.cannot(err)
		return nil, false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		r.cannot(err)
		return nil, false
	}
	return text, true
}

// all are the files of a folder and below it, in order of their names' parts.
func (f *folder) all() []file {
	out := slices.Clone(f.files)
	for _, sub := range f.folders {
		out = append(out, sub.all()...)
	}
	slices.SortFunc(out, func(a, b file) int { return byParts(a.name, b.name) })
	return out
}

// byParts orders names so that a folder's files stay together.
func byParts(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}
