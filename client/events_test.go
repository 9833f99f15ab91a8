package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// told is what the service tells of a job, in order; the number before each is its id.
var told = []string{
	"id: 1\nevent: state\ndata: " + strings.Replace(aJob, "queued", "running", 1) + "\n\n",
	":\n\nid: 2\nevent: stdout\ndata: {\"offset\":0,\"text\":\"one\\n\"}\n\n",
	"id: 3\nevent: stderr\ndata: {\"offset\":0,\"base64\":\"/w==\"}\n\n",
	"id: 4\nevent: usage\ndata: {\"cpu_ns\":5,\"memory_peak_bytes\":6}\n\n",
	"id: 5\nevent: of a newer service\ndata: {}\n\n",
	"id: 6\r\nevent: stdout\r\ndata: {\"offset\":4,\r\ndata: \"text\":\"two\\n\"}\r\n\r\n",
	"id: 7\nevent: result\ndata: " + strings.Replace(aJob, "queued", "done", 1) + "\n\n",
}

// teller goes on behind Last-Event-ID, as the service does, and stops after some bytes.
func teller(bytes int, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if after := r.Header.Get("Last-Event-Id"); after != "" {
			if n, err := fmt.Sscan(after, &from); n != 1 || err != nil {
				panic(after)
			}
		}
		if from == len(told) {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		text := strings.Join(told[from:], "")
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte(text[:min(bytes, len(text))]))
		_ = http.NewResponseController(w).Flush()
		if bytes < len(text) && then != nil {
			then(w, r)
		}
	}
}

const toldInAll = "1 state running 1|2 stdout 0 one\n|3 stderr 0 \xff|4 usage 5 6|6 stdout 4 two\n|7 result done 1|"

// heard is all that comes, and the error in the end.
func heard(ctx context.Context, c *Client, after string) (string, error) {
	out := ""
	for e, err := range c.EventsAfter(ctx, "1", after) {
		if err != nil {
			return out, err
		}
		switch {
		case e.Job != nil:
			out += fmt.Sprintf("%s %s %s %s|", e.ID, e.Type, e.Job.State, e.Job.ID)
		case e.Output != nil:
			out += fmt.Sprintf("%s %s %d %s|", e.ID, e.Type, e.Output.Offset, e.Output.Data)
		case e.Usage != nil:
			out += fmt.Sprintf("%s %s %d %d|", e.ID, e.Type, e.Usage.CPUNs, e.Usage.MemoryPeakBytes)
		}
	}
	return out, nil
}

// Wherever connections break, all that was told comes once.
func TestEventsOverBrokenConnections(t *testing.T) {
	whole := len(strings.Join(told, ""))
	longest := 0
	for _, one := range told {
		longest = max(longest, len(one))
	}
	for at := longest; at <= whole; at += 7 {
		s, c := serve(t, teller(at, breaks))
		if got, err := heard(t.Context(), c, ""); got != toldInAll || err != nil {
			t.Fatalf("broken after %d bytes: %v\n%q, want\n%q", at, err, got, toldInAll)
		}
		if at < whole && len(s.requests()) < 2 {
			t.Errorf("%d bytes: %d requests", at, len(s.requests()))
		}
	}
	_, c := serve(t, teller(whole, nil))
	if got, err := heard(t.Context(), c, "6"); got != "7 result done 1|" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if got, err := heard(t.Context(), c, "7"); got != "" || err != nil {
		t.Errorf("behind the last event: %q %v", got, err)
	}
}

// What passes is waited for, and what does not is an error.
func TestEventsTurnedAway(t *testing.T) {
	all := teller(1<<20, nil)
	frame := func(event, data string) http.HandlerFunc {
		return says(200, "text/event-stream", "id: 1\nevent: "+event+"\ndata: "+data+"\n\n")
	}
	for name, one := range map[string]struct {
		answers []http.HandlerFunc
		sent    int
		want    error
	}{
		"full":            {[]http.HandlerFunc{fails(503, ErrQueueFull, "Retry-After", "0"), says(502, "", ""), breaks, all}, 4, nil},
		"started anew":    {[]http.HandlerFunc{frame("closing", `{"reason":"shutting_down"}`), breaks, breaks, all}, 4, nil},
		"forgotten":       {[]http.HandlerFunc{frame("closing", `{"reason":"unknown_job"}`), all}, 1, ErrUnknownJob},
		"unknown":         {[]http.HandlerFunc{fails(404, ErrUnknownJob), all}, 1, ErrUnknownJob},
		"nobody":          {[]http.HandlerFunc{breaks}, 6, errors.ErrUnsupported},
		"nonsense":        {[]http.HandlerFunc{frame("stdout", "{"), all}, 1, errBadEvent},
		"more nonsense":   {[]http.HandlerFunc{frame("stdout", `{"base64":"!"}`), all}, 1, errBadEvent},
		"closes for ever": {[]http.HandlerFunc{frame("closing", `{"reason":"shutting_down"}`)}, 6, errClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := serve(t, one.answers...)
			got, err := heard(t.Context(), c, "")
			if one.want == nil && (err != nil || got != toldInAll) || one.want != nil && (err == nil || one.want != errors.ErrUnsupported && !errors.Is(err, one.want)) {
				t.Errorf("%q, %v; want %v", got, err, one.want)
			}
			if n := len(s.requests()); n != one.sent {
				t.Errorf("%d requests, want %d", n, one.sent)
			}
		})
	}
}

// A connection on which nothing comes is given up; one that is asked to end ends.
func TestSilentEvents(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	s, c := serve(t, teller(len(told[0])+3, hang), teller(1<<20, nil))
	c.silence = 50 * time.Millisecond
	if got, err := heard(t.Context(), c, ""); got != toldInAll || err != nil || len(s.requests()) != 2 {
		t.Errorf("%q %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, c = serve(t, teller(len(told[0]), func(w http.ResponseWriter, r *http.Request) { cancel(); hang(w, r) }))
	if _, err := heard(ctx, c, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	for range c.Events(t.Context(), "1") { // who has enough gets no more
		break
	}
}

func TestLogsAndWait(t *testing.T) {
	_, c := serve(t, teller(len(told[0])+len(told[1])+len(told[2]), breaks))
	for from, want := range map[LogsFrom]string{{}: "stdout 0 one\n|stderr 0 \xff|stdout 4 two\n|", {Stdout: 2}: "stdout 2 e\n|stderr 0 \xff|stdout 4 two\n|",
		{Stdout: 6, Stderr: 1}: "stdout 6 o\n|", {Stdout: 100, Stderr: 100}: ""} {
		got := ""
		for chunk, err := range c.Logs(t.Context(), "1", from) {
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%s %d %s|", chunk.Stream, chunk.Offset, chunk.Data)
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", from, got, want)
		}
	}
	if j, err := c.Wait(t.Context(), "1"); err != nil || j.State != StateDone || !j.State.Final() {
		t.Errorf("%+v %v", j, err)
	}
}

func TestJobsInPages(t *testing.T) {
	page := func(ids, next string) http.HandlerFunc {
		var jobs []string
		for _, id := range strings.Fields(ids) {
			jobs = append(jobs, strings.Replace(aJob, `"1"`, `"`+id+`"`, 1))
		}
		return says(200, "application/json", `{"jobs":[`+strings.Join(jobs, ",")+`]`+next+`}`)
	}
	s, c := serve(t, page("1 2", `,"next":"2"`), breaks, page("3", `,"next":"3"`), page("", ""))
	var ids []string
	for j, err := range c.Jobs(t.Context(), JobsQuery{State: StateDone, Page: 2, After: "0"}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	var asked []string
	for _, r := range s.requests() {
		asked = append(asked, r.URL.RawQuery)
	}
	if !slices.Equal(ids, []string{"1", "2", "3"}) || strings.Join(asked, " ") !=
		"after=0&limit=2&state=done after=2&limit=2&state=done after=2&limit=2&state=done after=3&limit=2&state=done" {
		t.Errorf("%v, asked %v", ids, asked)
	}
	_, c = serve(t, fails(422, ErrInvalidField))
	for _, err := range c.Jobs(t.Context(), JobsQuery{}) {
		if !errors.Is(err, ErrInvalidField) {
			t.Error(err)
		}
	}
}

// FuzzFrames: whatever comes is read to its end, and what was read is what is told.
func FuzzFrames(f *testing.F) {
	for _, one := range told {
		f.Add([]byte(one))
	}
	f.Add([]byte("data\n\ndata:\n\nid:\n:x\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		from := &frames{bufio.NewReaderSize(bytes.NewReader(text), 16), func() {}}
		for n := 0; ; n++ {
			one, err := from.next()
			if err != nil {
				return
			}
			if n > len(text) || len(one.data) > len(text) || bytes.ContainsAny([]byte(one.id+one.event), "\n") {
				t.Fatalf("%q", one)
			}
		}
	})
}
