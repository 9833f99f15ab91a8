package userns

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/rootless-containers/rootlesskit/v3/pkg/child"
	"github.com/rootless-containers/rootlesskit/v3/pkg/parent"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// Names of the variables by which the stages of the start recognise themselves.
const (
	envPipe       = "_CORDON_USERNS_PIPE"
	envState      = "_CORDON_USERNS_STATE"
	envActivation = "_CORDON_USERNS_ACTIVATION"
	envHelper     = "_CORDON_USERNS_HELPER"
)

// The first argument of the inner stage; Settle takes it away again. It cannot
// be a variable: RootlessKit's child execs itself with its own variables.
const (
	insideRange  = "__inside-range"
	insideSingle = "__inside-single"
)

// propagation: what the host mounts later does not come into the daemon's mount
// namespace, and so never into a cell, where it would not be read-only.
const propagation = "rprivate"

// Stage is where in the start this process is.
type Stage int

// The three stages. The same binary runs with the same arguments in each.
const (
	Outside Stage = iota // on the host, as the service user
	Child                // RootlessKit's child: becomes Inside by Enter
	Inside               // in the daemon's user namespace
)

// Current says which stage this process is.
func Current() Stage {
	switch {
	case len(os.Args) > 1 && (os.Args[1] == insideRange || os.Args[1] == insideSingle):
		return Inside
	case os.Getenv(envPipe) != "":
		return Child
	}
	return Outside
}

// ErrNoRange means that the service user has no subordinate ids.
var ErrNoRange = errors.New("no subordinate id range")

// ExitError carries the exit status of the inner stage to the outer one.
type ExitError struct{ Status int }

// Error tells the status.
func (e *ExitError) Error() string { return "exit status " + strconv.Itoa(e.Status) }

// Enter starts this program again inside the daemon's user namespace and waits
// for it. stateDir is a private directory for RootlessKit's lock and socket; it
// is removed at the end. The error is an *ExitError when the inner stage ended
// by itself with a status other than 0. With single set, no subordinate range is
// used: the namespace holds the service user's id alone.
func Enter(stateDir string, single bool, log io.Writer) error {
	logrus.SetOutput(log)
	logrus.SetLevel(logrus.WarnLevel)
	// The death signal that ties the inner stage to this process follows the
	// thread that made it (golang/go#27505).
	runtime.LockOSThread()
	if Current() == Child {
		return status(enterChild())
	}
	if single {
		return status(enterSingle())
	}
	if err := parent.InitStateDir(stateDir); err != nil {
		return fmt.Errorf("state directory %s: %w", stateDir, err)
	}
	return status(parent.Parent(parent.Opt{
		PipeFDEnvKey: envPipe, ChildUseActivationEnvKey: envActivation,
		StateDir: stateDir, StateDirEnvKey: envState,
		Propagation: propagation, SubidSource: parent.SubidSourceAuto,
	}))
}

func enterChild() error {
	return child.Child(child.Opt{
		PipeFDEnvKey: envPipe, StateDirEnvKey: envState, ChildUseActivationEnvKey: envActivation,
		RunActivationHelperEnvKey: envHelper, Propagation: propagation,
		TargetCmd: append([]string{"/proc/self/exe", insideRange}, os.Args[1:]...),
	})
}

// enterSingle is the way without a subordinate range: one id, mapped by the
// kernel's own rule for unprivileged users, which also forbids setgroups.
func enterSingle() error {
	cmd := exec.Command("/proc/self/exe", append([]string{insideSingle}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// As RootlessKit does: the end that an operator asks for is the inner stage's.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	defer func() { signal.Stop(signals); close(signals) }()
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s) // it has ended: Wait tells
		}
	}()
	return cmd.Wait()
}

// status turns the end of the inner stage into an ExitError.
func status(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			return &ExitError{Status: 128 + int(s.Signal())}
		}
		return &ExitError{Status: exit.ExitCode()}
	}
	return err
}

// Settle is the first thing the inner stage does: it drops the service user's
// supplementary groups, which would otherwise give a job's set-up read access to
// what those groups may read, and forgets the start's argument and variables. It
// must be called in the stage Inside, once.
func Settle() error {
	if err := notInitial(); err != nil {
		return err
	}
	single := os.Args[1] == insideSingle
	os.Args = append(os.Args[:1:1], os.Args[2:]...)
	if !single {
		// Not unix.Setgroups: that is the calling thread's alone.
		if err := syscall.Setgroups([]int{}); err != nil {
			return fmt.Errorf("drop supplementary groups: %w", err)
		}
	}
	for _, name := range []string{envPipe, envState, envActivation, envHelper} {
		os.Unsetenv(name)
	}
	return keepDescriptors()
}

// keepDescriptors: what this process was started with, by a shell or by RootlessKit,
// which leaves the end of a pipe open, is for no program that it starts.
func keepDescriptors() error {
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return os.NewSyscallError("close_range", err)
	}
	return nil
}

// notInitial: the hidden argument alone does not make this the inner stage. With
// every id mapped to itself this is the host's own user namespace.
func notInitial() error {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	if f := strings.Fields(string(text)); len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295" {
		return errors.New("this is not the daemon's user namespace: the first argument is for Cordon itself")
	}
	return nil
}
