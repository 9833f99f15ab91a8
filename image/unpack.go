package image

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// Note is something of an entry that was not taken over.
type Note struct {
	Layer string `json:"layer"`
	Entry string `json:"entry"`
	Note  string `json:"note"`
}

// unpacking is one layer on its way to the disk.
type unpacking struct {
	ctx     context.Context
	tree    *tree
	made    *made
	record  *recorder
	budget  *budget
	buffer  []byte
	entries int64
	bytes   int64 // of content
	apart   []int // payloads that were replaced
	notes   []Note
	noted   int64 // how many there were
}

// tap lets the record have what is not a file's content.
type tap struct {
	from   io.Reader
	record *recorder
	keep   bool
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	if t.keep {
		t.record.raw(p[:n])
	}
	return n, err
}

// unpack unpacks a layer's archive: all of it, also what stands behind its end.
func (u *unpacking) unpack(archive io.Reader) error {
	source := &tap{from: archive, record: u.record, keep: true}
	r := tar.NewReader(source)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return readingError(err)
		}
		if err := u.ctx.Err(); err != nil {
			return context.Cause(u.ctx)
		}
		if err := u.one(h, r, source); err != nil {
			return inEntry(h.Name, err)
		}
	}
	source.keep = true
	if _, err := io.CopyBuffer(io.Discard, source, u.buffer); err != nil {
		return err
	}
	return u.finish()
}

// readingError tells an archive that is none from one that could not be brought.
func readingError(err error) error {
	var r *RejectedError
	switch {
	case errors.As(err, &r):
		return err
	case errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.Is(err, tar.ErrInsecurePath), errors.Is(err, io.ErrUnexpectedEOF):
		return &RejectedError{Reason: fmt.Sprintf("not a tar archive, or a broken one: %v", err), broken: true}
	}
	return err
}

func inEntry(name string, err error) error {
	var r *RejectedError
	if errors.As(err, &r) && r.Entry == "" {
		r.Entry = name
	}
	return err
}

// keptDisk is the disk that says which payloads lie apart.
type keptDisk struct {
	*made
	apart *[]int
}

func (k keptDisk) keep(name string, content int) error {
	*k.apart = append(*k.apart, content)
	return k.made.keep(name, content)
}

func (u *unpacking) one(h *tar.Header, r *tar.Reader, source *tap) error {
	u.entries++
	if err := u.budget.entry(); err != nil {
		return err
	}
	e, err := readEntry(h)
	if err != nil {
		return err
	}
	if e.kind == isFile {
		if err := u.budget.file(e.size); err != nil {
			return err
		}
		if isSparse(h) {
			if err := u.budget.claim(e.size); err != nil {
				return err
			}
		}
	}
	if err := u.budget.name(e.path, e.target); err != nil {
		return err
	}
	u.note(h.Name, e.note)
	if err := u.tree.apply(&e); err != nil {
		return err
	}
	if e.kind != isFile {
		return nil // what content there is, is the record's
	}
	return u.file(&e, r, source, isSparse(h))
}

func (u *unpacking) note(entry, text string) {
	if text == "" {
		return
	}
	if u.noted++; len(u.notes) < notesMax {
		u.notes = append(u.notes, Note{Entry: entry, Note: text})
	}
}

func (u *unpacking) file(e *entry, r *tar.Reader, source *tap, isSparse bool) error {
	f, err := u.made.create(e.path)
	if err != nil {
		return err
	}
	defer f.Close()
	n := u.tree.nodes[e.path]
	n.size = e.size
	u.bytes += e.size
	source.keep = isSparse
	hash, err := u.content(f, r, e.size, isSparse)
	source.keep = true
	if err != nil {
		return err
	}
	switch {
	case isSparse:
		n.content = sparse
	case e.size > 0:
		n.content = u.record.payload(e.path, e.size, hash)
	}
	return u.made.finish(e.path, f, n)
}

// content writes a file. Of a sparse one the holes stay holes.
func (u *unpacking) content(f *os.File, r io.Reader, size int64, holes bool) (uint64, error) {
	hash := xxhash.New()
	var done int64
	for done < size {
		n, err := r.Read(u.buffer[:min(int64(len(u.buffer)), size-done)])
		piece := u.buffer[:n]
		if n > 0 {
			_, _ = hash.Write(piece) // never fails
			if err := u.write(f, piece, holes); err != nil {
				return 0, err
			}
			done += int64(n)
		}
		if err == io.EOF && done < size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && err != io.EOF {
			return 0, readingError(err)
		}
		if holes {
			if err := u.ctx.Err(); err != nil {
				return 0, context.Cause(u.ctx)
			}
		}
	}
	if holes {
		return 0, os.NewSyscallError("ftruncate", again(func() error { return unix.Ftruncate(int(f.Fd()), size) }))
	}
	return hash.Sum64(), nil
}

func (u *unpacking) write(f *os.File, piece []byte, holes bool) error {
	if !holes {
		_, err := f.Write(piece)
		return err
	}
	for len(piece) > 0 { // page by page
		page := piece[:min(len(piece), os.Getpagesize())]
		piece = piece[len(page):]
		var err error
		if allZero(page) {
			_, err = f.Seek(int64(len(page)), io.SeekCurrent)
		} else {
			_, err = f.Write(page)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func allZero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// finish gives the directories what they are to have, the inner ones first: nobody may
// have a right to enter the outer ones any more.
func (u *unpacking) finish() error {
	var dirs []string
	for name, n := range u.tree.nodes {
		if n.isDir() {
			dirs = append(dirs, name)
		}
	}
	slices.SortFunc(dirs, func(a, b string) int {
		return cmp.Or(cmp.Compare(depth(b), depth(a)), strings.Compare(a, b))
	})
	for _, name := range dirs {
		if err := u.made.finishDir(name, u.tree.nodes[name]); err != nil {
			return err
		}
	}
	return u.record.close()
}

func depth(name string) int {
	if name == "." {
		return -1
	}
	return strings.Count(name, "/")
}
