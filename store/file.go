package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// File is a file in use: it is not removed until it is closed.
type File struct {
	Sum  string
	Size int64

	store  *Store
	entry  *entry
	closed bool // store.mu's
}

// Info is what is known of a file.
type Info struct {
	Sum  string
	Size int64
	Used time.Time // last
	Pins int       // how many use it
}

// Get takes a file into use.
func (s *Store) Get(sum string) (*File, error) {
	e, tell, err := s.pin(sum)
	if err != nil {
		return nil, err
	}
	stat, err := look(s.root, nameOf(sum))
	if err == nil {
		err = damaged(&stat, e.size)
	}
	if err != nil {
		return nil, s.lost(e, err)
	}
	tell()
	return &File{Sum: sum, Size: e.size, store: s, entry: e}, nil
}

// pin takes an entry into use, from now on. The function that it gives writes that down.
func (s *Store) pin(sum string) (*entry, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := CheckSum(sum); err != nil {
		return nil, nil, err
	}
	if s.closed {
		return nil, nil, errClosed
	}
	e, err := s.find(sum)
	if err != nil {
		return nil, nil, err
	}
	return e, s.busy(e), nil
}

// find is called with mu held.
func (s *Store) find(sum string) (*entry, error) {
	if e := s.index[sum]; e != nil {
		return e, nil
	}
	return nil, NotFound(sum)
}

// NotFound is the error for a file that is not there. Who has a file that another may not
// know of answers with the same.
func NotFound(sum string) error {
	return fmt.Errorf("%w as %s; it was never put here, was removed, or had to make room", ErrNotFound, sum)
}

// busy is called with mu held; rest is its end.
func (s *Store) busy(e *entry) (tell func()) {
	s.users++
	e.pins++
	if e.place != nil {
		s.idle.Remove(e.place)
		e.place = nil
		s.unused.add(-1, -e.size)
	}
	return s.use(e)
}

// tellEvery is how old a time of use on the disk may be: to write each down would take
// longer than all the rest of a Get.
const tellEvery = time.Minute

// use notes a use. What it gives is to be called without mu.
func (s *Store) use(e *entry) (tell func()) {
	e.used = s.stamp()
	if e.gone || e.used.Sub(e.told) < tellEvery {
		return func() {}
	}
	e.told = e.used
	used := e.used
	return func() { s.touch(e, used) }
}

// stamp is a time of use: of two uses the later one has the later time, also when the
// clock stands still or goes back. The caller holds mu.
func (s *Store) stamp() time.Time {
	now := s.now().Round(0) // no monotonic clock: the time has a meaning after a restart, too
	if !now.After(s.last) {
		now = s.last.Add(1)
	}
	s.last = now
	return now
}

// rest gives an entry back that was taken into use.
func (s *Store) rest(e *entry) {
	s.mu.Lock()
	tell := s.use(e)
	s.mu.Unlock()
	tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.pins--; e.pins == 0 && !e.gone {
		e.place = s.idle.PushBack(e)
		s.unused.add(1, e.size)
	}
	s.leave()
}

// lost is the end of a Get that did not find on the disk what was kept there. Only
// somebody else can have done that, or a disk that is broken; it is told, and the
// content can be put again.
func (s *Store) lost(e *entry, cause error) error {
	broken := !errors.Is(cause, unix.ENOENT) && errno(cause)
	s.log.Error("a file of the store is not what was kept", "sha256", e.sum, "error", cause)
	s.mu.Lock()
	if !broken && !e.gone {
		s.forget(e)
		if err := s.disk.unlink(s.root, nameOf(e.sum)); err != nil && !errors.Is(err, unix.ENOENT) {
			s.log.Error("nor can it be removed", "sha256", e.sum, "error", err)
		}
	}
	s.mu.Unlock()
	s.rest(e)
	if broken {
		return fmt.Errorf("%s cannot be read: %w", e.sum, cause)
	}
	return fmt.Errorf("%w as %s any more: %w", ErrNotFound, e.sum, cause)
}

// errno says whether the kernel refused something.
func errno(err error) bool {
	var e unix.Errno
	return errors.As(err, &e)
}

// forget takes an entry out of the index. The caller holds mu.
func (s *Store) forget(e *entry) {
	e.gone = true
	if s.onGone != nil {
		s.onGone(e.sum)
	}
	delete(s.index, e.sum)
	s.whole.add(-1, -e.size)
	if e.place != nil {
		s.idle.Remove(e.place)
		e.place = nil
		s.unused.add(-1, -e.size)
	}
}

// Open opens the file to read, each time from its beginning. What is opened ought to
// be closed before the File: else its bytes outlast their being counted.
func (f *File) Open() (*os.File, error) {
	if err := f.enter(); err != nil {
		return nil, err
	}
	defer f.leave()
	fd, err := beneath(f.store.root, nameOf(f.Sum), unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be opened: %w", f.Sum, err)
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil {
		err = damaged(&stat, f.Size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s cannot be read: %w", f.Sum, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Sum), nil
}

func (f *File) enter() error {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	if f.closed {
		return fmt.Errorf("%s: %w", f.Sum, os.ErrClosed)
	}
	f.store.users++
	return nil
}

func (f *File) leave() {
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.leave()
}

// Close gives the file back; it may go from now on.
func (f *File) Close() error {
	f.store.mu.Lock()
	closed := f.closed
	f.closed = true
	f.store.mu.Unlock()
	if !closed {
		f.store.rest(f.entry)
	}
	return nil
}

// Stat tells of a file without using it.
func (s *Store) Stat(sum string) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := CheckSum(sum); err != nil {
		return Info{}, err
	}
	if s.closed {
		return Info{}, errClosed
	}
	e, err := s.find(sum)
	if err != nil {
		return Info{}, err
	}
	return Info{Sum: e.sum, Size: e.size, Used: e.used, Pins: e.pins}, nil
}
