package store

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// open makes what has to be there and reads what is.
func (s *Store) open() error {
	if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
		return err
	}
	err := again(func() (err error) {
		s.root, err = unix.Open(s.config.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		s.root = -1
		return fmt.Errorf("%s: %w", s.config.Dir, err)
	}
	for _, step := range []func() error{s.own, s.hold, s.makeIncoming, s.tidy, s.shrink} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// own sees to it that nobody else may enter the directory.
func (s *Store) own() error {
	var stat unix.Stat_t
	if err := unix.Fstat(s.root, &stat); err != nil {
		return fmt.Errorf("%s: %w", s.config.Dir, err)
	}
	if int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, this is user %d; name a directory of its own, or give this one to it", s.config.Dir, stat.Uid, os.Geteuid())
	}
	if stat.Mode&0o7777 == 0o700 {
		return nil
	}
	if err := unix.Fchmod(s.root, 0o700); err != nil {
		return fmt.Errorf("%s: its mode cannot be changed from %o to 0700: %w", s.config.Dir, stat.Mode&0o7777, err)
	}
	s.log.Warn("others could enter the directory of the files; now they cannot", "dir", s.config.Dir, "mode", fmt.Sprintf("%04o", stat.Mode&0o7777))
	return nil
}

// hold makes this the only process with the store: two would remove what the other
// has, and overfill it together.
func (s *Store) hold() error {
	fd, err := unix.Openat(s.root, lockName, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", s.config.Dir, lockName, err)
	}
	s.lock = os.NewFile(uintptr(fd), lockName)
	err = again(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%s is in use by another process: %w", s.config.Dir, err)
	}
	if err != nil {
		return fmt.Errorf("%s/%s cannot be locked: %w", s.config.Dir, lockName, err)
	}
	return nil
}

// release closes the directory and lets others have it.
func (s *Store) release() error {
	var err error
	if s.lock != nil {
		err = s.lock.Close()
		s.lock = nil
	}
	if s.root >= 0 {
		err = errors.Join(err, unix.Close(s.root))
		s.root = -1
	}
	return err
}

func (s *Store) makeIncoming() error {
	if err := unix.Mkdirat(s.root, incomingDir, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s/%s: %w", s.config.Dir, incomingDir, err)
	}
	return nil
}

// names are what stands in a directory below root; "." is root itself.
func (s *Store) names(dir string) (fd int, names []string, err error) {
	fd, err = beneath(s.root, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, nil, fmt.Errorf("%s/%s: %w", s.config.Dir, dir, err)
	}
	f, err := beneath(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err == nil {
		list := os.NewFile(uintptr(f), dir)
		names, err = list.Readdirnames(-1)
		err = errors.Join(err, list.Close())
	}
	if err != nil {
		return -1, nil, errors.Join(fmt.Errorf("%s/%s: %w", s.config.Dir, dir, err), unix.Close(fd))
	}
	return fd, names, nil
}

// leftovers are what does not belong into a store, by what became of it.
type leftovers struct {
	unfinished int      // files that were being written, removed
	wrong      int      // other names, or files that cannot be whole, removed
	kept       []string // what could not be, or is not ours to remove
}

// tidy removes what no file of the store is, and puts the others into the index.
func (s *Store) tidy() error {
	var left leftovers
	fd, names, err := s.names(incomingDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if s.discard(fd, incomingDir, name, &left) {
			left.unfinished++
		}
	}
	if err := unix.Close(fd); err != nil {
		return err
	}
	found, err := s.readAll(&left)
	if err != nil {
		return err
	}
	s.adopt(found)
	if left.unfinished > 0 || left.wrong > 0 {
		s.log.Warn("removed what an unclean end of the store has left", "unfinished", left.unfinished, "wrong", left.wrong)
	}
	if len(left.kept) > 0 {
		s.log.Warn("left alone what does not belong into the store", "dir", s.config.Dir, "names", left.kept[:min(len(left.kept), 10)], "count", len(left.kept))
	}
	return nil
}

// readAll finds the files of all buckets. What is no part of a store stays: the
// directory may be a file system of its own, with its lost+found.
func (s *Store) readAll(left *leftovers) (found []*entry, err error) {
	fd, names, err := s.names(".")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	for _, name := range names {
		switch {
		case name == incomingDir || name == lockName:
		case isBucket(name):
			if found, err = s.read(name, found, left); err != nil {
				return nil, err
			}
		default:
			left.kept = append(left.kept, name)
		}
	}
	return found, nil
}

// read finds the files of one bucket.
func (s *Store) read(dir string, found []*entry, left *leftovers) ([]*entry, error) {
	fd, names, err := s.names(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		stat, err := look(fd, name)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s/%s/%s: %w", s.config.Dir, dir, name, err), unix.Close(fd))
		}
		if CheckSum(name) != nil || bucket(name) != dir || !isRegular(&stat) || stat.Size == 0 && name != emptySum {
			if s.discard(fd, dir, name, left) {
				left.wrong++
			}
			continue
		}
		if stat.Mode&0o7777 != keptMode { // of an earlier version, or somebody's doing
			if err := unix.Fchmodat(fd, name, keptMode, 0); err != nil {
				return nil, errors.Join(fmt.Errorf("%s/%s/%s: its mode cannot be changed from %o to %o: %w", s.config.Dir, dir, name, stat.Mode&0o7777, keptMode, err), unix.Close(fd))
			}
		}
		found = append(found, &entry{sum: name, size: stat.Size, used: time.Unix(stat.Mtim.Unix())})
	}
	return found, unix.Close(fd)
}

// discard removes a name, but no directory that has something in it: that is nothing
// which a store has made.
func (s *Store) discard(fd int, dir, name string, left *leftovers) bool {
	err := s.disk.unlink(fd, name)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
		err = unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
	}
	if err != nil {
		left.kept = append(left.kept, dir+"/"+name+": "+err.Error())
	}
	return err == nil
}

// adopt takes the files into the index in the order in which they were used.
func (s *Store) adopt(found []*entry) {
	slices.SortFunc(found, func(a, b *entry) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.sum, b.sum)) })
	now := s.now().Round(0)
	for _, e := range found {
		if e.used.After(now) { // the clock was set back: it would be young for as long
			e.used = now
			s.touch(e, now)
		}
		e.told = e.used
		s.index[e.sum] = e
		s.whole.add(1, e.size)
		s.unused.add(1, e.size)
		e.place = s.idle.PushBack(e)
		s.last = e.used
	}
}

// shrink removes what is more than the store may have: it may have had more before.
func (s *Store) shrink() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	removed := amount{}
	for s.whole.files > s.config.MaxFiles || s.whole.bytes > s.config.MaxBytes {
		e := s.idle.Front().Value.(*entry)
		if err := s.remove(e); err != nil {
			return err
		}
		s.evicted++
		removed.add(1, e.size)
	}
	if removed.files > 0 {
		s.log.Info("removed files, for the store may have fewer than it had", "files", removed.files, "bytes", removed.bytes)
	}
	return nil
}
