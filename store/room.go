package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve counts what is about to be written, and removes what was used longest ago
// where there is no room for it. When all that could be removed would not do, nothing
// is.
func (s *Store) reserve(files, bytes int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return errClosed
		}
		if err := s.fits(files, bytes); err != nil {
			return err
		}
		have := s.used()
		if have.files+files <= s.config.MaxFiles && have.bytes+bytes <= s.config.MaxBytes {
			s.writing.add(files, bytes)
			return nil
		}
		oldest := s.idle.Front()
		if oldest == nil { // what others remove is still on its way
			s.changed.Wait()
			continue
		}
		if err := s.remove(oldest.Value.(*entry)); err != nil {
			return err
		}
		s.evicted++
	}
}

// used is all that has blocks on the disk, or will have them. The caller holds mu.
func (s *Store) used() amount {
	return amount{s.whole.files + s.writing.files + s.leaving.files, s.whole.bytes + s.writing.bytes + s.leaving.bytes}
}

// fits says whether there would be room if everything went that nobody uses. The
// caller holds mu.
func (s *Store) fits(files, bytes int64) error {
	held := amount{s.whole.files - s.unused.files + s.writing.files, s.whole.bytes - s.unused.bytes + s.writing.bytes}
	if held.bytes+bytes > s.config.MaxBytes {
		return fmt.Errorf("%w: %d more bytes are wanted, %d are allowed in all, and %d of them are in use or being written", ErrFull, bytes, s.config.MaxBytes, held.bytes)
	}
	if held.files+files > s.config.MaxFiles {
		return fmt.Errorf("%w: %d files are allowed, and %d are in use or being written", ErrFull, s.config.MaxFiles, held.files)
	}
	return nil
}

// giveBack ends a reservation, and a Put.
func (s *Store) giveBack(files, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing.add(-files, -bytes)
	s.leave()
}

// remove takes a file away that nobody uses. Its name goes with mu held, so that
// nobody finds it and no other gets it; to free the blocks of a large one takes tens of
// milliseconds, for which mu is let go. They count until then. The caller holds mu and
// is a user.
func (s *Store) remove(e *entry) error {
	name := nameOf(e.sum)
	blocks, err := beneath(s.root, name, unix.O_PATH)
	if err == nil {
		if err = s.disk.unlink(s.root, name); err != nil {
			_ = unix.Close(blocks) // it was not opened to read or write: there is nothing that could fail
		}
	}
	switch {
	case errors.Is(err, unix.ENOENT): // somebody else's doing; gone it is
		s.log.Warn("a file of the store was gone already", "sha256", e.sum)
		s.forget(e)
		return nil
	case err != nil:
		return fmt.Errorf("%s cannot be removed: %w", e.sum, err)
	}
	s.forget(e)
	s.leaving.add(1, e.size)
	s.mu.Unlock()
	_ = unix.Close(blocks)
	s.mu.Lock()
	s.leaving.add(-1, -e.size)
	s.changed.Broadcast()
	return nil
}

// Delete removes a file that nobody uses.
func (s *Store) Delete(sum string) error {
	if err := CheckSum(sum); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	e, err := s.find(sum)
	if err != nil {
		return err
	}
	if e.pins > 0 {
		return fmt.Errorf("%s is %w, %d times; it can be removed when that has ended", sum, ErrInUse, e.pins)
	}
	return s.remove(e)
}

// Sweep removes what was not used for longer than the TTL. The store has no clock of
// its own: its owner calls this now and then.
func (s *Store) Sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config.TTL == 0 || s.enter() != nil {
		return
	}
	defer s.leave()
	before := s.now().Add(-s.config.TTL)
	removed := amount{}
	for !s.closed {
		oldest := s.idle.Front()
		if oldest == nil || !oldest.Value.(*entry).used.Before(before) {
			break
		}
		e := oldest.Value.(*entry)
		if err := s.remove(e); err != nil {
			s.log.Error("a file that nobody has used for long could not be removed", "error", err)
			break // at the next time again
		}
		s.expired++
		removed.add(1, e.size)
	}
	if removed.files > 0 {
		s.log.Info("removed files that nobody has used for long", "files", removed.files, "bytes", removed.bytes, "longer_than", s.config.TTL)
	}
}
