package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"cordon/userns"
)

// childVar names what this program does when a test starts it as a process of its own.
const childVar = "CORDON_IMAGE_TEST_CHILD"

var children = map[string]func(dir string) error{"importing": importing, "full disk": fullDisk}

// The tests run where the commands do: in the namespace of the service user's ids.
func TestMain(m *testing.M) { enter(m) }

func enter(m *testing.M) {
	switch userns.Current() {
	case userns.Child:
		exit(userns.Enter("", false, os.Stderr))
	case userns.Inside:
		if err := userns.Settle(); err != nil {
			exit(err)
		}
		goleak.VerifyTestMain(m)
		return
	}
	if name, dir, child := strings.Cut(os.Getenv(childVar), "="); child {
		exit(children[name](dir))
	}
	// The workers of a fuzzer find each other by descriptors: one namespace, without a range.
	if slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzz") }) {
		if os.Getenv("CORDON_IMAGE_TEST_INSIDE") != "" {
			goleak.VerifyTestMain(m)
			return
		}
		exit(single())
	}
	if os.Geteuid() == 0 {
		exit(errors.New("not as root: go test -exec $PWD/test/as-service-user ./image"))
	}
	state, err := os.MkdirTemp("", "cordon-image-test-")
	if err != nil {
		exit(err)
	}
	// The race detector waits a second at the end of a program; the inner one reports.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	err = userns.Enter(state, false, os.Stderr)
	exit(errors.Join(err, os.RemoveAll(state)))
}

// single starts this program again in a namespace of one id, which is root there.
func single() error {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "CORDON_IMAGE_TEST_INSIDE=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}}
	err := c.Run()
	var status *exec.ExitError
	if errors.As(err, &status) {
		return &userns.ExitError{Status: status.ExitCode()}
	}
	return err
}

func exit(err error) {
	var status *userns.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &status):
		os.Exit(status.Status)
	}
	fmt.Fprintln(os.Stderr, "image tests:", err)
	os.Exit(1)
}
