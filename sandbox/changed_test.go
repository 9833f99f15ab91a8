package sandbox

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestChanged: what a job that ended well has changed of its root is handed on, and of no
// other job.
func TestChanged(t *testing.T) {
	l := newLab(t)
	calls := 0
	changed := func(want error) func(*os.File) error {
		return func(upper *os.File) error {
			calls++
			f, err := openBeneath(int(upper.Fd()), "etc/mine", 0)
			if err != nil {
				return err
			}
			defer f.Close()
			if _, err := openBeneath(int(upper.Fd()), "work", unix.O_DIRECTORY); !errors.Is(err, unix.ENOENT) {
				t.Errorf("what is no part of the root is among it: %v", err)
			}
			return want
		}
	}
	job := shell("echo mine > /etc/mine; echo x > /work/x")
	job.Policy, job.WritableRoot, job.Changed = "dev", true, changed(nil)
	if got := l.run(t, job); got.Verdict != OK || calls != 1 {
		t.Errorf("%s, %s: %d calls", got.Verdict, got.Stderr, calls)
	}
	job = shell("echo mine > /etc/mine; false")
	job.Policy, job.WritableRoot, job.Changed = "dev", true, changed(nil)
	if got := l.run(t, job); got.Verdict != Nonzero || calls != 1 {
		t.Errorf("of a job that failed: %s, %d calls", got.Verdict, calls)
	}
	mine := errors.New("mine")
	job = shell("echo mine > /etc/mine")
	job.Policy, job.WritableRoot, job.Changed = "dev", true, changed(mine)
	if _, err := l.Run(t.Context(), job); !errors.Is(err, mine) {
		t.Errorf("who took it failed, and nobody was told: %v", err)
	}
	job = shell("true")
	job.Policy, job.Changed = "dev", changed(nil)
	if _, err := l.Run(t.Context(), job); !errors.Is(err, ErrInvalidJob) {
		t.Errorf("a root that is not writable: %v", err)
	}
}
