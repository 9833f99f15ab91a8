package sandbox

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// Transcript is who has said what to whom.
type Transcript struct {
	Entries   []Said // in the order in which they were said, over all pipes
	Truncated bool   // there was more
}

// Said is what was read at once from a pipe.
type Said struct {
	From, To End
	At       int64 // ns since the first program was started
	Data     []byte
}

// saidCost is what an entry counts beside its bytes: a talk of single letters is long,
// too.
const saidCost = 64

// scribe writes a transcript, for all pipes of an ensemble.
type scribe struct {
	mu         sync.Mutex
	room       int64
	transcript Transcript
}

// note takes it down before it is passed on: so an answer stands behind what it answers.
func (s *scribe) note(from, to End, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := min(int64(len(data)), s.room-saidCost)
	if keep < int64(len(data)) {
		s.transcript.Truncated = true
	}
	if keep <= 0 {
		s.room = 0
		return
	}
	s.room -= keep + saidCost
	s.transcript.Entries = append(s.transcript.Entries, Said{from, to, monotonic(), append([]byte(nil), data[:keep]...)})
}

// since gives the transcript, with times from a start on.
func (s *scribe) since(start int64) *Transcript {
	for i := range s.transcript.Entries {
		s.transcript.Entries[i].At = max(s.transcript.Entries[i].At-start, 0)
	}
	return &s.transcript
}

// relay carries what one program says to another, so that it can be noted.
type relay struct {
	scribe   *scribe
	from, to End
	limit    int64 // of the writer's output
	read     *os.File
	write    *os.File
	overflow *overflow // of the writer
	broken   func()    // called when it fails through us
	running  bool
	done     chan struct{}
	err      error // ours; valid after done
}

// overflow tells that a program has written more than its limit into one of its pipes.
type overflow struct {
	once sync.Once
	over chan struct{}
}

// late: it was seen when the program had ended already.
func (o *overflow) late(s *Step, limit int64) {
	if o == nil {
		return
	}
	select {
	case <-o.over:
		if s.Verdict == OK || s.Verdict == Nonzero || s.Verdict == Signaled {
			s.Verdict = OutputLimit
			s.Message = Explain(OutputLimit, nil, Limited{OutputBytes: limit})
		}
	default:
	}
}

func (r *relay) start() {
	r.running = true
	go r.carry()
}

// unheard: the reader has ended, and the writer shall notice. What is read can not be
// passed on any more.
func (r *relay) unheard() { r.read.Close() }

// close ends it, whatever it does, and waits for that.
func (r *relay) close() {
	for _, f := range []*os.File{r.read, r.write} {
		if f != nil {
			f.Close()
		}
	}
	if r.running {
		<-r.done
	}
}

// carry passes on what comes, until its writer has closed its end or its reader has
// ended. As much is on its way at once as fits the buffer: a writer waits for its reader.
func (r *relay) carry() {
	defer close(r.done)
	defer r.write.Close()
	defer r.read.Close()
	buffer := streamBuffers.Get().(*[]byte)
	defer streamBuffers.Put(buffer)
	var size int64
	for {
		n, err := try(stepRelay, func() (int, error) {
			n, err := r.read.Read(*buffer)
			if err == io.EOF || errors.Is(err, os.ErrClosed) {
				return 0, nil
			}
			return n, err
		})
		if err != nil {
			r.fail(err)
			return
		}
		if n == 0 {
			return
		}
		r.scribe.note(r.from, r.to, (*buffer)[:n])
		if size += int64(n); size > r.limit { // it is ended for that
			r.overflow.once.Do(func() { close(r.overflow.over) })
			return
		}
		if _, err := r.write.Write((*buffer)[:n]); err != nil {
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
				r.fail(stepRelay.failed(err))
			}
			return
		}
	}
}

func (r *relay) fail(err error) {
	r.err = err
	r.broken()
}
