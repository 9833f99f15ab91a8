package sandbox

import (
	"errors"
	"syscall"

	"cordon/sandbox/cell"
)

// step is one thing that the runner tries and that can fail through no fault of
// the program. Every StageError comes from one of these, and a test makes each of
// them fail in turn.
type step int

const (
	stepCoreLimit step = iota
	stepCheckRlimits
	stepCompileFilter
	stepFilterFile
	stepStartServer
	stepTakeIDs
	stepCreateGroup
	stepMakeCell
	stepCellReady
	stepSetLimits
	stepPickScratch
	stepSizeBefore
	stepSetSize
	stepReconfigure
	stepSizeAfter
	stepReadBackSize
	stepReadBackInodes
	stepBaseline
	stepStdin
	stepNoStdin
	stepOpenInput
	stepOpenTerminal
	stepStdout
	stepStderr
	stepGivePipes
	stepListen
	stepReadKept
	stepPipes
	stepRelay
	stepPin
	stepNoise
	stepLayer
	stepView
	stepSeeView
	stepShow
	stepLookShown
	stepStartJob
	stepWatchCPU
	stepKill
	stepAwait
	stepWaitEmpty
	stepUsage
	stepOpenWork
	stepListOutputs
	stepOpenOutput
	stepStatOutput
	stepReadOutput
	stepKeepOutput
	stepKeepTree
	stepReadTree
	stepRelease
	stepCount
)

// steps are the names: where, and what is tried.
var steps = [stepCount]struct{ stage, op string }{
	stepCoreLimit:      {"rlimit", "choose RLIMIT_CORE"},
	stepCheckRlimits:   {"rlimit", "check"},
	stepCompileFilter:  {"seccomp", "compile"},
	stepFilterFile:     {"seccomp", "memfd"},
	stepStartServer:    {"template", "start fork server"},
	stepTakeIDs:        {"ids", "take a range"},
	stepCreateGroup:    {"cgroup", "create"},
	stepMakeCell:       {"cell", "make"},
	stepCellReady:      {"cell", "make ready"},
	stepSetLimits:      {"cgroup", "set limits"},
	stepPickScratch:    {"scratch", "fspick"},
	stepSizeBefore:     {"scratch", "read size before"},
	stepSetSize:        {"scratch", "set size"},
	stepReconfigure:    {"scratch", "reconfigure"},
	stepSizeAfter:      {"scratch", "read size after"},
	stepReadBackSize:   {"scratch", "read back size"},
	stepReadBackInodes: {"scratch", "read back inodes"},
	stepBaseline:       {"cgroup", "read CPU time"},
	stepStdin:          {"stdio", "stdin"},
	stepNoStdin:        {"stdio", "empty stdin"},
	stepOpenInput:      {"stdio", "open the input"},
	stepOpenTerminal:   {"stdio", "open the terminal"},
	stepStdout:         {"stdio", "stdout"},
	stepStderr:         {"stdio", "stderr"},
	stepGivePipes:      {"stdio", "give the pipe to the job"},
	stepListen:         {"seccomp", "listen"},
	stepReadKept:       {"files", "read what is kept"},
	stepPipes:          {"stdio", "join programs"},
	stepRelay:          {"stdio", "carry what they say"},
	stepPin:            {"cell", "bind to a core"},
	stepNoise:          {"host", "read /proc/stat"},
	stepLayer:          {"cell", "show the build"},
	stepView:           {"view", "make sockets"},
	stepSeeView:        {"view", "look at the cell"},
	stepShow:           {"cell", "show files"},
	stepLookShown:      {"scratch", "look at files that are shown"},
	stepStartJob:       {"cell", "start the job"},
	stepWatchCPU:       {"cgroup", "watch CPU time"},
	stepKill:           {"cell", "kill"},
	stepAwait:          {"cell", "read its account"},
	stepWaitEmpty:      {"cgroup", "wait until empty"},
	stepUsage:          {"cgroup", "read usage"},
	stepOpenWork:       {"collect", "open /work"},
	stepListOutputs:    {"collect", "list a directory"},
	stepOpenOutput:     {"collect", "open an output"},
	stepStatOutput:     {"collect", "look at an output"},
	stepReadOutput:     {"collect", "read an output"},
	stepKeepOutput:     {"collect", "keep an output"},
	stepKeepTree:       {"build", "keep what was left"},
	stepReadTree:       {"collect", "read what the build left"},
	stepRelease:        {"release", "take the cell down"},
}

// try does a step that gives something.
func try[T any](s step, f func() (T, error)) (T, error) {
	if err := failing(s); err != nil {
		var none T
		return none, s.failed(err)
	}
	v, err := f()
	return v, s.failed(err)
}

// do does a step.
func do(s step, f func() error) error {
	if err := failing(s); err != nil {
		return s.failed(err)
	}
	return s.failed(f())
}

// failed is the StageError of a step, nil for nil. It keeps the stage and the
// operation that the child side named.
func (s step) failed(err error) error {
	if err == nil {
		return nil
	}
	stage := &StageError{Stage: steps[s].stage, Op: steps[s].op, Err: err}
	var child *cell.Failure
	if errors.As(err, &child) {
		stage.Stage, stage.Op, stage.Errno = child.Stage.String(), stage.Op+": "+child.Op(), child.Errno
	} else {
		errors.As(err, &stage.Errno)
	}
	switch err.(type) {
	case *cell.Failure, syscall.Errno: // it says nothing more
		stage.Err = nil
	}
	return stage
}
