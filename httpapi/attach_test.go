package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cordon/queue"
	"cordon/sandbox"
)

// fakeSession notes what is done to a program, which echoes what it reads.
type fakeSession struct {
	terminal bool
	full     chan struct{} // not nil: the program does not read until it is closed

	mu     sync.Mutex
	out    func([]byte)
	done   []string
	dead   chan struct{}
	closed bool
}

func (f *fakeSession) note(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, fmt.Sprintf(format, args...))
	return nil
}

func (f *fakeSession) notes() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.done, " ")
}

func (f *fakeSession) Write(b []byte) (int, error) {
	f.mu.Lock()
	dead, out, closed := f.dead, f.out, f.closed
	f.mu.Unlock()
	if closed {
		return 0, syscall.EPIPE
	}
	if f.full != nil {
		select {
		case <-f.full:
		case <-dead:
			return 0, os.ErrDeadlineExceeded
		}
	}
	out(b)
	return len(b), nil
}

func (f *fakeSession) SetWriteDeadline(at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.IsZero() {
		f.dead = make(chan struct{})
	} else {
		close(f.dead)
	}
	return nil
}

func (f *fakeSession) CloseInput() error {
	if f.terminal {
		return sandbox.ErrTerminalInput
	}
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	return f.note("closed")
}
func (f *fakeSession) Resize(s sandbox.WindowSize) error { return f.note("%dx%d", s.Rows, s.Cols) }
func (f *fakeSession) Signal(name string) error          { return f.note("%s", name) }
func (f *fakeSession) Terminal() bool                    { return f.terminal }

// echoes is an interactive job with a session; it ends when end is closed.
func (s *queued) echoes(f *fakeSession, end <-chan struct{}) {
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		f.mu.Lock()
		f.dead = make(chan struct{})
		f.out = func(b []byte) { r.Stdout = append(r.Stdout, b...); _, _ = j.Stdout.Write(b) }
		f.mu.Unlock()
		l, _ := s.live.get(j.ID, 1)
		l.input.open(f)
		select {
		case <-end:
		case <-ctx.Done():
			r.Verdict = sandbox.Cancelled
		}
		return r, nil
	})
}

// attached is a client.
type attached struct {
	*websocket.Conn
	t    testing.TB
	seen strings.Builder // of stdout, and of messages in JSON, but for states and usage
}

func (s *service) dial(t testing.TB, id, query string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return websocket.Dial(ctx, s.web.URL+jobsPath+"/"+id+"/attach"+query, &websocket.DialOptions{HTTPClient: s.web.Client(), HTTPHeader: header, Subprotocols: protocols})
}

func (s *service) attachTo(t testing.TB, id, query string) *attached {
	t.Helper()
	c, _, err := s.dial(t, id, query, http.Header{"Authorization": {"Bearer " + canary}}, AttachProtocol)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return &attached{Conn: c, t: t}
}

func (a *attached) says(kind websocket.MessageType, message string) {
	a.t.Helper()
	if err := a.Write(a.t.Context(), kind, []byte(message)); err != nil {
		a.t.Fatal(err)
	}
}

// next reads what is neither state nor usage: "1text" of stdout, or JSON.
func (a *attached) next() (string, error) {
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	for {
		kind, message, err := a.Read(ctx)
		if err != nil {
			return "", err
		}
		if kind == websocket.MessageBinary {
			return fmt.Sprint(message[0]) + string(message[1:]), nil
		}
		var c struct{ Type string }
		if err := json.Unmarshal(message, &c); err != nil {
			return "", err
		}
		if c.Type != "state" && c.Type != "usage" {
			return string(message), nil
		}
	}
}

// wants reads until this has come.
func (a *attached) wants(part string) {
	a.t.Helper()
	for !strings.Contains(a.seen.String(), part) {
		m, err := a.next()
		if err != nil {
			a.t.Fatalf("%v; %q, want %q", err, a.seen.String(), part)
		}
		a.seen.WriteString(strings.TrimPrefix(m, "1"))
	}
}

// ends wants to be let go.
func (a *attached) ends(code websocket.StatusCode, reason string) {
	a.t.Helper()
	for {
		m, err := a.next()
		if err == nil {
			continue
		}
		var why websocket.CloseError
		if !errors.As(err, &why) || why.Code != code || !strings.HasPrefix(why.Reason, reason) {
			a.t.Errorf("%v (after %q), want %d %s", err, m, code, reason)
		}
		return
	}
}

const interactiveJob = `{"command":["cat"],"interactive":{"tty":true}}`

func TestAttach(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	f, end := &fakeSession{terminal: true}, make(chan struct{})
	s.echoes(f, end)
	j := s.submit(t, `{"command":["cat"],"interactive":{"tty":true,"rows":30,"cols":100}}`)
	a := s.attachTo(t, j.ID, "") // before it runs
	a.says(websocket.MessageBinary, "\x00early ")
	s.begin()
	a.wants("early ")
	if i := s.runner.last(t).Interactive; i == nil || !i.Terminal || i.Size != (sandbox.WindowSize{Rows: 30, Cols: 100}) {
		t.Errorf("%+v", i)
	}
	watcher := s.attachTo(t, j.ID, "?watch=true")
	watcher.wants("early ")
	a.says(websocket.MessageBinary, "\x00text")
	a.says(websocket.MessageText, `{"type":"resize","rows":40,"cols":132}`)
	a.says(websocket.MessageText, `{"type":"signal","signal":"INT"}`)
	a.says(websocket.MessageText, `{"type":"close_stdin"}`)
	a.wants("text")
	a.wants(`{"detail":"a terminal has no end`)
	watcher.wants("text")
	if got := f.notes(); got != "40x132 INT" {
		t.Errorf("%q", got)
	}
	s.attachTo(t, j.ID, "").ends(closeTaken, "input_taken")
	resumed := s.attachTo(t, j.ID, "?watch=true&stdout=6")
	if m, err := resumed.next(); err != nil || m != "1text" {
		t.Errorf("%q, %v", m, err)
	}
	bad := s.attachTo(t, j.ID, "?watch=true")
	bad.says(websocket.MessageBinary, "\x00mine")
	bad.ends(closeReadOnly, "read_only")

	_ = a.Close(websocket.StatusNormalClosure, "") // detaches: another may write
	eventuallyIn(t, "the place of the writer is free", func() bool { return len(s.attachers.places) == 2 })
	a = s.attachTo(t, j.ID, "?stdout=10")
	a.says(websocket.MessageBinary, "\x00again")
	a.wants("again")
	close(end)
	a.wants(`"type":"result"`)
	a.ends(websocket.StatusNormalClosure, "")
	watcher.wants(`"verdict":"ok"`)
	watcher.ends(websocket.StatusNormalClosure, "")
	late := s.attachTo(t, j.ID, "") // after its end
	late.wants("early textagain")
	late.wants(`"type":"result"`)
	late.ends(websocket.StatusNormalClosure, "")
}

func eventuallyIn(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not reached:", what)
		}
	}
}

func TestAttachInputCloses(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	f, end := &fakeSession{}, make(chan struct{})
	s.echoes(f, end)
	s.begin()
	j := s.submit(t, `{"command":["cat"],"interactive":{"stdin_idle_ms":600000}}`)
	a := s.attachTo(t, j.ID, "")
	a.says(websocket.MessageText, `{"type":"close_stdin"}`)
	a.says(websocket.MessageBinary, "\x00late")
	a.wants(`{"type":"stdin_closed"}`)
	a.says(websocket.MessageText, `{"type":"nothing"}`)
	a.ends(closeBadFrame, "bad_frame: type is")
	a = s.attachTo(t, j.ID, "")
	a.says(websocket.MessageBinary, strings.Repeat("x", attachMessage+1))
	a.ends(websocket.StatusMessageTooBig, "")
	close(end)
	s.until(t, j.ID, queue.Done)
}

// Nobody writes: the input ends by itself, and a terminal hangs up.
func TestAttachIdle(t *testing.T) {
	for terminal, want := range map[bool]string{false: "closed", true: "HUP"} {
		s := startWithQueue(t, queue.NewMemory(), nil)
		f, end := &fakeSession{terminal: terminal}, make(chan struct{})
		s.echoes(f, end)
		s.begin()
		j := s.submit(t, fmt.Sprintf(`{"command":["cat"],"interactive":{"tty":%t,"stdin_idle_ms":20}}`, terminal))
		eventuallyIn(t, want, func() bool { return f.notes() == want })
		close(end)
		s.until(t, j.ID, queue.Done)
	}
}

// A program that does not read keeps its writer waiting, and nobody else; the writer can
// leave, and another one writes.
func TestAttachToAProgramThatDoesNotRead(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	s.patience.ping = 20 * time.Millisecond
	f, end := &fakeSession{full: make(chan struct{})}, make(chan struct{})
	s.echoes(f, end)
	s.begin()
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	a := s.attachTo(t, j.ID, "")
	part := "\x00" + strings.Repeat("x", 60<<10)
	sent := 0
	for ; sent < 1000; sent++ { // no more than the sockets' buffers and a message
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := a.Write(ctx, websocket.MessageBinary, []byte(part))
		cancel()
		if err != nil {
			break
		}
	}
	if sent == 1000 {
		t.Errorf("%d MiB were taken for a program that reads nothing", sent*60>>10)
	}
	_ = a.CloseNow()
	eventuallyIn(t, "its place is free", func() bool { return len(s.attachers.places) == 0 })
	close(f.full)
	b := s.attachTo(t, j.ID, "")
	b.says(websocket.MessageBinary, "\x00now")
	b.wants("now")
	close(end)
	s.until(t, j.ID, queue.Done)
}

func TestAttachRefusals(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), func(_ *queue.Config, c *Config) { c.MaxConns = 4 })
	j := s.submit(t, trueJob)
	path := jobsPath + "/" + j.ID + "/attach"
	hello := []string{"Connection", "keep-alive, Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol", AttachProtocol}
	s.send(t, http.MethodGet, path, nil).wants(t, CodeUpgradeRequired, "")
	for at, other := range map[int]string{1: "close", 3: "h2c", 5: "8", 7: "short", 9: "cordon.attach.v2"} {
		headers := slices.Clone(hello)
		headers[at] = other
		field := ""
		if at == 9 {
			field = "Sec-WebSocket-Protocol"
		}
		s.send(t, http.MethodGet, path, nil, headers...).wants(t, CodeUpgradeRequired, field)
	}
	for query, field := range map[string]string{"watch=maybe": "watch", "stdout=-1": "stdout", "stderr=99999999999": "stderr", "stdout=1&stdout=2": "stdout"} {
		s.send(t, http.MethodGet, path+"?"+query, nil, hello...).wants(t, CodeInvalidField, field)
	}
	s.direct(t, http.MethodGet, path, nil).wants(t, CodeUpgradeRequired, "")
	s.send(t, http.MethodGet, path+"?token="+"x", nil, hello...).wants(t, CodeUnknownField, "token")
	s.send(t, http.MethodGet, jobsPath+"/none/attach", nil, hello...).wants(t, CodeUnknownJob, "")
	s.send(t, http.MethodGet, path, nil, append(hello, "Origin", "http://evil.example")...).wants(t, CodeCrossOrigin, "")
	s.send(t, http.MethodGet, path, nil, append(hello, "Sec-Fetch-Site", "cross-site")...).wants(t, CodeCrossOrigin, "")
	a := s.attachTo(t, j.ID, "?watch=true") // of one place
	s.send(t, http.MethodGet, path, nil, hello...).wants(t, CodeQueueFull, "")
	_ = a.Close(websocket.StatusNormalClosure, "")
	eventuallyIn(t, "the place is free", func() bool { return len(s.attachers.places) == 0 })
	b := s.attachTo(t, j.ID, "")
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		<-ctx.Done()
		return ended(j, sandbox.Cancelled), nil
	})
	s.begin()
	b.ends(closeNotInteractive, "not_interactive")
	s.draining.Store(true)
	s.send(t, http.MethodGet, path, nil, hello...).wants(t, CodeShuttingDown, "")
}

// A browser shows its token as a protocol: only here, only for a WebSocket, and it is not
// said back.
func TestAttachTokenAsAProtocol(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, trueJob)
	c, r, err := s.dial(t, j.ID, "?watch=1", nil, AttachProtocol, "bearer."+canary)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := r.Header.Values("Sec-WebSocket-Protocol"); !slices.Equal(got, []string{AttachProtocol}) {
		t.Errorf("%q", got)
	}
	for _, protocols := range [][]string{{AttachProtocol}, {AttachProtocol, "bearer." + canary + "x"}, {AttachProtocol, canary}, {AttachProtocol, "bearer."}} {
		if _, r, err := s.dial(t, j.ID, "", nil, protocols...); err == nil || r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %v", protocols, err)
		}
	}
	if _, r, err := s.dial(t, j.ID, "", http.Header{"Authorization": {"Bearer wrong"}}, AttachProtocol, "bearer."+canary); err == nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong header wins: %v", err)
	}
	for path, upgrade := range map[string]string{jobsPath: "websocket", jobsPath + "/" + j.ID: "websocket", jobsPath + "/" + j.ID + "/attach": "", jobsPath + "/a/b/attach": "websocket"} {
		s.send(t, http.MethodGet, path, nil, "Authorization", "", "Upgrade", upgrade, "Sec-WebSocket-Protocol", AttachProtocol+", bearer."+canary).wants(t, CodeUnauthorized, "")
	}
}

// Who takes nothing is let go, and told why when it reads at last; the job does not notice.
func TestSlowAttached(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), func(q *queue.Config, _ *Config) { q.ResultsBytes = 1 << 30 })
	s.patience.reader = 300 * time.Millisecond
	say := make(chan string)
	s.runner.does(talking(say))
	s.begin()
	j := s.submit(t, trueJob)
	var reading, stuck *attached
	reading, stuck = s.attachTo(t, j.ID, "?watch=true"), s.attachTo(t, j.ID, "?watch=true")
	go func() {
		for {
			if _, _, err := reading.Read(context.Background()); err != nil {
				return
			}
		}
	}()
	for range 16 { // more than two sockets hold
		select {
		case say <- strings.Repeat("x", 1<<20):
		case <-time.After(time.Minute):
			t.Fatal("the job waits for its reader")
		}
	}
	eventuallyIn(t, "it is let go", func() bool { return strings.Contains(s.log.String(), `"reason":"slow_reader"`) })
	_ = stuck.CloseNow()
	close(say)
	eventuallyIn(t, "the job has ended", func() bool { r, err := s.queue.Get(t.Context(), j.ID); return err == nil && r.State == queue.Done })
	if text := string(s.send(t, http.MethodGet, "/metrics", nil).body); !strings.Contains(text, `cordon_attached_dropped_total{reason="slow_reader"}`) {
		t.Errorf("not counted:\n%s", text[strings.Index(text, "cordon_attached"):][:300])
	}
}

// One that reads again in time learns why it is let go.
func TestSlowAttachedIsTold(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	s := &Server{patience: patience{reader: 2 * time.Second}} // and as long again to read on
	a := &attacher{server: s, conn: onPipe(t, server)}
	done := make(chan *closed, 1)
	go func() { done <- a.send(websocket.MessageBinary, []byte("\x01text")) }()
	time.Sleep(s.patience.reader + 100*time.Millisecond)
	if _, err := client.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if why := <-done; why != closedSlow {
		t.Errorf("%v", why)
	}
}

// pipeWriter gives its connection away, as net/http's does.
type pipeWriter struct {
	header http.Header
	conn   net.Conn
}

func (w *pipeWriter) Header() http.Header         { return w.header }
func (w *pipeWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *pipeWriter) WriteHeader(int)             {}
func (w *pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// onPipe is a server's WebSocket on a connection.
func onPipe(t *testing.T, c net.Conn) *websocket.Conn {
	t.Helper()
	w := &pipeWriter{header: http.Header{}, conn: c}
	r, err := http.NewRequest(http.MethodGet, "http://x/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(name, value)
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// The service ends: each is told.
func TestAttachWhenTheServiceEnds(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, trueJob)
	a := s.attachTo(t, j.ID, "?watch=true")
	if _, _, err := a.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.draining.Store(true) // as Serve does
	close(s.ending)
	a.ends(websocket.StatusGoingAway, "shutting_down")
	s.attached.Wait()
}

// One that answers no ping is let go.
func TestSilentAttached(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	s.patience.ping = 20 * time.Millisecond
	j := s.submit(t, trueJob)
	s.attachTo(t, j.ID, "?watch=true") // and does not read
	eventuallyIn(t, "it is let go", func() bool { return strings.Contains(s.log.String(), `"reason":"silent"`) })
	s.attached.Wait() // its last ping reads how long it may take
	s.patience.ping = 200 * time.Millisecond
	b := s.attachTo(t, j.ID, "?watch=true")
	time.AfterFunc(700*time.Millisecond, func() { _ = b.Close(websocket.StatusNormalClosure, "") })
	if _, err := b.next(); websocket.CloseStatus(err) == closeSlow { // it reads, and so answers
		t.Error(err)
	}
}

// Coming and going leaves nothing.
func TestAttachLeavesNothing(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	f, end := &fakeSession{}, make(chan struct{})
	s.echoes(f, end)
	s.begin()
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	s.attachTo(t, j.ID, "").Close(websocket.StatusNormalClosure, "")
	s.attached.Wait()
	before := runtime.NumGoroutine()
	for i := range 100 {
		a := s.attachTo(t, j.ID, []string{"", "?watch=true"}[i%2])
		if i%3 == 0 {
			_ = a.CloseNow()
		} else {
			_ = a.Close(websocket.StatusNormalClosure, "")
		}
		s.attached.Wait()
	}
	eventuallyIn(t, "as many goroutines as before", func() bool { s.web.Client().CloseIdleConnections(); return runtime.NumGoroutine() <= before+2 })
	close(end)
	s.until(t, j.ID, queue.Done)
}

func TestInteractiveRequests(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	for body, field := range map[string]string{
		`{"command":["a"],"interactive":{"rows":24}}`:                                  "interactive.rows",
		`{"command":["a"],"interactive":{"tty":true,"cols":0}}`:                        "interactive.cols",
		`{"command":["a"],"interactive":{"tty":true,"rows":70000}}`:                    "interactive.rows",
		`{"command":["a"],"interactive":{"stdin_idle_ms":0}}`:                          "interactive.stdin_idle_ms",
		`{"command":["a"],"interactive":{},"retry_safe":true}`:                         "retry_safe",
		`{"command":["a"],"interactive":{},"stdin":"x"}`:                               "interactive",
		`{"command":["a"],"interactive":{},"tests":[{"stdin":"x"}]}`:                   "interactive",
		`{"command":["a"],"interactive":{},"measure":{"repeat":3}}`:                    "interactive",
		`{"command":["a"],"interactive":{},"programs":[{"name":"b","command":["b"]}]}`: "interactive",
	} {
		s.send(t, http.MethodPost, jobsPath, strings.NewReader(body)).wants(t, CodeInvalidField, field)
	}
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(`{"command":["a"],"policy":"judge","interactive":{"tty":true}}`)).wants(t, CodePolicyDenied, "interactive")
	s.run(t, interactiveJob).wants(t, CodeUnknownField, "interactive") // nobody could attach to it
}

func TestCloseReasonsFit(t *testing.T) {
	for _, c := range []*closed{closedShutting, closedSlow, closedSilent, closedUnknown, closedTaken, closedReadOnly, closedNoInput} {
		if len(c.reason) > 123 || c.kind() == "" || strings.Contains(c.kind(), " ") {
			t.Errorf("%q", c.reason)
		}
	}
}
