//go:build failpoints

package cell

import (
	"sync"
	"syscall"
)

// Fault says what a test wants to fail: a step of the child side, while a template
// or a cell is made (or its job run), or a point of the daemon's side.
type Fault struct {
	Step     Step
	Template bool // of the template, not of a cell
	Point    int  // 1 + point; 0: none
	Errno    syscall.Errno
	Try      int // the how manieth time it is tried, from 1
}

var (
	faultMu sync.Mutex
	armed   Fault
	tries   int
)

// Arm sets what fails from now on, once for each message to the child side.
func Arm(f Fault) {
	faultMu.Lock()
	defer faultMu.Unlock()
	armed, tries = f, 0
}

// Steps is the number of the child side's steps: 1 … Steps-1.
func Steps() Step { return Step(len(steps)) }

// Stage is the stage that a step belongs to, and that its failure tells.
func (s Step) Stage() Stage { return steps[s].stage }

// Points are the names of the daemon's own.
func Points() []string { return pointNames[:] }

func failing(p point) error {
	faultMu.Lock()
	defer faultMu.Unlock()
	if armed.Point != int(p)+1 {
		return nil
	}
	if tries++; tries != armed.Try {
		return nil
	}
	return armed.Errno
}

func templateFault() int64 { return childFault(true) }
func cellFault() int64     { return childFault(false) }

// childFault is what fault.c reads.
func childFault(template bool) int64 {
	faultMu.Lock()
	defer faultMu.Unlock()
	if armed.Step == 0 || armed.Template != template {
		return 0
	}
	return int64(armed.Step)<<8 | int64(armed.Errno)<<16 | int64(armed.Try)<<24
}
