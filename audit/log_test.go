package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func opened(t testing.TB, name string) (*Log, *testkit.Journal) {
	t.Helper()
	log := &testkit.Journal{}
	l, err := Open(name, "start-1", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return l, log
}

func closed(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// events are the lines of a text, each of which has to be whole.
func events(t testing.TB, text []byte) (out []Event) {
	t.Helper()
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the last line has no end: %q", text)
	}
	for line := range bytes.Lines(text) {
		var e Event
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		out = append(out, e)
	}
	return out
}

func read(t testing.TB, name string) []Event {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return events(t, text)
}

// without gaps: numbers from 1 on, in their order.
func gapless(t testing.TB, all []Event, n int) {
	t.Helper()
	if len(all) != n {
		t.Errorf("%d lines, want %d", len(all), n)
	}
	for i, e := range all {
		if e.Seq != uint64(i+1) || e.Start != "start-1" || e.Time.IsZero() {
			t.Fatalf("line %d: %+v", i+1, e)
		}
	}
}

func eventually(t testing.TB, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("it does not come to that within a minute")
		}
	}
}

// Every line is whole whatever stands in it and whoever writes at the same time, is there
// when Add returns, and only the service's user can read it.
func TestLines(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	l, _ := opened(t, name)
	texts := []string{"plain", "a\nb\r\n{\"event\":\"forged\"}\n", "\x00\x1b[2J\xff\xfe", "  </script>\"\\", strings.Repeat("long ", 20000)}
	const writers, each = 8, 50
	var inside sync.WaitGroup
	for w := range writers {
		inside.Go(func() {
			for i := range each {
				job := fmt.Sprintf("%d-%d", w, i)
				l.Add(Event{Event: JobEnded, Job: job, State: texts[i%len(texts)]})
				if i == 7 {
					if text, err := os.ReadFile(name); err != nil || !bytes.Contains(text, []byte(`"job":"`+job+`"`)) {
						t.Errorf("%s is not there: %v", job, err)
					}
				}
			}
		})
	}
	inside.Wait()
	closed(t, l)
	all := read(t, name)
	gapless(t, all, writers*each)
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Job] = true
		if e.Event != JobEnded {
			t.Errorf("%+v", e)
		}
	}
	if len(seen) != writers*each {
		t.Errorf("%d jobs", len(seen))
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// logrotate gives the file another name and says so: nothing is lost or torn.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "audit.log")
	l, _ := opened(t, name)
	stop := make(chan struct{})
	var inside sync.WaitGroup
	count := 0
	inside.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				l.Add(Event{Event: FilePut})
				count++
			}
		}
	})
	const turns = 5
	for i := range turns {
		old := fmt.Sprintf("%s.%d", name, i)
		if err := os.Rename(name, old); err != nil {
			t.Fatal(err)
		}
		l.Reopen()
		eventually(t, func() bool { info, err := os.Stat(name); return err == nil && info.Size() > 0 })
	}
	close(stop)
	inside.Wait()
	closed(t, l)
	var all []Event
	reopened := 0
	for i := range turns {
		all = append(all, read(t, fmt.Sprintf("%s.%d", name, i))...)
	}
	all = append(all, read(t, name)...)
	for _, e := range all {
		if e.Event == LogReopened {
			reopened++
		}
	}
	gapless(t, all, count+turns)
	if reopened != turns {
		t.Errorf("reopened %d times", reopened)
	}
}

// A disk without room: no new work is taken, lines wait, no half line is left, and when
// there is room everything is there.
func TestNoRoom(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	l, log := opened(t, name)
	l.Add(Event{Event: FilePut, SHA256: strings.Repeat("0", 64)})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	added := 1
	for ; l.Admit() == nil && added < 1000; added++ {
		l.Add(Event{Event: FilePut, SHA256: strings.Repeat("1", 64)})
	}
	for range 10 { // what goes on
		l.Add(Event{Event: JobEnded})
		added++
	}
	err := l.Admit()
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, unix.EFBIG) {
		t.Errorf("%v", err)
	}
	if all := read(t, name); len(all) == 0 || len(all) >= added {
		t.Errorf("%d of %d lines", len(all), added)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(t.Context()); err != nil { // by itself
		t.Fatal(err)
	}
	l.Add(Event{Event: FilePut})
	closed(t, l)
	all := read(t, name)
	gapless(t, all, added+2)
	back := all[added]
	if back.Event != LogRecovered || back.Since == nil || back.Count != 2 {
		t.Errorf("%+v", back)
	}
	if !strings.Contains(log.String(), "no new work is taken") || !strings.Contains(log.String(), "is written again") {
		t.Errorf("the log: %s", log)
	}
}

// A reader that does not read: nobody waits for it for ever, no new work is taken, and
// what it reads then is all there.
func TestReaderThatDoesNotRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(name, "", nil); err == nil {
		l.Close()
		t.Fatal("nobody reads")
	}
	reader, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l, _ := opened(t, name)
	l.patience = 10 * time.Millisecond
	added := 0
	for ; l.Admit() == nil; added++ {
		l.Add(Event{Event: FilePut, SHA256: strings.Repeat("2", 1000)})
	}
	var all []Event
	lines := bufio.NewScanner(reader)
	put, recovered := 0, false
	for (put < added || !recovered) && lines.Scan() { // it may have recovered before, where the machine is slow
		one := events(t, append(lines.Bytes(), '\n'))
		all = append(all, one...)
		if recovered = one[0].Event == LogRecovered; !recovered {
			put++
		}
	}
	gapless(t, all, len(all))
	if err := l.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	closed(t, l)
}

// What waits is bounded: who adds more waits, and the end does not wait for ever.
func TestBound(t *testing.T) {
	name := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/dev/full", name); err != nil {
		t.Fatal(err)
	}
	l, _ := opened(t, name)
	l.Add(Event{Event: FilePut})
	added := make(chan int)
	go func() {
		n := 0
		for ; n < 12; n++ {
			l.Add(Event{Event: FilePut, SHA256: strings.Repeat("3", 1<<20)})
		}
		added <- n
	}()
	eventually(t, func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.bytes > maxWaiting })
	select {
	case <-added:
		t.Error("there is no bound")
	case <-time.After(20 * time.Millisecond): // it waits
	}
	l.mu.Lock()
	if l.bytes > maxWaiting+2<<20 {
		t.Errorf("%d bytes wait", l.bytes)
	}
	l.mu.Unlock()
	if err := os.Remove(name); err != nil { // room: another file
		t.Fatal(err)
	}
	l.Reopen()
	if n := <-added; n != 12 {
		t.Error(n)
	}
	if err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, l)
	gapless(t, read(t, name), 1+12+2)
}

// Lines that cannot be written at the end are told of.
func TestLost(t *testing.T) {
	l, _ := opened(t, "/dev/full")
	l.closeTime = 10 * time.Millisecond
	l.Add(Event{Event: FilePut})
	l.Add(Event{Event: FilePut})
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "2 lines") {
		t.Errorf("%v", err)
	}
	l.Add(Event{Event: FilePut}) // does not hang
	if err := l.Admit(); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

// The end of the service does not wait for room.
func TestEnding(t *testing.T) {
	l, _ := opened(t, "/dev/full")
	l.closeTime = 10 * time.Millisecond
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 12 {
			l.Add(Event{Event: FilePut, SHA256: strings.Repeat("3", 1<<20)})
		}
	}()
	eventually(t, func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.bytes > maxWaiting })
	l.Ending()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it waits")
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "12 lines") {
		t.Errorf("%v", err)
	}
}

// A line that the machine died with is ended before the next.
func TestTornEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(name, []byte("{\"event\":\"whole\"}\n{\"event\":\"to"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _ := opened(t, name)
	l.Add(Event{Event: FilePut})
	closed(t, l)
	l, _ = opened(t, name) // whose end is whole
	closed(t, l)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 || lines[1] != `{"event":"to` || !strings.Contains(lines[2], "file.put") {
		t.Errorf("%q", lines)
	}
}

func TestBadNames(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "audit.log")
	l, _ := opened(t, taken)
	defer closed(t, l)
	for _, name := range []string{taken, t.TempDir(), filepath.Join(t.TempDir(), "no", "such"), ""} {
		if l, err := Open(name, "", nil); err == nil {
			l.Close()
			t.Errorf("%q was opened", name)
		}
	}
	var none *Log
	none.Add(Event{})
	none.Reopen()
	if none.Admit() != nil || none.Wait(t.Context()) != nil || none.Close() != nil {
		t.Error("a log that nobody asked for stands in the way")
	}
}

// The standard output is a log, too, and one whose reader goes does not end the program.
func TestStdout(t *testing.T) {
	if os.Getenv("CORDON_TEST_AUDIT_STDOUT") != "" {
		l, _ := opened(t, Stdout)
		l.Add(Event{Event: ServiceStarted})
		var wait [1]byte
		_, _ = os.Stdin.Read(wait[:]) // until the reader is gone
		l.Add(Event{Event: ServiceStopped})
		if err := l.Admit(); !errors.Is(err, unix.EPIPE) {
			os.Exit(3)
		}
		os.Exit(4)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestStdout$")
	child.Env = append(os.Environ(), "CORDON_TEST_AUDIT_STDOUT=1")
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if all := events(t, line); err != nil || len(all) != 1 || all[0].Event != ServiceStarted {
		t.Errorf("%q: %v", line, err)
	}
	out.Close()
	in.Close()
	_ = child.Wait()
	if code := child.ProcessState.ExitCode(); code != 4 {
		t.Errorf("it ended with %v", child.ProcessState)
	}
}
