package httpapi

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
)

// told is one event.
type told struct{ id, name, data string }

// follow asks for events from after an id on; close ends it.
func (s *queued) follow(t testing.TB, id, after string, query ...string) (next func() *told, closeIt func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.web.URL+jobsPath+"/"+id+"/events?"+strings.Join(query, "&"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+canary)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	answer, err := s.web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	return func() *told {
		var e told
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				if e.name != "" {
					return &e
				}
			}
		}
		return nil
	}, func() { cancel(); answer.Body.Close() }
}

func (e *told) want(t testing.TB, name, part string) *told {
	t.Helper()
	if e == nil || e.name != name || !strings.Contains(e.data, part) {
		t.Fatalf("%+v, want %s with %q", e, name, part)
	}
	return e
}

// talking is a job that prints what it is told to.
func talking(say <-chan string) func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
	return func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.Stdout = nil
		for text := range say {
			if text == "usage" {
				j.Gauge.Show(func() (sandbox.Sample, bool) {
					defer func() { text = "" }()
					return sandbox.Sample{Usage: sandbox.Usage{CPUNanos: 12345}, MemoryBytes: 6789}, text == "usage"
				})
				continue
			}
			r.Stdout = append(r.Stdout, text...)
			_, _ = j.Stdout.Write([]byte(text))
		}
		_, _ = j.Stderr.Write([]byte("bad"))
		r.Stderr = []byte("bad")
		return r, nil
	}
}

func TestEventsAsTheyHappen(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	say := make(chan string)
	s.runner.does(talking(say))
	j := s.submit(t, trueJob)
	next, stop := s.follow(t, j.ID, "")
	defer stop()
	next().want(t, "state", `"state":"queued"`)
	s.begin()
	next().want(t, "state", `"state":"running"`)
	say <- "one"
	first := next().want(t, "stdout", `{"offset":0,"text":"one"}`)
	say <- "tw\xc3" // half a letter waits for the other half
	next().want(t, "stdout", `{"offset":3,"text":"tw"}`)
	say <- "\xb6"
	next().want(t, "stdout", `{"offset":5,"text":"ö"}`)
	say <- "usage"
	next().want(t, "usage", `"cpu_ns":12345,"user_ns":0,"system_ns":0,"memory_peak_bytes":0,"pids_peak":0,"throttled_ns":0,"io_read_bytes":0,"io_write_bytes":0,"disk_bytes":0,"memory_bytes":6789`)

	late, stopLate := s.follow(t, j.ID, first.id) // resumed while it runs
	defer stopLate()
	late().want(t, "stdout", `{"offset":3,"text":"twö"}`)
	late().want(t, "usage", "")
	say <- "\xff"
	next().want(t, "stdout", `{"base64":"/w==","offset":7}`)
	late().want(t, "stdout", `{"base64":"/w==","offset":7}`)
	close(say)
	for _, from := range []func() *told{next, late} {
		from().want(t, "stderr", `{"offset":0,"text":"bad"}`)
		from().want(t, "state", `"state":"done"`)
		last := from().want(t, "result", `"verdict":"ok"`)
		if from() != nil {
			t.Error("something behind the result")
		}
		r := s.send(t, http.MethodGet, jobsPath+"/"+j.ID+"/events", nil, "Last-Event-ID", last.id)
		if r.status != http.StatusNoContent {
			t.Errorf("%d: %s", r.status, r.body)
		}
	}
}

// A job that has ended is told from its result, from any place on.
func TestEventsAfterTheEnd(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	long := strings.Repeat("0123456789ö", 5000)
	say := make(chan string, 1)
	s.runner.does(talking(say))
	say <- long
	close(say)
	s.begin()
	j := s.submit(t, trueJob)
	s.until(t, j.ID, queue.Done)
	collect := func(after string) (out, ids []string) {
		next, stop := s.follow(t, j.ID, after)
		defer stop()
		all := ""
		for e := next(); e != nil; e = next() {
			ids = append(ids, e.id)
			var part struct {
				Text   string
				Base64 string
			}
			if e.name == "stdout" {
				if err := json.Unmarshal([]byte(e.data), &part); err != nil {
					t.Fatal(err)
				}
				data, _ := base64.StdEncoding.DecodeString(part.Base64)
				all += part.Text + string(data)
			}
			out = append(out, e.name)
		}
		return append(out, all), ids
	}
	whole, ids := collect("")
	if got := strings.Join(whole, " "); got != "stdout stdout stdout stdout stderr state result "+long {
		t.Fatalf("%.100s", got)
	}
	part, _ := collect(ids[1])
	if got := strings.Join(part, " "); !strings.HasPrefix(got, "stdout stdout stderr state result ") || !strings.HasSuffix(long, part[len(part)-1]) {
		t.Errorf("%.100s", got)
	}
	for _, bad := range []string{"x", "1-done-2", "1-done--2-3", "01-done-0-0", "1-done-0-0-0"} {
		s.send(t, http.MethodGet, jobsPath+"/"+j.ID+"/events", nil, "Last-Event-ID", bad).wants(t, CodeInvalidField, "Last-Event-ID")
	}
	s.send(t, http.MethodGet, jobsPath+"/none/events", nil).wants(t, CodeUnknownJob, "")
}

// A reader that takes nothing is let go, and the job does not notice.
func TestSlowReaderOfEvents(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), func(q *queue.Config, _ *Config) { q.ResultsBytes = 1 << 30 })
	s.patience.reader = 100 * time.Millisecond
	say := make(chan string)
	s.runner.does(talking(say))
	s.begin()
	j := s.submit(t, trueJob)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.web.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET " + jobsPath + "/" + j.ID + "/events HTTP/1.1\r\nHost: " + strings.TrimPrefix(s.web.URL, "http://") +
		"\r\nAuthorization: Bearer " + canary + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	part := strings.Repeat("x", 1<<20)
	for began, said := time.Now(), 0; !strings.Contains(s.log.String(), `"reason":"slow"`); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("the reader is there still:\n%s", s.log)
		}
		if said == 24 { // more than the buffers of a connection have; the result is to be kept
			continue
		}
		said++
		select {
		case say <- part:
		case <-time.After(time.Minute):
			t.Fatal("the job waits for its reader")
		}
	}
	close(say)
	s.until(t, j.ID, queue.Done)
	if text := string(s.send(t, http.MethodGet, "/metrics", nil).body); !strings.Contains(text, `cordon_event_readers_dropped_total{reason="slow"} 1`) {
		t.Error("nothing was counted")
	}
}

// A run that is cut off and begun again is told from its beginning.
func TestEventsOfASecondAttempt(t *testing.T) {
	m := queue.NewMemory()
	s := startWithQueue(t, m, nil)
	began := make(chan *sandbox.Job, 1)
	s.runner.does(blocked(began))
	j := s.submit(t, `{"command":["true"],"retry_safe":true}`)
	s.begin()
	if _, err := (<-began).Stdout.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	next, stop := s.follow(t, j.ID, "")
	next().want(t, "state", "running")
	last := next().want(t, "stdout", "first")
	stop()
	s.stop()
	s = startWithQueue(t, m, nil)
	say := make(chan string, 1)
	say <- "second"
	close(say)
	s.runner.does(talking(say))
	s.begin()
	s.until(t, j.ID, queue.Done)
	next, stop = s.follow(t, j.ID, last.id)
	defer stop()
	next().want(t, "stdout", `{"offset":0,"text":"second"}`)
}

// Readers do not hold up the end of the service, and learn of it.
func TestEventsWhenTheServiceEnds(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	began := make(chan *sandbox.Job, 1)
	s.runner.does(blocked(began))
	j := s.submit(t, trueJob)
	s.begin()
	<-began
	next, stop := s.follow(t, j.ID, "")
	defer stop()
	next().want(t, "state", "running")
	s.draining.Store(true) // as Serve does
	close(s.ending)
	next().want(t, "closing", string(CodeShuttingDown))
	if next() != nil {
		t.Error("something behind it")
	}
	s.send(t, http.MethodGet, jobsPath+"/"+j.ID+"/events", nil).wants(t, CodeShuttingDown, "")
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob)).wants(t, CodeShuttingDown, "")
}
