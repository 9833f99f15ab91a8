package sandbox

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const streamBuffer = 64 << 10

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
		n, err := s.read.Read(*buffer)
		s.keep((*buffer)[:n])
		if err != nil {
			return
		}
	}
}

func (s *stream) keep(b []byte) {
	if room := s.limit - int64(len(s.kept)); int64(len(b)) > room {
		b = b[:room]
		if !s.past {
			s.past = true
			close(s.over)
		}
	}
	if len(b) == 0 {
		return
	}
	s.kept = append(s.kept, b...)
	if s.tee != nil {
		// A caller that is gone is noticed by its context, not here.
		_, _ = s.tee.Write(b)
	}
}
