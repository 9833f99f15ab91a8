package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// incoming is a file that is being written, and what is reserved for it.
type incoming struct {
	store *Store
	name  string
	file  *os.File // nil when it is closed
	bytes int64
	kept  bool // it has its name: it is an entry's now
}

// begin makes one. What could not have room in any case is refused before it is read,
// and before anything is removed for it.
func (s *Store) begin(size int64) (*incoming, error) {
	s.mu.Lock()
	err := s.enter()
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.serial++
	in := &incoming{store: s, name: incomingDir + "/" + strconv.FormatUint(s.serial, 10)}
	err = s.fits(1, max(size, 0))
	s.mu.Unlock()
	if err == nil {
		err = s.reserve(1, 0)
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave()
		return nil, err
	}
	if in.file, err = s.create(in.name); err != nil {
		s.giveBack(1, 0)
		return nil, err
	}
	return in, nil
}

// write counts a piece, then writes it.
func (in *incoming) write(piece []byte) error {
	if err := in.store.reserve(0, int64(len(piece))); err != nil {
		return err
	}
	in.bytes += int64(len(piece))
	if _, err := in.store.disk.write(in.file, piece); err != nil {
		return fmt.Errorf("the disk refused to take more than %d bytes: %w", in.bytes-int64(len(piece)), err)
	}
	return nil
}

// keptMode is that of a file which is whole: jobs that are shown it may read and
// execute it.
const keptMode = 0o555

// finish forces the bytes to the disk.
func (in *incoming) finish() error {
	err := in.file.Chmod(keptMode)
	if err == nil {
		err = in.store.disk.sync(in.file)
	}
	err = errors.Join(err, in.file.Close())
	in.file = nil
	if err != nil {
		return fmt.Errorf("the disk refused to keep %d bytes: %w", in.bytes, err)
	}
	return nil
}

// keep gives the file its name, unless another had the same content in the meantime. It
// is in use until the File is closed.
func (s *Store) keep(in *incoming, sum string, unseen bool) (f *File, created bool, err error) {
	if err := in.finish(); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false, errClosed
	}
	e := s.index[sum]
	if e == nil {
		if err := s.name(in.name, sum); err != nil {
			s.mu.Unlock()
			return nil, false, fmt.Errorf("the disk refused to give %s its name: %w", sum, err)
		}
		e, created = &entry{sum: sum, size: in.bytes, unseen: unseen}, true
		s.index[sum] = e
		s.whole.add(1, e.size)
		s.writing.add(-1, -in.bytes)
		in.kept = true
	}
	e.unseen = e.unseen && unseen
	tell := s.busy(e)
	s.mu.Unlock()
	tell()
	return &File{Sum: sum, Size: e.size, store: s, entry: e}, created, nil
}

// name gives a file its name; the first of a bucket makes that, too.
func (s *Store) name(from, sum string) error {
	err := s.disk.rename(s.root, from, nameOf(sum))
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	if err := unix.Mkdirat(s.root, bucket(sum), 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return s.disk.rename(s.root, from, nameOf(sum))
}

// end removes what has no name. What cannot be removed goes on being counted: it has
// its room on the disk until the store is opened anew.
func (in *incoming) end() error {
	s := in.store
	var err error
	if in.file != nil {
		err = in.file.Close()
	}
	left := amount{}
	if !in.kept {
		left = amount{1, in.bytes}
		if gone := s.disk.unlink(s.root, in.name); gone != nil {
			s.log.Error("an unfinished file could not be removed", "name", in.name, "bytes", in.bytes, "error", gone)
			err = errors.Join(err, fmt.Errorf("%s cannot be removed: %w", in.name, gone))
			left = amount{}
		}
	}
	s.giveBack(left.files, left.bytes)
	return err
}
