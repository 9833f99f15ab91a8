package sandbox

import (
	"os"

	"cordon/internal/undo"
	"cordon/sandbox/cell"
	"cordon/seccomp"
)

// equipment is what every job needs of the daemon and what does not depend on the
// job: made with its cell, while nobody waits, and as single-use as that.
type equipment struct {
	stdin          *os.File // empty
	stdout, stderr *stream
	listener       *seccomp.Listener
	denied         chan string // a call that asks for the end of the job
}

// equip makes the equipment of a cell that is ready.
func (w *warm) equip(u *undo.Stack) error {
	var err error
	w.denied = make(chan string, 1)
	w.listener, err = try(stepListen, func() (*seccomp.Listener, error) {
		file := w.cell.Listener
		w.cell.Listener = nil // the listener's from now on
		return seccomp.NewListener(file, w.kind.program, func(name string) { w.denied <- name })
	})
	if err != nil {
		return err
	}
	u.Add(w.listener.Close)
	if w.stdin, err = try(stepNoStdin, cell.EmptyInput); err != nil {
		return err
	}
	u.Add(func() { w.stdin.Close() })
	if w.stdout, err = try(stepStdout, newStream); err != nil {
		return err
	}
	u.Add(w.stdout.close)
	if w.stderr, err = try(stepStderr, newStream); err != nil {
		return err
	}
	u.Add(w.stderr.close)
	return w.own(w.owner(nil), w.stdout.theirs, w.stderr.theirs)
}

// own gives the pipes to the job's user: programs open /dev/stdout and /dev/stderr
// by name.
func (w *warm) own(owner int, files ...*os.File) error {
	if owner == 0 { // a single id: they are its user's
		return nil
	}
	for _, f := range files {
		if err := do(stepGivePipes, func() error { return f.Chown(owner, owner) }); err != nil {
			return err
		}
	}
	return nil
}

// close lets go of the equipment.
func (e *equipment) close() {
	e.listener.Close()
	e.stdin.Close()
	e.stdout.close()
	e.stderr.close()
}
