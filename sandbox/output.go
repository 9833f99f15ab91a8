package sandbox

import (
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	streamBuffer = 64 << 10
	longPipe     = 256 << 10
	largestPart  = 4 << 20
)

var streamBuffers = sync.Pool{New: func() any { b := make([]byte, streamBuffer); return &b }}

// stream drains one of the job's outputs. It keeps the first bytes, up to its
// limit, and throws the rest away, so that a flood costs no memory and blocks
// nobody.
type stream struct {
	read   *os.File
	theirs *os.File // the write end, for the job; nil when it has been handed over
	over   chan struct{}
	done   chan struct{}

	limit int64
	tee   io.Writer // gets the kept bytes as they arrive; may be nil
	heard func(int) // is told how many came, before that; may be nil
	size  int64     // kept so far
	parts [][]byte  // that, in pieces: what is large is read to where it stays

	kept []byte // valid after done
	past bool   // more than limit bytes came; valid after done
}

// newStream makes the pipe.
func newStream() (*stream, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	// Only our end: the job's must block as any pipe does.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &stream{over: make(chan struct{}), done: make(chan struct{}),
		read: os.NewFile(uintptr(fds[0]), "output"), theirs: os.NewFile(uintptr(fds[1]), "output")}, nil
}

// start begins to drain, with the job's limit.
func (s *stream) start(limit int64, tee io.Writer) {
	s.limit, s.tee = limit, tee
	go s.drain()
}

// handedOver closes our copy of the job's end: or there would never be an end of file.
func (s *stream) handedOver() {
	if s.theirs != nil {
		s.theirs.Close()
		s.theirs = nil
	}
}

// close closes both ends. A drain that runs ends by it.
func (s *stream) close() {
	s.handedOver()
	s.read.Close()
}

// drain reads until every writer is gone.
func (s *stream) drain() {
	defer close(s.done)
	defer s.read.Close()
	buffer := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buffer)
	for {
		n, err := s.next(*buffer)
		if n > 0 && s.heard != nil {
			s.heard(n)
		}
		if n > 0 && s.tee != nil {
			// A caller that is gone is noticed by its context, not here.
			last := s.parts[len(s.parts)-1]
			_, _ = s.tee.Write(last[len(last)-n:])
		}
		if err != nil {
			s.join()
			return
		}
	}
}

// next reads once, and says how much of that was kept.
func (s *stream) next(buffer []byte) (int, error) {
	room := s.limit - s.size
	if s.size >= streamBuffer && room > 0 {
		part := s.part(room)
		n, err := s.read.Read((*part)[len(*part):cap(*part)])
		*part = (*part)[:len(*part)+n]
		s.size += int64(n)
		return n, err
	}
	n, err := s.read.Read(buffer)
	if int64(n) > room {
		n = int(room)
		if !s.past {
			s.past = true
			close(s.over)
		}
	}
	if n > 0 {
		if len(s.parts) == 0 {
			s.parts = append(s.parts, nil)
		}
		s.parts[0] = append(s.parts[0], buffer[:n]...)
		s.size += int64(n)
	}
	return n, err
}

// part has room to read into. Parts are as long as what is there already, but not
// for ever. A job that writes so much gets a longer pipe, so that the two of us wake
// each other less often; where the kernel has no more for this user it stays short.
func (s *stream) part(room int64) *[]byte {
	last := len(s.parts) - 1
	if last > 0 && len(s.parts[last]) < cap(s.parts[last]) {
		return &s.parts[last]
	}
	if raw, err := s.read.SyscallConn(); last == 0 && err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, longPipe) })
	}
	s.parts = append(s.parts, make([]byte, 0, min(room, s.size, largestPart)))
	return &s.parts[last+1]
}

// join puts the parts together.
func (s *stream) join() {
	switch len(s.parts) {
	case 0:
	case 1:
		s.kept = s.parts[0]
	default:
		s.kept = slices.Concat(s.parts...)
	}
	s.parts = nil
}
