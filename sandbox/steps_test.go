package sandbox

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"cordon/internal/testkit"
	"cordon/sandbox/cell"
)

func TestStepsHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for s, names := range steps {
		if name := names.stage + ": " + names.op; names.stage == "" || names.op == "" || seen[name] {
			t.Errorf("step %d is called %q", s, name)
		} else {
			seen[name] = true
		}
	}
}

func TestStepFailed(t *testing.T) {
	for want, err := range map[string]error{
		"stage cgroup: create: permission denied (errno 13)":                             syscall.EACCES,
		"stage cgroup: create: permission denied (errno 13): mkdir x: permission denied": &os.PathError{Op: "mkdir", Path: "x", Err: syscall.EACCES},
		"stage cgroup: create: no idea":                                                  errors.New("no idea"),
		"stage mount: create: (tmpfs /x): operation not permitted (errno 1)":             &cell.Failure{Stage: cell.StageMount, Detail: "tmpfs /x", Errno: syscall.EPERM},
	} {
		if got := stepCreateGroup.failed(err); got.Error() != want || !errors.Is(got, ErrInternal) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := stepCreateGroup.failed(nil); err != nil {
		t.Error(err)
	}
}

// Failing on purpose is in this test program if it was asked for, and only then.
func TestFailpointsOnlyWhenAskedFor(t *testing.T) {
	for name, there := range testkit.Failpoints(t, "/proc/self/exe") {
		if there != withFailpoints {
			t.Errorf("%q in this program: %t, built with the tag failpoints: %t", name, there, withFailpoints)
		}
	}
}
