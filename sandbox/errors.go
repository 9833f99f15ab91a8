package sandbox

import (
	"errors"
	"fmt"
	"syscall"
)

// The kinds of failure that are not a verdict. httpapi maps each to a status.
var (
	ErrInvalidJob      = errors.New("invalid job")
	ErrPolicyDenied    = errors.New("policy denied")
	ErrQueueFull       = errors.New("queue full")
	ErrShuttingDown    = errors.New("shutting down")
	ErrUnsupportedHost = errors.New("unsupported host")
	ErrInternal        = errors.New("internal error")
)

// StageError is a guard or a set-up step of ours that failed. The job never ran
// (or its account is incomplete), and the fault is not the program's.
type StageError struct {
	Stage string        // "cgroup", "cell", "exec", …: where
	Op    string        // what was tried: "write memory.max"
	Errno syscall.Errno // 0 when there is none
	Err   error         // further detail, may be nil
}

// Error names stage, operation and errno.
func (e *StageError) Error() string {
	s := "stage " + e.Stage + ": " + e.Op
	if e.Errno != 0 {
		s += fmt.Sprintf(": %s (errno %d)", e.Errno.Error(), int(e.Errno))
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap lets errors.Is find ErrInternal and the cause.
func (e *StageError) Unwrap() []error {
	errs := []error{ErrInternal}
	if e.Errno != 0 {
		errs = append(errs, e.Errno)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}
