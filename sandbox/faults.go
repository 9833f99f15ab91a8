//go:build failpoints

package sandbox

import (
	"sync"
	"syscall"
)

// fault is the step that a test wants to fail, at its first try.
var fault struct {
	sync.Mutex
	armed bool
	step  step
	errno syscall.Errno
}

// arm has one step fail once.
func arm(s step, errno syscall.Errno) {
	fault.Lock()
	defer fault.Unlock()
	fault.armed, fault.step, fault.errno = true, s, errno
}

// disarm lets everything be. It says whether nothing has failed.
func disarm() (unused bool) {
	fault.Lock()
	defer fault.Unlock()
	unused, fault.armed = fault.armed, false
	return unused
}

func failing(s step) error {
	fault.Lock()
	defer fault.Unlock()
	if !fault.armed || fault.step != s {
		return nil
	}
	fault.armed = false
	return fault.errno
}

// dropped tells a test of each cell that is taken down after it was given to a
// job: whether its program has been started.
var dropped func(started bool)

func dropping(w *warm) {
	if dropped != nil {
		dropped(w.cell.ExecNanos() > 0)
	}
}
