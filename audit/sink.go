package audit

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Stdout as the name of a log is the standard output.
const Stdout = "-"

// sink is where lines go. It is used by one goroutine at a time.
type sink struct {
	name    string
	file    *os.File // nil: it is opened with the next line
	regular bool
	done    int  // bytes of the line that is being written, that are in the file
	dirty   bool // something is not forced to the disk yet
}

func openSink(name string) (*sink, error) {
	s := &sink{name: name}
	return s, s.open()
}

// open appends to what is there. A line without its end is an earlier start's that the
// machine died with: it is ended. A FIFO wants a reader, which is not waited for.
func (s *sink) open() error {
	s.done = 0
	if s.name == Stdout {
		// By another number: who writes to a broken pipe by number 1 is killed.
		fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return fmt.Errorf("the standard output: %w", err)
		}
		s.file = os.NewFile(uintptr(fd), "standard output")
		return nil
	}
	file, err := os.OpenFile(s.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() {
		s.regular = true
		// Alone: a part of a line that is removed again has to be the end of the file.
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			err = s.mend(file, info.Size())
		} else {
			err = fmt.Errorf("%s cannot be locked, as where another service writes into it: %w", s.name, err)
		}
	}
	if err != nil {
		file.Close()
		return err
	}
	s.file = file
	return nil
}

// mend ends a line without an end.
func (s *sink) mend(file *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	reader, err := os.Open(s.name)
	if err != nil {
		return fmt.Errorf("its end cannot be looked at: %w", err)
	}
	defer reader.Close()
	var last [1]byte
	if _, err := reader.ReadAt(last[:], size-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = file.Write([]byte("\n"))
	}
	return err
}

// write brings a line into the file, with one write. What a full disk took of it is
// removed again; where that cannot be, as from a pipe, the next call goes on behind it.
func (s *sink) write(text []byte) error {
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	n, err := s.file.Write(text[s.done:])
	if err == nil {
		s.done, s.dirty = 0, true
		return nil
	}
	if n > 0 && s.regular {
		if info, failed := s.file.Stat(); failed == nil && s.file.Truncate(info.Size()-int64(n)) == nil {
			n = 0
		}
	}
	s.done += n
	return err
}

// sync forces what was written to the disk.
func (s *sink) sync() error {
	if !s.dirty || !s.regular || s.file == nil {
		return nil
	}
	s.dirty = false
	return s.file.Sync()
}

// close gives the file back; the next line opens it again.
func (s *sink) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.sync(), s.file.Close())
	s.file = nil
	return err
}
