package image

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// replay tells the archive of a layer again, from its record and its files.
type replay struct {
	dir     int // of the layer
	apart   map[int]bool
	file    *os.File // the record
	record  *recordReader
	part    part
	payload *os.File
	left    int64
	hash    *xxhash.Digest
	// problem is told of a file that is not what it was; nil: it is an error. What is
	// missing of a file is told as zeros, so that the rest can be looked at.
	problem func(path, what string)
	looked  func(path string, f *os.File) // at every file that is open already
}

func (s *Store) replay(l *Layer) (*replay, error) {
	dir, err := beneath(s.layers, layerID(l.DiffID), unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	r := &replay{dir: dir, apart: map[int]bool{}, hash: xxhash.New()}
	for _, n := range l.Apart {
		r.apart[n] = true
	}
	if r.file, err = openFile(dir, recordArk); err == nil {
		r.record, err = newRecordReader(r.file)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close closes it.
func (r *replay) Close() error {
	if r.record != nil {
		r.record.close()
	}
	var errs []error
	for _, f := range []*os.File{r.file, r.payload} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(append(errs, unix.Close(r.dir))...)
}

// Read gives the bytes of the archive.
func (r *replay) Read(p []byte) (int, error) {
	for {
		if r.part.piece != nil {
			n, err := r.part.piece.Read(p)
			if n > 0 {
				return n, nil
			}
			if err != io.EOF {
				return 0, fmt.Errorf("%w: record: %w", ErrDamaged, cut(err))
			}
			r.part.piece = nil
		}
		if r.left > 0 {
			return r.content(p)
		}
		next, err := r.record.next()
		if err != nil {
			return 0, err
		}
		r.part = next
		if next.piece == nil {
			if err := r.begin(); err != nil {
				return 0, err
			}
		}
	}
}

// begin opens the file of a payload.
func (r *replay) begin() error {
	name := treeDir + "/" + r.part.path
	if r.apart[r.part.number] {
		name = apartDir + "/" + strconv.Itoa(r.part.number)
	}
	r.left = r.part.size
	r.hash.Reset()
	f, err := openFile(r.dir, name)
	if err != nil {
		return r.tell("it cannot be read: " + err.Error())
	}
	r.payload = f
	if r.looked != nil {
		r.looked(r.part.path, f)
	}
	return nil
}

func (r *replay) tell(what string) error {
	if r.problem == nil {
		return fmt.Errorf("%w: %s: %s", ErrDamaged, quoted(r.part.path), what)
	}
	r.problem(r.part.path, what)
	return nil
}

func (r *replay) content(p []byte) (int, error) {
	p = p[:min(int64(len(p)), r.left)]
	n := 0
	if r.payload != nil {
		var err error
		n, err = r.payload.Read(p)
		if n == 0 {
			what := fmt.Sprintf("it is %d bytes shorter than it was", r.left)
			if err != nil && err != io.EOF { // a disk that gives it no more
				what = "it cannot be read: " + err.Error()
			}
			if err := r.tell(what); err != nil {
				return 0, err
			}
			if err := r.shut(); err != nil {
				return 0, err
			}
		}
		_, _ = r.hash.Write(p[:n])
	}
	if r.payload == nil {
		clear(p)
		n = len(p)
	}
	if r.left -= int64(n); r.left == 0 && r.payload != nil {
		return n, r.end()
	}
	return n, nil
}

func (r *replay) shut() error {
	f := r.payload
	r.payload = nil
	return f.Close()
}

// end holds a file that was read against what it was.
func (r *replay) end() error {
	info, err := r.payload.Stat()
	if err = errors.Join(err, r.shut()); err != nil {
		return err
	}
	if info.Size() != r.part.size {
		return r.tell(fmt.Sprintf("it has %d bytes, it had %d", info.Size(), r.part.size))
	}
	if r.hash.Sum64() != r.part.hash {
		return r.tell("its content has changed")
	}
	return nil
}
