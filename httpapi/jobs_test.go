package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
)

// fakePlaces are a runner's, as many as there are.
type fakePlaces struct {
	runner *fakeRunner
	free   chan struct{}
}

func (f *fakePlaces) reserve(ctx context.Context, _ *queue.Record) (Place, error) {
	select {
	case f.free <- struct{}{}:
		return &fakePlace{f: f}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type fakePlace struct {
	f    *fakePlaces
	once sync.Once
}

func (p *fakePlace) Run(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	defer p.Give()
	return p.f.runner.Run(ctx, j)
}

func (p *fakePlace) Give() { p.once.Do(func() { <-p.f.free }) }

// queued is a service with a queue.
type queued struct {
	*service
	journal *queue.Memory
	queue   *queue.Queue
	begin   func() // the jobs: nothing runs before
	cut     context.CancelCauseFunc
	drain   context.CancelFunc
	ended   <-chan struct{}
}

// startWithQueue makes one; within it, two jobs of the queue run at once.
func startWithQueue(t testing.TB, journal *queue.Memory, change func(*queue.Config, *Config)) *queued {
	t.Helper()
	s := &queued{journal: journal}
	s.service = start(t, func(c *Config) {
		config := queue.Config{Journal: journal, Worker: "w", Boot: fmt.Sprint(time.Now().UnixNano()), MaxJobs: 100, MaxBytes: 1 << 20,
			ResultsTTL: time.Hour, ResultsBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)}
		places := &fakePlaces{c.Runner.(*fakeRunner), make(chan struct{}, 2)}
		c.Jobs = &Jobs{Reserve: places.reserve, Most: 2, TTL: time.Hour}
		if change != nil {
			change(&config, c)
		}
		var err error
		if s.queue, err = queue.Open(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		c.Jobs.Queue = s.queue
	})
	running, cut := context.WithCancelCause(context.Background())
	beginning, drain := context.WithCancel(context.Background())
	s.cut, s.drain = cut, drain
	s.begin = func() { s.ended = s.runJobs(beginning, running) }
	t.Cleanup(s.stop)
	return s
}

// stop ends the service as a signal would; it may be called twice.
func (s *queued) stop() {
	s.drain()
	s.cut(sandbox.ErrShuttingDown)
	if s.ended != nil {
		<-s.ended
	}
	_ = s.queue.Close()
}

// submit queues a job that must be taken.
func (s *queued) submit(t testing.TB, body string, headers ...string) *JobStatus {
	t.Helper()
	r := s.send(t, http.MethodPost, jobsPath, strings.NewReader(body), headers...)
	if r.status != http.StatusAccepted {
		t.Fatalf("%d: %s", r.status, r.body)
	}
	j := r.job(t)
	if r.header.Get("Location") != jobsPath+"/"+j.ID || j.ID == "" {
		t.Errorf("Location %q of %s", r.header.Get("Location"), j.ID)
	}
	return j
}

func (r *reply) job(t testing.TB) *JobStatus {
	t.Helper()
	var j JobStatus
	if err := json.Unmarshal(r.body, &j); err != nil {
		t.Fatalf("%d: %v: %s", r.status, err, r.body)
	}
	return &j
}

func (s *queued) get(t testing.TB, id string) *JobStatus {
	t.Helper()
	r := s.send(t, http.MethodGet, jobsPath+"/"+id, nil)
	if r.status != http.StatusOK {
		t.Fatalf("%d: %s", r.status, r.body)
	}
	return r.job(t)
}

// until waits for a state; a minute is a hang.
func (s *queued) until(t testing.TB, id string, state queue.State) *JobStatus {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		j := s.get(t, id)
		if j.State == string(state) {
			return j
		}
		if time.Since(began) > time.Minute || queue.State(j.State).Final() {
			t.Fatalf("%s is %s, want %s", id, j.State, state)
		}
	}
}

const trueJob = `{"command":["true"]}`

func TestJobFromQueueToResult(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	j := s.submit(t, `{"command":["true"],"priority":"high","retry_safe":true,"queue_ttl_ms":60000}`)
	if j.State != "queued" || j.Priority != "high" || !j.RetrySafe || j.Attempts != 0 || j.Expires.Sub(j.Created) != time.Minute || j.Result != nil {
		t.Errorf("%+v", j)
	}
	s.begin()
	done := s.until(t, j.ID, queue.Done)
	var result RunResult
	if err := json.Unmarshal(*done.Result, &result); err != nil || result.ID != j.ID || result.Verdict != "ok" || result.Timings.QueuedNanos <= 0 {
		t.Errorf("%v: %+v", err, result)
	}
	if done.Attempts != 1 || done.Started == nil || done.Finished == nil || done.Expires != nil {
		t.Errorf("%+v", done)
	}
	if last := s.runner.last(t); last.ID != j.ID || last.Policy != DefaultPolicy || last.Command[0] != "true" {
		t.Errorf("%+v", last)
	}
}

// What /v1/run would refuse is refused in the same words, and not queued.
func TestBadJobsAreRefusedAtOnce(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	for _, body := range []string{``, `{`, `{"command":"true"}`, `{"nothing":1}`, `{"command":[]}`, `{"command":["true"]} x`, `{"command":["a"],"policy":"none"}`,
		`{"command":["a"],"limits":{"pids":1000000}}`, `{"command":["a"],"files":[{"path":"../x","content":""}]}`, `{"language":"klingon"}`} {
		direct := s.run(t, body).problem(t)
		queued := s.send(t, http.MethodPost, jobsPath, strings.NewReader(body)).wants(t, direct.Code, direct.Path)
		if direct.Detail != queued.Detail {
			t.Errorf("%s: %q and %q", body, direct.Detail, queued.Detail)
		}
	}
	for body, path := range map[string]string{`{"command":["a"],"priority":"urgent"}`: "priority", `{"command":["a"],"queue_ttl_ms":0}`: "queue_ttl_ms",
		`{"command":["a"],"queue_ttl_ms":3600001}`: "queue_ttl_ms"} {
		s.send(t, http.MethodPost, jobsPath, strings.NewReader(body)).wants(t, CodeInvalidField, path)
	}
	for _, key := range []string{"a b", "ä", strings.Repeat("x", 256)} {
		s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob), "Idempotency-Key", key).wants(t, CodeInvalidField, "Idempotency-Key")
	}
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob), "Content-Type", "text/plain").wants(t, CodeNotJSON, "")
	s.run(t, `{"command":["a"],"priority":"high"}`).wants(t, CodeUnknownField, "priority") // there is nothing to wait for
	if n := s.queue.Waiting(); n != 0 {
		t.Errorf("%d jobs wait", n)
	}
}

func TestSubmittedTwice(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	first := s.submit(t, trueJob, "Idempotency-Key", "k1")
	if again := s.submit(t, trueJob, "Idempotency-Key", "k1"); again.ID != first.ID {
		t.Errorf("%s and %s", first.ID, again.ID)
	}
	if other := s.submit(t, trueJob, "Idempotency-Key", "k2"); other.ID == first.ID {
		t.Error("two keys, one job")
	}
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(`{"command":["false"]}`), "Idempotency-Key", "k1").wants(t, CodeKeyMismatch, "Idempotency-Key")
	s.begin()
	s.until(t, first.ID, queue.Done)
	if again := s.submit(t, trueJob, "Idempotency-Key", "k1"); again.ID != first.ID || again.State != "done" {
		t.Errorf("%+v", again)
	}
	if n := s.runner.count(); n > 2 {
		t.Errorf("%d jobs ran", n)
	}
}

func TestQueueBounds(t *testing.T) {
	m := queue.NewMemory()
	s := startWithQueue(t, m, func(q *queue.Config, _ *Config) { q.MaxJobs = 2 })
	s.submit(t, trueJob)
	s.submit(t, trueJob)
	r := s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob))
	r.wants(t, CodeQueueFull, "")
	if r.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for err, code := range map[error]Code{queue.ErrNoSpace: CodeDiskFull, queue.ErrUnavailable: CodeQueueUnavailable} {
		m.Fill(err)
		s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob)).wants(t, code, "")
		m.Fill(nil)
	}
}

func TestListOfJobs(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	var ids []string
	for range 5 {
		ids = append(ids, s.submit(t, trueJob).ID)
	}
	var got []string
	for after := ""; ; {
		var page JobList
		r := s.send(t, http.MethodGet, jobsPath+"?state=queued&limit=2&after="+after, nil)
		if err := json.Unmarshal(r.body, &page); err != nil || len(page.Jobs) > 2 {
			t.Fatalf("%v: %s", err, r.body)
		}
		for _, j := range page.Jobs {
			got = append(got, j.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("%v, want %v", got, ids)
	}
	if r := s.send(t, http.MethodGet, jobsPath+"?state=done", nil); string(r.body) != `{"jobs":[]}`+"\n" {
		t.Errorf("%s", r.body)
	}
	s.send(t, http.MethodGet, jobsPath+"?state=lost", nil).wants(t, CodeInvalidField, "state")
	for _, limit := range []string{"0", "1001", "x"} {
		s.send(t, http.MethodGet, jobsPath+"?limit="+limit, nil).wants(t, CodeInvalidField, "limit")
	}
	s.send(t, http.MethodGet, jobsPath+"/none", nil).wants(t, CodeUnknownJob, "")
}

// blocked is a job that waits for its end.
func blocked(began chan<- *sandbox.Job) func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
	return func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		began <- j
		<-ctx.Done()
		verdict := sandbox.Cancelled
		if context.Cause(ctx) == sandbox.ErrShuttingDown {
			verdict = sandbox.Interrupted
		}
		return ended(j, verdict), nil
	}
}

func TestCancelJob(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	began := make(chan *sandbox.Job, 1)
	s.runner.does(blocked(began))
	first := s.submit(t, trueJob)
	for range 2 {
		r := s.send(t, http.MethodDelete, jobsPath+"/"+first.ID, nil)
		if j := r.job(t); r.status != http.StatusOK || j.State != "cancelled" || j.Result != nil {
			t.Errorf("%d: %s", r.status, r.body)
		}
	}
	second := s.submit(t, trueJob)
	s.begin()
	<-began
	for range 2 {
		r := s.send(t, http.MethodDelete, jobsPath+"/"+second.ID, nil)
		if j := r.job(t); r.status != http.StatusOK || j.State != "cancelled" || j.Result == nil {
			t.Errorf("%d: %s", r.status, r.body)
		}
	}
	s.send(t, http.MethodDelete, jobsPath+"/none", nil).wants(t, CodeUnknownJob, "")
	if s.runner.count() != 1 {
		t.Errorf("%d jobs were begun", s.runner.count())
	}
}

// What is ours ends as failed, with the problem that /v1/run would have answered.
func TestJobThatCannotRun(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	s.runner.does(func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
		return nil, &sandbox.StageError{Stage: "cell", Op: "clone"}
	})
	s.begin()
	j := s.until(t, s.submit(t, trueJob).ID, queue.Failed)
	var p Problem
	if err := json.Unmarshal(*j.Problem, &p); err != nil || p.Code != CodeInternal || p.Job != j.ID || j.Result != nil {
		t.Errorf("%v: %+v", err, p)
	}
}

// The service ends: what runs is cut off, and is run again by the next start only where
// it may be; what waits stays.
func TestJobsAcrossStarts(t *testing.T) {
	m := queue.NewMemory()
	s := startWithQueue(t, m, nil)
	began := make(chan *sandbox.Job, 2)
	s.runner.does(blocked(began))
	once, again := s.submit(t, trueJob), s.submit(t, `{"command":["true"],"retry_safe":true}`)
	waiting := s.submit(t, trueJob)
	s.begin()
	<-began
	<-began
	s.stop()
	s = startWithQueue(t, m, nil)
	if j := s.get(t, once.ID); j.State != "interrupted" || j.Attempts != 1 || j.Result == nil {
		t.Errorf("%+v", j)
	}
	if j := s.get(t, again.ID); j.State != "queued" || j.Attempts != 1 {
		t.Errorf("%+v", j)
	}
	if j := s.get(t, waiting.ID); j.State != "queued" || j.Attempts != 0 {
		t.Errorf("%+v", j)
	}
	s.begin()
	if j := s.until(t, again.ID, queue.Done); j.Attempts != 2 {
		t.Errorf("%+v", j)
	}
	s.until(t, waiting.ID, queue.Done)
}

func TestWithoutAQueue(t *testing.T) {
	s := start(t, nil)
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob)).wants(t, CodeNotFound, "")
	s.send(t, http.MethodGet, jobsPath, nil).wants(t, CodeNotFound, "")
	s.send(t, http.MethodGet, jobsPath+"/a/events", nil).wants(t, CodeNotFound, "")
}

// No more than two of the queue's run at once here, and a direct job does not wait for them.
func TestPlacesOfTheQueue(t *testing.T) {
	s := startWithQueue(t, queue.NewMemory(), nil)
	began := make(chan *sandbox.Job, 10)
	s.runner.does(blocked(began))
	for range 5 {
		s.submit(t, trueJob)
	}
	s.begin()
	<-began
	<-began
	time.Sleep(50 * time.Millisecond)
	if stats := s.queue.Stats(); stats.Jobs[queue.Running] != 2 || stats.Jobs[queue.Queued] != 3 || len(began) != 0 {
		t.Errorf("%+v", stats)
	}
	text := string(s.send(t, http.MethodGet, "/metrics", nil).body)
	for _, want := range []string{`cordon_queue_jobs{state="queued"} 3`, `cordon_queue_jobs{state="running"} 2`, `cordon_queue_submitted_total{priority="normal"} 5`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// Files that a job names stay while it waits, also across a start, and are nobody's
// afterwards; one that is gone all the same is told in the record.
func TestFilesOfQueuedJobs(t *testing.T) {
	m := queue.NewMemory()
	config := withFiles(t, nil)
	both := func(_ *queue.Config, c *Config) { config(c) }
	s := startWithQueue(t, m, both)
	sum := path.Base(s.put(t, "content"))
	job := fmt.Sprintf(`{"command":["true"],"stdin_sha256":%q}`, sum)
	remove := func(wanted int) {
		t.Helper()
		if r := s.send(t, http.MethodDelete, "/v1/files/"+sum, nil); r.status != wanted {
			t.Errorf("DELETE: %d, want %d: %s", r.status, wanted, r.body)
		}
	}
	j := s.submit(t, job)
	remove(http.StatusConflict)
	s.send(t, http.MethodDelete, jobsPath+"/"+j.ID, nil)
	remove(http.StatusNoContent)
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(job)).wants(t, CodeInvalidField, "stdin_sha256")
	if path.Base(s.put(t, "content")) != sum {
		t.Fatal("another sum")
	}
	first, second := s.submit(t, job, "Idempotency-Key", "k"), s.submit(t, job)
	s.submit(t, job, "Idempotency-Key", "k")
	s.pins.release(first.ID) // as an end of the process does
	s.pins.release(second.ID)
	s.stop()

	s = startWithQueue(t, m, both)
	remove(http.StatusConflict)
	s.pins.release(first.ID)
	s.pins.release(second.ID)
	remove(http.StatusNoContent)
	s.begin()
	failed := s.until(t, first.ID, queue.Failed)
	var p Problem
	if err := json.Unmarshal(*failed.Problem, &p); err != nil || p.Code != CodeInvalidField || p.Path != "stdin_sha256" || !strings.Contains(p.Detail, sum) {
		t.Errorf("%v: %+v", err, p)
	}
	s.until(t, second.ID, queue.Failed)
	s.put(t, "content")
	s.until(t, s.submit(t, job).ID, queue.Done)
	remove(http.StatusNoContent)
	if len(s.pins.held) != 0 {
		t.Errorf("held: %v", s.pins.held)
	}
}
