package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// source is a directory, or an archive as if it were one.
type source interface {
	open(name string) (io.ReadCloser, int64, error) // fs.ErrNotExist
	close() error
}

// folder is a directory.
type folder struct{ fd int }

// openFolder leaves the file to its caller.
func openFolder(f *os.File) (source, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &folder{fd}, nil
}

func (f *folder) open(name string) (io.ReadCloser, int64, error) {
	file, err := openFile(f.fd, name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

func (f *folder) close() error { return unix.Close(f.fd) }

// ark is an archive that is not packed: where each of its members lies in it.
type ark struct {
	file    *os.File
	members map[string]member
}

type member struct {
	at, size int64
	to       string // of a link: the other member
}

const (
	mostMembers = 20_000
	linksMost   = 8 // links that lead to links
)

// place is where in a file somebody reads.
type place struct {
	file *os.File
	at   int64
}

func (p *place) Read(b []byte) (int, error) {
	n, err := p.file.ReadAt(b, p.at)
	p.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (p *place) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		info, err := p.file.Stat()
		if err != nil {
			return 0, err
		}
		offset += info.Size()
	}
	if offset < 0 {
		return 0, unix.EINVAL
	}
	p.at = offset
	return offset, nil
}

// openArk reads what an archive has. It is the caller's to close the file.
func openArk(f *os.File) (*ark, error) {
	a := &ark{file: f, members: map[string]member{}}
	p := &place{file: f}
	r := tar.NewReader(p)
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return a, nil
		}
		if err != nil {
			return nil, readingError(err)
		}
		if n == mostMembers {
			return nil, rejected("an archive of an image with more than %d members", mostMembers)
		}
		if err := a.add(h, p.at); err != nil {
			return nil, inEntry(h.Name, err)
		}
	}
}

func (a *ark) add(h *tar.Header, at int64) error {
	if h.Typeflag == tar.TypeXGlobalHeader || h.Typeflag == tar.TypeDir {
		return nil
	}
	name, err := cleanPath(h.Name)
	if err != nil {
		return err
	}
	if _, twice := a.members[name]; twice {
		return rejected("two members of the archive have this name")
	}
	switch {
	case isSparse(h):
		return rejected("a sparse member")
	case h.Typeflag == tar.TypeReg:
		a.members[name] = member{at: at, size: h.Size}
	case h.Typeflag == tar.TypeSymlink, h.Typeflag == tar.TypeLink: // how older archives name a layer once more
		to := h.Linkname
		if h.Typeflag == tar.TypeSymlink {
			to = path.Join(path.Dir(name), to)
		}
		if to, err = cleanPath(to); err != nil {
			return err
		}
		a.members[name] = member{to: to}
	default:
		return rejected("a member of the type %q", h.Typeflag)
	}
	return nil
}

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }

func (a *ark) open(name string) (io.ReadCloser, int64, error) {
	for range linksMost {
		m, ok := a.members[path.Clean(name)]
		if !ok {
			return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if m.to == "" {
			return section{io.NewSectionReader(a.file, m.at, m.size)}, m.size, nil
		}
		name = m.to
	}
	return nil, 0, rejected("the member %s is a link that leads to itself, or to too many", quoted(name))
}

func (a *ark) close() error { return a.file.Close() }

// has says whether a source has a file.
func has(s source, name string) (bool, error) {
	r, _, err := s.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Close()
}

// read reads a document of a source.
func read(s source, name string) ([]byte, error) {
	r, size, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > documentMax {
		return nil, rejected("%s: %d bytes, allowed are %d", name, size, documentMax)
	}
	text, err := document(r, name)
	if err == nil && int64(len(text)) != size {
		err = fmt.Errorf("%s: %w", name, io.ErrUnexpectedEOF)
	}
	return text, err
}
