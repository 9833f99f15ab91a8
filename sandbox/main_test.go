package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"cordon/cgroup"
	"cordon/internal/testkit"
	"cordon/policies"
	"cordon/policy"
	"cordon/rootfs"
	"cordon/seccomp"
	"cordon/userns"
)

// The tests run where the daemon does: inside its user namespace, as the service
// user. The test program starts itself again there, as cordon does.
func TestMain(m *testing.M) { os.Exit(enter(m)) }

func enter(m *testing.M) int {
	switch userns.Current() {
	case userns.Child:
		return exitStatus(userns.Enter("", false, os.Stderr))
	case userns.Inside:
		if err := userns.Settle(); err != nil {
			return exitStatus(err)
		}
		return m.Run()
	}
	// What is fuzzed needs no kernel of its own, and the workers could not find each
	// other through the namespace.
	if slices.ContainsFunc(os.Args, func(a string) bool { return strings.HasPrefix(a, "-test.fuzz") }) {
		return m.Run()
	}
	if os.Geteuid() == 0 {
		return exitStatus(errors.New("root does not run jobs: go test -exec $PWD/test/as-service-user ./sandbox"))
	}
	if err := cgroup.Settle(""); err != nil {
		return exitStatus(err)
	}
	state, err := os.MkdirTemp("", "cordon-sandbox-")
	if err != nil {
		return exitStatus(err)
	}
	defer os.RemoveAll(state)
	// The race detector waits a second at the end of a program; the inner one reports.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	return exitStatus(userns.Enter(state, false, os.Stderr))
}

func exitStatus(err error) int {
	var exit *userns.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Status
	}
	fmt.Fprintln(os.Stderr, "sandbox tests:", err)
	return 1
}

// patience ends a test that hangs. It is no claim about speed.
const patience = 2 * time.Minute

// lab is a Runner on the real kernel with everything it stands on.
type lab struct {
	*Runner
	cgroups cgroup.Driver
	base    string
	log     *testkit.Journal
}

type resolver struct{ *policies.Set }

// Resolve finds the policy and asks it.
func (r resolver) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	p, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	return policy.Resolve(q, p)
}

var instances atomic.Int64

// newLab makes a Runner; change may put other parts in. When the test ends
// everything is taken down, and whatever is left of it fails the test.
func newLab(t testing.TB, change ...func(*Config)) *lab {
	t.Helper()
	set, err := policies.Load("", policies.WithSyscalls(seccomp.Known))
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := userns.Mapped()
	if err != nil || mapped < userns.IDsPerCell {
		t.Fatalf("%d subordinate ids, %v; these tests need a range", mapped, err)
	}
	l := &lab{log: &testkit.Journal{}}
	l.cgroups, err = cgroup.Discover(cgroup.Options{Name: fmt.Sprintf("test-%d-%d", os.Getpid(), instances.Add(1))})
	if err != nil {
		t.Fatal(err)
	}
	if l.base, err = os.MkdirTemp("", "root-"); err != nil {
		t.Fatal(err)
	}
	c := Config{Policies: resolver{set}, Cgroups: l.cgroups, Ranges: userns.NewRanges(mapped, nil), Parallel: 4, BuildsBytes: 64 << 20,
		Host:   rootfs.Host{Base: l.base, FS: rootfs.HostFS{}, CPUs: runtime.NumCPU()},
		Logger: slog.New(slog.NewTextHandler(l.log, nil))}
	for _, f := range change {
		f(&c)
	}
	l.Runner = New(c)
	t.Cleanup(func() { l.takeDown(t) })
	return l
}

func (l *lab) takeDown(t testing.TB) {
	l.Close()
	if n := l.Stats().Leaks; n != 0 {
		t.Errorf("%d leaks", n)
	}
	if err := l.cgroups.Close(); err != nil { // a group that is left keeps its parent
		t.Errorf("cgroups: %v", err)
	}
	if err := os.Remove(l.base); err != nil {
		t.Errorf("mount point of the roots: %v", err)
	}
	if _, benchmark := t.(*testing.B); !benchmark { // which waits in goroutines of its own
		// Another lab of the same test may have a driver for cgroup v1.
		goleak.VerifyNone(t, goleak.IgnoreAnyFunction("cordon/cgroup.(*oomWatcher).wait"))
	}
	if t.Failed() {
		t.Logf("log:\n%s", l.log)
	}
}

// run runs a job that must have a Result.
func (l *lab) run(t testing.TB, job *Job) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := l.Run(ctx, job)
	if err != nil {
		t.Fatalf("%q: %v", job.Command, err)
	}
	return result
}

// shell is a job that runs a script.
func shell(script string) *Job {
	return &Job{ID: uuid.NewString(), Policy: "default", Command: []string{"/bin/sh", "-c", script}}
}

// output runs a script that must end well, and gives its output.
func (l *lab) output(t *testing.T, job *Job) string {
	t.Helper()
	r := l.run(t, job)
	if r.Verdict != OK {
		t.Fatalf("%q: %s (%s)\n%s%s", job.Command, r.Verdict, r.Message, r.Stdout, r.Stderr)
	}
	return string(r.Stdout)
}

func ptr[T any](v T) *T { return &v }

// signal is a tee that tells of the first byte: from then on the program runs.
type signal struct {
	once sync.Once
	told chan struct{}
}

func newSignal() *signal { return &signal{told: make(chan struct{})} }

// Write tells.
func (s *signal) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.told) })
	return len(p), nil
}

// wait ends the test when nothing comes.
func (s *signal) wait(t *testing.T) {
	t.Helper()
	select {
	case <-s.told:
	case <-time.After(patience):
		t.Fatal("the program has not written anything")
	}
}

// slowness is how many times as long something takes on a machine on which
// CORDON_TEST_SLOW is set, as User-Mode Linux, where an exec alone takes 30 ms.
func slowness() int64 {
	if os.Getenv("CORDON_TEST_SLOW") != "" {
		return 3
	}
	return 1
}

// eventually looks until ok or the end of all patience.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not reached:", what)
		}
	}
}

const modeLink = os.ModeSymlink | 0o777

// text is a content given as bytes.
func text(s string) Content { return Content{Data: []byte(s)} }
