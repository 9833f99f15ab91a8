package httpapi

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"cordon/sandbox"
)

// session is the way to a program that runs; sandbox.Session is one.
type session interface {
	Write([]byte) (int, error)
	SetWriteDeadline(time.Time) error
	CloseInput() error
	Resize(sandbox.WindowSize) error
	Signal(string) error
	Terminal() bool
}

// liveInput is what clients have of an interactive job while it runs here.
type liveInput struct {
	idle   time.Duration // after which the input ends; 0: never
	opened chan struct{} // closed when the program is there

	mu      sync.Mutex
	session session
	ended   bool
	shut    bool // nothing comes any more
	timer   *time.Timer
}

func newLiveInput(idle time.Duration) *liveInput {
	return &liveInput{idle: idle, opened: make(chan struct{})}
}

// listen has the job tell when its program is there.
func (i *liveInput) listen(j *sandbox.Job) {
	j.Interactive.Began = func(s *sandbox.Session) { i.open(s) }
}

func (i *liveInput) open(s session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.session = s
	if i.idle > 0 && !i.ended {
		i.timer = time.AfterFunc(i.idle, i.hangUp)
	}
	close(i.opened)
}

// hangUp ends an input into which nobody writes.
func (i *liveInput) hangUp() {
	if i.session.Terminal() {
		_ = i.session.Signal("HUP") // a job that has ended needs none
		return
	}
	_ = i.closeInput(i.session)
}

// closeInput has the program read the end of its input.
func (i *liveInput) closeInput(of session) error {
	err := of.CloseInput()
	if err == nil {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.shut = true
	}
	return err
}

// closed: nothing comes any more.
func (i *liveInput) closed() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.shut
}

// end is called when the job has ended.
func (i *liveInput) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	if i.timer != nil {
		i.timer.Stop()
	}
}

// busy: somebody has written.
func (i *liveInput) busy() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.timer != nil && !i.ended {
		i.timer.Reset(i.idle)
	}
}

// wait gives the session when the program is there.
func (i *liveInput) wait(ctx context.Context) (session, error) {
	select {
	case <-i.opened:
		i.mu.Lock()
		defer i.mu.Unlock()
		return i.session, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write gives the program input, for as long as that takes or until ctx is done. It is
// called by one at a time.
func (i *liveInput) write(ctx context.Context, to session, b []byte) error {
	i.busy()
	defer i.busy()
	called := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(called)
		_ = to.SetWriteDeadline(time.Unix(1, 0)) // one that is closed does not wait
	})
	_, err := to.Write(b)
	if !stop() {
		<-called
		if lift := to.SetWriteDeadline(time.Time{}); lift != nil && !errors.Is(lift, os.ErrClosed) {
			return lift
		}
	}
	return err
}

// writers are who may write into which job: one each. The channel is closed when that one
// has left.
type writers struct {
	mu  sync.Mutex
	ids map[string]chan struct{}
}

func newWriters() writers { return writers{ids: map[string]chan struct{}{}} }

// take waits a moment for one that is leaving: who comes again is often faster.
func (w *writers) take(id string) bool {
	enough := time.NewTimer(leaving)
	defer enough.Stop()
	for {
		w.mu.Lock()
		left, taken := w.ids[id]
		if !taken {
			w.ids[id] = make(chan struct{})
		}
		w.mu.Unlock()
		if !taken {
			return true
		}
		select {
		case <-left:
		case <-enough.C:
			return false
		}
	}
}

// leaving is how long that moment is.
const leaving = 500 * time.Millisecond

func (w *writers) give(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.ids[id])
	delete(w.ids, id)
}
