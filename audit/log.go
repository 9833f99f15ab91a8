package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	maxWaiting = 8 << 20                // bytes that wait to be written
	retry      = 100 * time.Millisecond // between attempts to write
	syncEvery  = time.Second
)

// ErrUnavailable: what is done could not be written down.
var ErrUnavailable = errors.New("the audit log cannot be written")

// Log is an open audit log. A nil one takes everything and writes nothing. Its methods
// may be called at once.
type Log struct {
	start string
	log   *slog.Logger
	now   func() time.Time
	sink  *sink // the writer's
	// patience is within what a line is written, or the log counts as stuck.
	patience  time.Duration
	closeTime time.Duration // that the end waits for what is not written yet

	mu      sync.Mutex
	seq     uint64
	waiting []*line
	bytes   int       // of these
	broken  error     // why nothing is written; nil: it is
	since   time.Time // it is broken
	refused int64     // what Admit did not let through meanwhile
	reopen  bool
	ending  bool // nobody waits for room any more
	lost    int  // lines for which there was none then
	closed  bool
	changed chan struct{} // closed when there is room again, or it is not broken any more
	failed  chan struct{} // closed when it is broken

	work  chan struct{} // something is to be done
	ended chan struct{} // the writer has
}

// line waits to be written.
type line struct {
	text    []byte
	written chan struct{}
}

// Open opens the log: a file, or - for the standard output. start is the name of this
// start of the service.
func Open(name, start string, log *slog.Logger) (*Log, error) {
	s, err := openSink(name)
	if err != nil {
		return nil, err
	}
	l := &Log{start: start, log: log, now: time.Now, sink: s, patience: 2 * time.Second, closeTime: 5 * time.Second, changed: make(chan struct{}), failed: make(chan struct{}), work: make(chan struct{}, 1), ended: make(chan struct{})}
	go l.writing()
	return l, nil
}

// Add writes an event down. It returns when the kernel has it; while the log is broken at
// once, unless too much waits already.
func (l *Log) Add(e Event) {
	if l == nil {
		return
	}
	one, failed := l.put(&e)
	if one == nil {
		return
	}
	timer := time.NewTimer(l.patience)
	defer timer.Stop()
	select {
	case <-one.written:
	case <-failed:
	case <-timer.C:
		l.fail(fmt.Errorf("a line was not taken within %v", l.patience))
	}
}

// put has a line wait; nil where nobody is to wait for it.
func (l *Log) put(e *Event) (one *line, failed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes > maxWaiting && !l.ending {
		changed := l.changed
		l.mu.Unlock()
		<-changed
		l.mu.Lock()
	}
	if l.closed {
		l.log.Error("an event came behind the end of the audit log", "event", e.Event, "job", e.Job)
		return nil, nil
	}
	if l.bytes > maxWaiting {
		l.lost++
		return nil, nil
	}
	one = l.enter(e)
	if l.broken != nil {
		return nil, nil
	}
	return one, l.failed
}

// enter gives an event its number and its place. The caller holds mu.
func (l *Log) enter(e *Event) *line {
	l.seq++
	e.Time, e.Start, e.Seq = l.now().UTC(), l.start, l.seq
	one := &line{e.line(), make(chan struct{})}
	l.waiting = append(l.waiting, one)
	l.bytes += len(one.text)
	wake(l.work)
	return one
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Admit is nil when new work may be taken: what comes of it can be written down.
func (l *Log) Admit() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.unready()
	if err != nil {
		l.refused++
	}
	return err
}

// unready is called with mu held.
func (l *Log) unready() error {
	switch {
	case l.broken != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, l.broken)
	case l.bytes > maxWaiting/2:
		return fmt.Errorf("%w: %d bytes wait", ErrUnavailable, l.bytes)
	case l.closed:
		return fmt.Errorf("%w: it is closed", ErrUnavailable)
	}
	return nil
}

// Wait returns when new work may be taken, or ctx is done.
func (l *Log) Wait(ctx context.Context) error {
	for l != nil {
		l.mu.Lock()
		err, changed := l.unready(), l.changed
		l.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
	return nil
}

// Reopen opens the file anew, as after it was given another name.
func (l *Log) Reopen() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.reopen = true
		l.enter(&Event{Event: LogReopened})
	}
}

// Ending: the service ends. It does not wait for a log that takes nothing: Close tells how
// many lines that has cost.
func (l *Log) Ending() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ending = true
	l.change()
}

// Close writes what waits, for a while, and tells of what could not be written.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.ending, l.closed = true, true
	l.change()
	wake(l.work)
	l.mu.Unlock()
	var lost int
	select {
	case <-l.ended:
	case <-time.After(l.closeTime):
	}
	l.mu.Lock()
	lost = len(l.waiting) + l.lost
	l.mu.Unlock()
	if lost > 0 {
		return fmt.Errorf("%w: %d lines are lost", ErrUnavailable, lost)
	}
	return nil
}

// change wakes those who wait. The caller holds mu.
func (l *Log) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// fail: nothing is written at the moment.
func (l *Log) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken != nil || len(l.waiting) == 0 {
		return
	}
	l.broken, l.since = err, l.now().UTC()
	close(l.failed)
	l.log.Error("the audit log cannot be written: no new work is taken until it can", "error", err)
}
