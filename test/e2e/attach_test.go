package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
)

// attached is a client of GET /v1/jobs/{id}/attach.
type attached struct {
	*websocket.Conn
	t    *testing.T
	seen strings.Builder // of stdout
	last *queuedJob      // as the result tells
}

func (s *service) attach(t *testing.T, id, query string) *attached {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, s.url+"/v1/jobs/"+id+"/attach"+query, &websocket.DialOptions{HTTPClient: s.client,
		HTTPHeader: http.Header{"Authorization": {"Bearer " + s.token}}, Subprotocols: []string{"cordon.attach.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return &attached{Conn: c, t: t}
}

func (a *attached) types(text string) { a.says(websocket.MessageBinary, "\x00"+text) }

func (a *attached) says(kind websocket.MessageType, message string) {
	a.t.Helper()
	if err := a.Write(a.t.Context(), kind, []byte(message)); err != nil {
		a.t.Fatal(err)
	}
}

// next reads a message; two minutes are a hang.
func (a *attached) next() error {
	ctx, cancel := context.WithTimeout(a.t.Context(), 2*time.Minute)
	defer cancel()
	kind, message, err := a.Read(ctx)
	if err != nil {
		return err
	}
	if kind == websocket.MessageBinary {
		if message[0] == 1 {
			a.seen.Write(message[1:])
		}
		return nil
	}
	var c struct {
		Type string
		Job  *queuedJob
	}
	if err := json.Unmarshal(message, &c); err != nil {
		return err
	}
	if c.Type == "result" {
		a.last = c.Job
	}
	return nil
}

// shows reads until what came behind an earlier mark has this text, and gives the mark behind it.
func (a *attached) shows(mark int, text string) int {
	a.t.Helper()
	for !strings.Contains(a.seen.String()[mark:], text) {
		if err := a.next(); err != nil {
			a.t.Fatalf("%v; %q, want %q", err, clip(a.seen.String()[mark:]), text)
		}
	}
	return mark + strings.Index(a.seen.String()[mark:], text) + len(text)
}

// ends reads to the end.
func (a *attached) ends(code websocket.StatusCode) *queuedJob {
	a.t.Helper()
	for {
		if err := a.next(); err != nil {
			if websocket.CloseStatus(err) != code {
				a.t.Errorf("%v, want %d", err, code)
			}
			return a.last
		}
	}
}

// A shell at a terminal, over the whole way, and what can go wrong on it.
func TestAttach(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh", "--parallel", "4", "--drain", "10m")
	s := newService(d.URL, d.Token)
	t.Run("shell", func(t *testing.T) { attachShell(t, s) })
	t.Run("pipe", func(t *testing.T) { attachPipe(t, s) })
	t.Run("hostile", func(t *testing.T) { attachHostile(t, s) })
	t.Run("leaves nothing", func(t *testing.T) { attachLeavesNothing(t, d, s) })
	t.Run("command", func(t *testing.T) { attachCommand(t, d, s) })
	t.Run("command at a terminal", func(t *testing.T) { attachCommandAtATerminal(t, d, s) })
	t.Run("the service ends", func(t *testing.T) { attachToTheEnd(t, d, s) })
}

var shellAtATerminal = object{"command": []string{"sh", "-i"}, "env": object{"PS1": "ready> "}, "interactive": object{"tty": true, "rows": 30, "cols": 100}}

func attachShell(t *testing.T, s *service) {
	id := s.submit(t, shellAtATerminal).ID
	a := s.attach(t, id, "")
	at := a.shows(0, "ready> ")
	a.types("stty size; tty >/dev/null && echo a-terminal-$((1+1))\r")
	at = a.shows(at, "30 100\r\n")
	at = a.shows(at, "ready> ")
	a.says(websocket.MessageText, `{"type":"resize","rows":50,"cols":160}`)
	a.types("stty size\r")
	at = a.shows(at, "50 160\r\n")
	at = a.shows(at, "ready> ")
	a.types(`sh -c 'echo be""gun; exec sleep 1000'` + "\r") // which has the foreground then
	at = a.shows(at, "begun\r\n")
	a.types("\x03")
	at = a.shows(at, "ready> ")
	watcher := s.attach(t, id, "?watch=true")
	watcher.shows(0, "50 160")
	if code := websocket.CloseStatus(s.attach(t, id, "").end()); code != 4409 {
		t.Errorf("a second writer: %d", code)
	}
	a.types("exit 7\r")
	a.shows(at, "exit 7")
	for _, one := range []*attached{a, watcher} {
		j := one.ends(websocket.StatusNormalClosure)
		if j == nil || j.State != "done" || j.Result.Verdict != "nonzero" || *j.Result.ExitCode != 7 {
			t.Fatalf("%+v", j)
		}
		if j.Result.Stdout != one.seen.String() {
			t.Errorf("%d bytes came, the result has %d", one.seen.Len(), len(j.Result.Stdout))
		}
	}
}

// The service ends: a shell to which somebody is attached goes on, one to which nobody is does
// not keep the service waiting.
func attachToTheEnd(t *testing.T, d *testkit.Daemon, s *service) {
	alone, id := s.submit(t, shellAtATerminal).ID, s.submit(t, shellAtATerminal).ID
	s.await(t, alone, "running")
	a := s.attach(t, id, "")
	at := a.shows(0, "ready> ")
	d.Signal(t, syscall.SIGTERM)
	awaitThat(t, "the service ends", func() bool {
		return strings.Contains(d.Log(), "id="+alone) && strings.Contains(d.Log(), "verdict=interrupted")
	})
	a.types("echo still-$((1+1))\r")
	a.shows(at, "still-2\r\n")
	a.types("exit 5\r")
	if j := a.ends(websocket.StatusNormalClosure); j == nil || j.State != "done" || *j.Result.ExitCode != 5 {
		t.Errorf("%+v", j)
	}
	d.Wait(t)
	again := testkit.StartDaemonIn(t, d.State, "--languages", "sh")
	j := newService(again.URL, again.Token).await(t, alone, "interrupted")
	if !strings.Contains(j.Result.Message, "nobody was attached") {
		t.Errorf("%+v", j.Result)
	}
}

// end reads to the first error.
func (a *attached) end() error {
	for {
		if err := a.next(); err != nil {
			return err
		}
	}
}

func attachPipe(t *testing.T, s *service) {
	id := s.submit(t, object{"command": shell("trap 'echo term' TERM; cat; echo end"), "interactive": object{}}).ID
	a := s.attach(t, id, "")
	a.types("hello\n")
	at := a.shows(0, "hello\n")
	_ = a.Close(websocket.StatusNormalClosure, "") // and comes again, where it was
	var b *attached
	for b == nil {
		b = s.attach(t, id, fmt.Sprintf("?stdout=%d", at))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, _, err := b.Read(ctx) // its state, or that the first has not gone yet
		cancel()
		if websocket.CloseStatus(err) == 4409 {
			b = nil
		} else if err != nil {
			t.Fatal(err)
		}
	}
	b.types("again\n")
	b.shows(0, "again\n")
	b.says(websocket.MessageText, `{"type":"close_stdin"}`)
	j := b.ends(websocket.StatusNormalClosure)
	if j == nil || j.Result.Verdict != "ok" || j.Result.Stdout != "hello\nagain\nend\n" || b.seen.String() != "again\nend\n" {
		t.Errorf("%+v, %q", j, b.seen.String())
	}
}

// A job that floods, one that reads nothing, and one that closes its terminal.
func attachHostile(t *testing.T, s *service) {
	flood := s.submit(t, object{"command": shell("stty raw; yes"), "interactive": object{"tty": true}, "limits": object{"output_bytes": 200_000}})
	j := s.attach(t, flood.ID, "").ends(websocket.StatusNormalClosure)
	if j == nil || j.Result.Verdict != "output_limit" || len(j.Result.Stdout) != 200_000 {
		t.Errorf("%+v", j)
	}
	deaf := s.attach(t, s.submit(t, object{"command": shell("echo up; exec sleep 1000"), "interactive": object{}}).ID, "")
	deaf.shows(0, "up")
	part := []byte("\x00" + strings.Repeat("x", 60<<10))
	taken := 0
	for ; taken < 1000; taken++ {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err := deaf.Write(ctx, websocket.MessageBinary, part)
		cancel()
		if err != nil {
			break
		}
	}
	if taken == 1000 {
		t.Error("60 MiB were taken for a program that reads nothing")
	}
	shut := s.attach(t, s.submit(t, object{"command": shell("exec <&- >&- 2>&-; exec sleep 0.2"), "interactive": object{"tty": true}}).ID, "")
	shut.types("x")
	if j := shut.ends(websocket.StatusNormalClosure); j == nil || j.Result.Verdict != "ok" {
		t.Errorf("%+v", j)
	}
	s.run(t, object{"command": []string{"true"}}).want(t, "ok")
	page, _, answer := s.send(t, http.MethodGet, "/v1/jobs?state=running", s.token, nil)
	var running struct{ Jobs []queuedJob }
	if err := json.Unmarshal(answer, &running); page != http.StatusOK || err != nil {
		t.Fatal(page, err)
	}
	for _, j := range running.Jobs { // the deaf one
		s.send(t, http.MethodDelete, "/v1/jobs/"+j.ID, s.token, nil)
	}
}

func attachLeavesNothing(t *testing.T, d *testkit.Daemon, s *service) {
	id := s.submit(t, object{"command": []string{"cat"}, "interactive": object{"tty": true}}).ID
	s.await(t, id, "running")
	s.attach(t, id, "?watch=true").Close(websocket.StatusNormalClosure, "")
	before := observe(t, d, s)
	for i := range 100 {
		a := s.attach(t, id, "?watch=true")
		if i%2 == 0 {
			_ = a.Close(websocket.StatusNormalClosure, "")
		} else {
			_ = a.CloseNow()
		}
	}
	var after observation
	for began := time.Now(); time.Since(began) < time.Minute; {
		if after = observe(t, d, s); after.same(before) {
			break
		}
	}
	if !after.same(before) {
		t.Errorf("before %+v, after %+v", before, after)
	}
	a := s.attach(t, id, "")
	a.types("x\r\x04")
	if j := a.ends(websocket.StatusNormalClosure); j == nil || j.Result.Verdict != "ok" || j.Result.Stdout != "x\r\nx\r\n" {
		t.Errorf("%+v", j)
	}
}

// cordon attach without a terminal: what comes in goes in, what comes out comes out, and
// it ends as the job does.
func attachCommand(t *testing.T, d *testkit.Daemon, s *service) {
	id := s.submit(t, object{"command": shell("cat; echo err >&2; exit 3"), "interactive": object{}}).ID
	c := testkit.Command(t, "attach", "--url", d.URL, "--state", d.State, id)
	c.Stdin = strings.NewReader("typed\n")
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	var exit interface{ ExitCode() int }
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || string(out) != "typed\n" || errs.String() != "err\n" {
		t.Errorf("%v: %q, %q", err, out, errs.String())
	}
}

// cordon attach at a terminal: its keys and its size are the job's, and the detach key
// leaves the job alone.
func attachCommandAtATerminal(t *testing.T, d *testkit.Daemon, s *service) {
	id := s.submit(t, shellAtATerminal).ID
	keys, screen := terminalFor(t, 33, 99, "attach", "--url", d.URL, "--state", d.State, id)
	shows := func(text string) {
		t.Helper()
		all := ""
		for !strings.Contains(all, text) {
			select {
			case part, open := <-screen:
				if all += part; !open {
					t.Fatalf("it has ended: %q, want %q", all, text)
				}
			case <-time.After(2 * time.Minute):
				t.Fatalf("%q, want %q", all, text)
			}
		}
	}
	shows("ready> ")
	keys("echo one-$((1+1)); stty size\r")
	shows("one-2\r\n33 99\r\n")
	keys("\x1d")
	for range screen { // until it is gone
	}
	if j := s.job(t, id); j.State != "running" {
		t.Errorf("after detaching the job is %s", j.State)
	}
	a := s.attach(t, id, "")
	a.types("exit\r")
	if j := a.ends(websocket.StatusNormalClosure); j == nil || j.Result.Verdict != "ok" {
		t.Errorf("%+v", j)
	}
}

// terminalFor starts the program at a terminal of the test's own.
func terminalFor(t *testing.T, rows, cols uint16, args ...string) (keys func(string), screen <-chan string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := errors.Join(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0), unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := testkit.Command(t, args...)
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = c.Start()
	slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	out := make(chan string, 1000)
	go func() {
		defer close(out)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			if out <- string(buffer[:n]); err != nil {
				return
			}
		}
	}()
	return func(text string) {
		if _, err := master.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}, out
}
