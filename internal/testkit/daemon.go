// Package testkit starts the real service for tests and proves, when a test
// ends, that nothing of it is left.
package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Daemon is a running service.
type Daemon struct {
	URL, Token, State string
	Pid               int // of the outer process, which the test started

	command *exec.Cmd
	killed  bool
	log     *logBuffer
	ended   chan struct{} // closed when the outer process is gone
}

// startWithin and stopWithin end a test whose service hangs; they are no claim
// about its speed. Languages are searched for at the start, and a Go cache may
// have to be prepared first.
const (
	startWithin = 5 * time.Minute
	stopWithin  = time.Minute
)

// Binary is the program under test: CORDON_BINARY, or bin/cordon of this tree.
func Binary(tb testing.TB) string {
	tb.Helper()
	name := os.Getenv("CORDON_BINARY")
	if name == "" {
		name = filepath.Join(Root(tb), "bin", "cordon")
	}
	if _, err := os.Stat(name); err != nil {
		tb.Fatalf("the program under test: %v; run make build, or set CORDON_BINARY", err)
	}
	return name
}

// Command is the program under test with arguments.
func Command(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	return exec.CommandContext(tb.Context(), Binary(tb), args...)
}

// Root is the top of this source tree.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	tb.Fatal("no go.mod above the working directory")
	return ""
}

// StartDaemon starts the service on a free port with a state directory of its
// own, and ends it with the test. Further arguments go to cordon serve.
func StartDaemon(tb testing.TB, args ...string) *Daemon {
	tb.Helper()
	return StartDaemonIn(tb, tb.TempDir(), args...)
}

// StartDaemonIn is StartDaemon with a state directory that may have been another
// service's before.
func StartDaemonIn(tb testing.TB, state string, args ...string) *Daemon {
	tb.Helper()
	return StartDaemonOn(tb, nil, state, args...)
}

// StartDaemonOn is StartDaemonIn on a machine of a network; nil: here.
func StartDaemonOn(tb testing.TB, m *Machine, state string, args ...string) *Daemon {
	tb.Helper()
	d := &Daemon{State: state, log: &logBuffer{ready: make(chan string, 1)}, ended: make(chan struct{})}
	cache := os.Getenv("CORDON_GO_CACHE")
	if cache == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			tb.Fatal(err)
		}
		cache = filepath.Join(home, "cordon-test-go")
	}
	// With "off" for machines that are too slow to fill one.
	if !slices.Contains(args, "--warm") { // as many all the time: tests count what there is
		args = append([]string{"--warm", "2", "--warm-most", "2"}, args...)
	}
	d.command = exec.Command(Binary(tb), append([]string{"serve", "--listen", "127.0.0.1:0", "--state", d.State, "--go-cache", cache}, args...)...)
	if m != nil {
		m.Enter(d.command)
	}
	d.command.Stderr = d.log
	d.command.Stdout = d.log
	if err := d.command.Start(); err != nil {
		tb.Fatal(err)
	}
	d.Pid = d.command.Process.Pid
	go func() { defer close(d.ended); _ = d.command.Wait() }()
	tb.Cleanup(func() { d.stop(tb) })
	select {
	case d.URL = <-d.log.ready:
	case <-d.ended:
		tb.Fatalf("the service ended at its start:\n%s", d.log)
	case <-time.After(startWithin):
		tb.Fatalf("the service is not ready after %v:\n%s", startWithin, d.log)
	}
	if d.Token = os.Getenv("CORDON_TOKEN"); d.Token == "" { // which the service would have taken
		token, err := os.ReadFile(filepath.Join(d.State, "token"))
		if err != nil {
			tb.Fatal(err)
		}
		d.Token = strings.TrimSpace(string(token))
	}
	return d
}

// Log is what the service has printed so far.
func (d *Daemon) Log() string { return d.log.String() }

// Signal sends a signal to the service's first process.
func (d *Daemon) Signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := d.command.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}

// Kill ends processes of the service, one after the other, as the kernel does when
// memory is short, and waits until the service is gone. What it can only tidy at
// its next start is no failure then.
func (d *Daemon) Kill(tb testing.TB, pids ...int) {
	tb.Helper()
	d.killed = true
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			tb.Fatal(err)
		}
	}
	d.Wait(tb)
}

// Wait returns when the service's first process is gone.
func (d *Daemon) Wait(tb testing.TB) {
	tb.Helper()
	select {
	case <-d.ended:
	case <-time.After(stopWithin):
		tb.Fatalf("the service is not gone within %v:\n%s", stopWithin, d.log)
	}
}

// stop ends the service as an operator would and looks for what it has left.
func (d *Daemon) stop(tb testing.TB) {
	if d.killed {
		return
	}
	before := Descendants(tb, d.Pid)
	groups := instances(tb, before)
	select {
	case <-d.ended: // by the test itself
	default:
		if err := d.command.Process.Signal(syscall.SIGTERM); err != nil && d.URL != "" {
			tb.Errorf("the service had ended before the test did: %v", err)
		}
	}
	select {
	case <-d.ended:
	case <-time.After(stopWithin):
		tb.Errorf("the service does not end within %v of SIGTERM", stopWithin)
		_ = d.command.Process.Kill()
		<-d.ended
	}
	for _, left := range Living(before) {
		tb.Errorf("a process is left: %s", left)
	}
	for _, dir := range groups {
		if _, err := os.Stat(dir); err == nil {
			tb.Errorf("a cgroup is left: %s", dir)
		}
	}
	left, err := filepath.Glob(filepath.Join(d.State, "run", "*"))
	if err != nil || len(left) > 0 {
		tb.Errorf("runtime files are left: %v %v", left, err)
	}
	if code := d.command.ProcessState.ExitCode(); code != 0 && d.URL != "" {
		tb.Errorf("exit status %d after SIGTERM", code)
	}
	if strings.Contains(d.log.String(), d.Token) && d.Token != "" {
		tb.Error("the token stands in the log")
	}
	for _, word := range []string{"panic", "msg=leak", "DATA RACE"} {
		if strings.Contains(d.log.String(), word) {
			tb.Errorf("%q in the log", word)
		}
	}
	if tb.Failed() {
		tb.Logf("log of the service:\n%s", d.log)
	}
}

// logBuffer keeps the log and finds the line that says where the service listens.
type logBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan string
	found bool
}

var readyLine = regexp.MustCompile(`msg=ready listen=(http://\S+)`)

// Write keeps p.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if !b.found {
		if m := readyLine.FindSubmatch(b.text.Bytes()); m != nil {
			b.found = true
			b.ready <- string(m[1])
		}
	}
	return len(p), nil
}

// String is the end of the log: enough to explain a failure.
func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
