package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cordon/queue"
	"cordon/sandbox"
)

// ending is an interactive service whose jobs end when they are told to, as a runner has it.
func ending(t *testing.T) *queued {
	t.Helper()
	s := startWithQueue(t, queue.NewMemory(), nil)
	f := &fakeSession{}
	s.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.Interrupted)
		f.mu.Lock()
		f.dead, f.out = make(chan struct{}), func(b []byte) { _, _ = j.Stdout.Write(b) }
		f.mu.Unlock()
		l, _ := s.live.get(j.ID, 1)
		l.input.open(f)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), sandbox.ErrShuttingDown) {
			r.Verdict = sandbox.Cancelled
		}
		return r, nil
	})
	s.begin()
	return s
}

// end begins the end of the service, as Serve does.
func (s *queued) end() {
	s.draining.Store(true)
	s.drained = time.Now().Add(time.Hour)
	close(s.ending)
}

func (s *queued) interrupted(t *testing.T, id, message string) {
	t.Helper()
	s.until(t, id, queue.Interrupted)
	r, err := s.queue.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.queue.Result(t.Context(), &r)
	var result RunResult
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil || result.Verdict != string(sandbox.Interrupted) || result.Message != message {
		t.Errorf("%v: %s %q, want interrupted %q", err, result.Verdict, result.Message, message)
	}
}

// Nobody is attached when the service ends, or only who watches: the job ends at once.
func TestUnattendedWhenTheServiceEnds(t *testing.T) {
	s := ending(t)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	s.until(t, j.ID, queue.Running)
	a := s.attachTo(t, j.ID, "?watch=true")
	s.end()
	s.interrupted(t, j.ID, unattendedMessage)
	if m, err := a.next(); err == nil && !strings.Contains(m, "result") {
		t.Errorf("who watches is told %s", m)
	}
}

// Who is attached is told, and has the time that is left; with the client the job goes.
func TestAttendedWhenTheServiceEnds(t *testing.T) {
	s := ending(t)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	a := s.attachTo(t, j.ID, "")
	a.says(websocket.MessageBinary, "\x00before\n")
	a.wants("before\n")
	s.end()
	a.wants(`"type":"shutting_down"`)
	var told struct {
		Left int64 `json:"left_ms"`
	}
	text := a.seen.String()
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &told); err != nil || told.Left < 3000_000 || told.Left > 3600_000 {
		t.Errorf("%v: %d ms are left, in %s", err, told.Left, text)
	}
	time.Sleep(lastWords + 200*time.Millisecond) // longer than those have who are let go
	a.says(websocket.MessageBinary, "\x00later\n")
	a.wants("later\n")
	if r, err := s.queue.Get(t.Context(), j.ID); err != nil || r.State != queue.Running {
		t.Fatalf("%v: %s", err, r.State)
	}
	_ = a.Close(websocket.StatusNormalClosure, "")
	s.interrupted(t, j.ID, unattendedMessage)
	s.attached.Wait()
}

// The time is over while somebody is attached: the job is ended, and that is told.
func TestAttendedToTheEnd(t *testing.T) {
	s := ending(t)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	a := s.attachTo(t, j.ID, "")
	a.says(websocket.MessageBinary, "\x00before\n")
	a.wants("before\n")
	s.end()
	a.wants(`"type":"shutting_down"`)
	s.cut(sandbox.ErrShuttingDown) // as Serve does
	close(s.over)
	a.wants(`"type":"result"`)
	a.ends(websocket.StatusNormalClosure, "")
	s.interrupted(t, j.ID, ended(&sandbox.Job{}, sandbox.Interrupted).Message)
	s.attached.Wait()
}

// A job whose input was closed waits for nobody, and is not ended for it.
func TestClosedInputWhenTheServiceEnds(t *testing.T) {
	s := ending(t)
	j := s.submit(t, `{"command":["cat"],"interactive":{}}`)
	a := s.attachTo(t, j.ID, "")
	a.says(websocket.MessageBinary, "\x00before\n")
	a.wants("before\n")
	a.says(websocket.MessageText, `{"type":"close_stdin"}`)
	l, _ := s.live.get(j.ID, 1)
	eventuallyIn(t, "its input is closed", l.input.closed)
	_ = a.CloseNow()
	s.attached.Wait()
	s.end()
	time.Sleep(100 * time.Millisecond)
	if r, err := s.queue.Get(t.Context(), j.ID); err != nil || r.State != queue.Running {
		t.Errorf("%v: it is %s", err, r.State)
	}
}
