package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/store"
)

const clusterSecret = "secret-of-the-cluster"

// cluster are three services on one queue: two that answer, and one that runs jobs.
type cluster struct{ api, other, worker *queued }

func startCluster(t *testing.T) *cluster { return startClusterWith(t, nil) }

// startClusterWith changes what each of them is made of.
func startClusterWith(t *testing.T, change func(name string, q *queue.Config, c *Config)) *cluster {
	t.Helper()
	if change == nil {
		change = func(string, *queue.Config, *Config) {}
	}
	own, err := queue.EmbeddedFor(t.Context(), t.TempDir(), &queue.Listen{Address: "127.0.0.1:0", Secret: clusterSecret}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + queue.Address(own)
	dial := func() queue.Journal {
		j, err := queue.Connect(t.Context(), queue.Remote{URL: url, Secret: clusterSecret, Replicas: 1}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	return &cluster{startMember(t, own, "api", false, change), startMember(t, dial(), "other", false, change), startMember(t, dial(), "worker", true, change)}
}

func startMember(t *testing.T, j queue.Journal, name string, runs bool, change func(string, *queue.Config, *Config)) *queued {
	t.Helper()
	s := &queued{}
	s.service = start(t, func(c *Config) {
		config := queue.Config{Journal: j, Worker: name, Boot: name + "1", MaxJobs: 100, MaxBytes: 1 << 20, ResultsTTL: time.Hour, ResultsBytes: 1 << 20,
			Logger: slog.New(slog.DiscardHandler), Follow: !runs, Lease: 2 * time.Second}
		c.Jobs = &Jobs{TTL: time.Hour}
		if runs {
			config.Abilities = &queue.Abilities{Policies: shippedPolicies().Names(), Arch: "amd64"}
			config.Most = 2
			c.Jobs.Most, c.Jobs.Reserve = 2, (&fakePlaces{c.Runner.(*fakeRunner), make(chan struct{}, 2)}).reserve
			c.Quiet = true
		} else {
			c.Runner = nil
			set := unsearched(t)
			set.Elsewhere()
			c.Languages = set
		}
		change(name, &config, c)
		var err error
		if s.queue, err = queue.Open(t.Context(), config); err != nil {
			t.Fatal(err)
		}
		c.Jobs.Queue = s.queue
		files, err := store.Open(store.Config{Dir: t.TempDir(), MaxBytes: 8 << 20, MaxFiles: 100, MaxFileBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		beside, err := queue.FilesOf(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := queue.OpenObjects(t.Context(), beside, queue.ObjectsConfig{MaxBytes: 2 << 20, MaxFiles: 100, Needed: s.queue.Needed, CatchUp: s.queue.CatchUp, Now: s.queue.Time,
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		c.Shared = NewSharedFiles(files, objects)
		c.Files = c.Shared
		t.Cleanup(func() { _ = objects.Close(); _ = s.queue.Close(); _ = files.Close() })
	})
	running, cut := context.WithCancelCause(context.Background())
	beginning, drain := context.WithCancel(context.Background())
	s.cut, s.drain = cut, drain
	s.begin = func() { s.ended = s.runJobs(beginning, running) }
	if runs {
		s.begin()
	}
	t.Cleanup(func() {
		s.drain()
		s.cut(sandbox.ErrShuttingDown)
		if s.ended != nil {
			<-s.ended
		}
	})
	return s
}

// TestCluster: whichever service is asked, the answer is the same, and jobs run where they
// can.
func TestCluster(t *testing.T) {
	c := startCluster(t)
	t.Run("run", c.testRun)
	t.Run("client gone", c.testClientGone)
	t.Run("events", c.testEvents)
	t.Run("cancel", c.testCancel)
	t.Run("files", c.testFiles)
	t.Run("waiting", c.testWaiting)
	t.Run("attach", c.testAttach)
	t.Run("webhook", c.testWebhook)
	t.Run("worker", c.testQuiet)
}

// POST /v1/run where nothing runs: the answer is that of the service that ran it, and
// nothing is left in the queue.
func (c *cluster) testRun(t *testing.T) {
	c.worker.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.Stdout, r.Stderr = []byte("out of "+j.Command[0]), []byte{0xff}
		return r, nil
	})
	r := c.api.run(t, trueJob)
	var got RunResult
	if err := json.Unmarshal(r.body, &got); err != nil || r.status != http.StatusOK || got.Stdout != "out of true" {
		t.Fatalf("%d: %v: %s", r.status, err, r.body)
	}
	if again := mustJSON(&got); !bytes.Equal(bytes.TrimSpace(r.body), again) {
		t.Errorf("answered %s, which is %s", r.body, again)
	}
	if list := c.api.send(t, http.MethodGet, jobsPath, nil); !strings.Contains(string(list.body), `"jobs":[]`) {
		t.Errorf("left: %s", list.body)
	}
	c.worker.runner.does(func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
		return nil, fmt.Errorf("no %w", errors.New("luck"))
	})
	if r := c.other.run(t, trueJob); r.status != http.StatusInternalServerError || r.problem(t).Code != CodeInternal {
		t.Errorf("%d: %s", r.status, r.body)
	}
	if r := c.other.run(t, `{"command":["true"],"policy":"none"}`); r.problem(t).Code != CodeUnknownPolicy {
		t.Errorf("%d: %s", r.status, r.body)
	}
}

// held is a job that runs until it is ended, and tells of both.
func held(begun chan<- string, over chan<- error) func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
	return func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		begun <- j.ID
		<-ctx.Done()
		over <- context.Cause(ctx)
		return ended(j, sandbox.Cancelled), nil
	}
}

func (c *cluster) testClientGone(t *testing.T) {
	begun, over := make(chan string, 1), make(chan error, 1)
	c.worker.runner.does(held(begun, over))
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api.web.URL+runPath, strings.NewReader(trueJob))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+canary)
	r.Header.Set("Content-Type", "application/json")
	go func() {
		if answer, err := c.api.web.Client().Do(r); err == nil {
			answer.Body.Close()
		}
	}()
	<-begun
	leave()
	if err := <-over; !errors.Is(err, queue.ErrCancelled) {
		t.Errorf("the cause is %v", err)
	}
}

func (c *cluster) testEvents(t *testing.T) {
	say := make(chan string)
	c.worker.runner.does(talking(say))
	j := c.api.submit(t, trueJob)
	c.other.until(t, j.ID, queue.Running)
	next, stop := c.other.follow(t, j.ID, "")
	defer stop()
	next().want(t, "state", `"state":"running"`)
	say <- "one"
	first := next().want(t, "stdout", `{"offset":0,"text":"one"}`)
	say <- "tw\xc3"
	next().want(t, "stdout", `{"offset":3,"text":"tw"}`)
	say <- "usage"
	next().want(t, "usage", `"cpu_ns":12345`)

	late, stopLate := c.api.follow(t, j.ID, first.id) // goes on at another service
	defer stopLate()
	late().want(t, "stdout", `{"offset":3,"text":"tw"}`)
	late().want(t, "usage", "")
	long := strings.Repeat("0123456789abcdef", 3*livePart/16)
	say <- "\xb6" + long // more than goes into one answer
	all := map[string]string{}
	close(say)
	for name, from := range map[string]func() *told{"next": next, "late": late} {
		for e := from(); e != nil; e = from() {
			switch e.name {
			case "stdout":
				var chunk struct {
					Offset int    `json:"offset"`
					Text   string `json:"text"`
				}
				if err := json.Unmarshal([]byte(e.data), &chunk); err != nil || chunk.Offset != 5+len(all[name]) {
					t.Fatalf("%v: %.100s behind %d", err, e.data, len(all[name]))
				}
				all[name] += chunk.Text
			case "result":
				e.want(t, "result", `"verdict":"ok"`)
			}
		}
		if all[name] != "ö"+long {
			t.Errorf("%s: %d bytes, want %d", name, len(all[name]), len("ö"+long))
		}
	}
	for _, s := range []*queued{c.api, c.other} {
		s.mirrors.mu.Lock()
		if n := len(s.mirrors.all); n != 0 {
			t.Errorf("%d mirrors are left", n)
		}
		s.mirrors.mu.Unlock()
	}
}

func (c *cluster) testCancel(t *testing.T) {
	begun, over := make(chan string, 1), make(chan error, 1)
	c.worker.runner.does(held(begun, over))
	var took []time.Duration
	for range 20 {
		j := c.api.submit(t, trueJob)
		<-begun
		began := time.Now()
		r := c.other.send(t, http.MethodDelete, jobsPath+"/"+j.ID, nil)
		took = append(took, time.Since(began))
		if r.status != http.StatusOK || r.job(t).State != string(queue.Cancelled) {
			t.Errorf("%d: %s", r.status, r.body)
		}
		if err := <-over; !errors.Is(err, queue.ErrCancelled) {
			t.Errorf("the cause is %v", err)
		}
		c.api.until(t, j.ID, queue.Cancelled)
	}
	t.Logf("DELETE at one service until a job at another has ended: %v", took)
}

func (c *cluster) testFiles(t *testing.T) {
	content := strings.Repeat("content of a file ", 40_000) // more than one part
	path := c.api.put(t, content)
	sum := path[strings.LastIndexByte(path, '/')+1:]
	if r := c.other.send(t, http.MethodGet, path, nil); string(r.body) != content {
		t.Fatalf("%d: %.200s", r.status, r.body)
	}
	release := make(chan struct{})
	c.worker.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		<-release
		f, err := j.Files[0].Kept.Open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		output, err := j.Keep.Keep(ctx, -1, bytes.NewReader(append(text, '!')))
		r := ended(j, sandbox.OK)
		r.Stdout = []byte(output)
		return r, err
	})
	j := c.api.submit(t, `{"command":["true"],"files":[{"path":"f","sha256":"`+sum+`"}],"outputs":["*"],"keep_outputs":true}`)
	if r := c.other.send(t, http.MethodDelete, path, nil); r.status != http.StatusConflict {
		t.Errorf("a file that a job needs was removed: %d: %s", r.status, r.body)
	}
	close(release)
	var result RunResult
	if err := json.Unmarshal(*c.other.until(t, j.ID, queue.Done).Result, &result); err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte(content + "!"))
	if result.Stdout != hex.EncodeToString(want[:]) {
		t.Errorf("kept as %q", result.Stdout)
	}
	for _, s := range []*queued{c.api, c.other} {
		if r := s.send(t, http.MethodGet, "/v1/files/"+result.Stdout, nil); r.status != http.StatusOK || string(r.body) != content+"!" {
			t.Errorf("%d: %.100s", r.status, r.body)
		}
	}
	if r := c.other.send(t, http.MethodDelete, path, nil); r.status != http.StatusNoContent {
		t.Errorf("%d: %s", r.status, r.body)
	}
	if r := c.api.send(t, http.MethodPost, jobsPath, strings.NewReader(`{"command":["true"],"files":[{"path":"f","sha256":"`+sum+`"}]}`)); r.problem(t).Path != "files[0].sha256" {
		t.Errorf("%d: %s", r.status, r.body)
	}
}

func (c *cluster) testWaiting(t *testing.T) {
	j := c.api.submit(t, `{"language":"rust","source":"fn main() {}","arch":"amd64"}`)
	if want := "language rust"; !strings.Contains(j.WaitingFor, want) || j.State != string(queue.Queued) {
		t.Errorf("%+v", j)
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) { // a list may be a moment behind
		list := c.other.send(t, http.MethodGet, jobsPath+"?state=queued", nil)
		if strings.Contains(string(list.body), "waiting_for") {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%s", list.body)
		}
	}
	c.other.send(t, http.MethodDelete, jobsPath+"/"+j.ID, nil)
	for body, field := range map[string]string{`{"command":["true"],"arch":"vax"}`: "arch", `{"language":"klingon","source":""}`: "language"} {
		if r := c.api.send(t, http.MethodPost, jobsPath, strings.NewReader(body)); r.problem(t).Path != field {
			t.Errorf("%d: %s", r.status, r.body)
		}
	}
}

// Who attaches where a job does not run can read, and is told why not more.
func (c *cluster) testAttach(t *testing.T) {
	say := make(chan string)
	c.worker.runner.does(talking(say))
	j := c.api.submit(t, trueJob)
	c.api.until(t, j.ID, queue.Running)
	c.api.attachTo(t, j.ID, "").ends(closeElsewhere, "elsewhere")
	reader := c.api.attachTo(t, j.ID, "?watch=true")
	say <- "one"
	reader.wants("one")
	say <- "two"
	reader.wants("onetwo")
	close(say)
	reader.ends(websocket.StatusNormalClosure, "")
	c.api.send(t, http.MethodPost, jobsPath, strings.NewReader(interactiveJob)).wants(t, CodeInvalidField, "interactive")
	c.api.mirrors.mu.Lock()
	defer c.api.mirrors.mu.Unlock()
	if n := len(c.api.mirrors.all); n != 0 {
		t.Errorf("%d mirrors are left", n)
	}
}

// The services that answer tell of the end of a job that has run elsewhere: once.
func (c *cluster) testWebhook(t *testing.T) {
	url, got := receivers(t, func(int) int { return 204 })
	for _, s := range []*queued{c.api, c.other} {
		s.config.Jobs.Hooks = hooksTo(t, url)
		s.begin()
	}
	c.worker.runner.does(succeed)
	var ids []string
	for i := range 6 {
		j := []*queued{c.api, c.other}[i%2].submit(t, `{"command":["true"],"webhook":{"url":"`+url+`"}}`)
		ids = append(ids, j.ID)
	}
	told := map[string]int{}
	for range ids {
		told[next(t, got).notice.Data.ID]++
	}
	for _, id := range ids {
		c.other.untilTold(t, id, "delivered")
		if told[id] != 1 {
			t.Errorf("%s was told of %d times", id, told[id])
		}
	}
	if len(got) != 0 {
		t.Errorf("%d more have come", len(got))
	}
}

// A worker answers nothing but how it is.
func (c *cluster) testQuiet(t *testing.T) {
	for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, jobsPath: 404, "/v1/policies": 404, "/openapi.yaml": 404} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.worker.web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+canary)
		answer, err := c.worker.web.Client().Do(r) // not by send: the description of the API is not of this service
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != status {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	metrics := c.api.send(t, http.MethodGet, "/metrics", nil)
	if !strings.Contains(string(metrics.body), "cordon_queue_workers 1") {
		t.Error("the worker is not counted")
	}
}

var _ sandbox.Kept = namedFile{}

// TestFilesThatAreNotWhatTheySay: what comes from the servers is hashed before it is used.
func TestFilesThatAreNotWhatTheySay(t *testing.T) {
	j := queue.NewMemory()
	objects, err := queue.OpenObjects(t.Context(), j, queue.ObjectsConfig{MaxBytes: 1 << 20, MaxFiles: 10, Needed: func() map[string]bool { return nil }, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	own, err := store.Open(store.Config{Dir: t.TempDir(), MaxBytes: 1 << 20, MaxFiles: 100, MaxFileBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close(); _ = own.Close() })
	right := sha256.Sum256([]byte("right"))
	sum := hex.EncodeToString(right[:])
	if _, err := objects.Put(t.Context(), sum, 5, strings.NewReader("wrong")); err != nil {
		t.Fatal(err)
	}
	if f, err := NewSharedFiles(own, objects).Get(sum); !errors.Is(err, store.ErrMismatch) {
		t.Errorf("%+v, %v", f, err)
	}
	if own.Stats().Files != 0 {
		t.Error("it was kept")
	}
}
