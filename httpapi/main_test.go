package httpapi

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"cordon/internal/testkit"
	"cordon/languages"
	"cordon/policies"
	"cordon/policy"
	"cordon/sandbox"
)

var update = flag.Bool("update", false, "write openapi.yaml and the golden files anew")

// canary is the token of every service here. No answer and no line of a log may
// ever hold it.
const canary = "canary-b1e5c0ffee-of-the-tests"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeRunner runs jobs with a function and keeps them.
type fakeRunner struct {
	mu   sync.Mutex
	run  func(context.Context, *sandbox.Job) (*sandbox.Result, error)
	jobs []*sandbox.Job
}

func (f *fakeRunner) Run(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	f.mu.Lock()
	f.jobs = append(f.jobs, j)
	run := f.run
	f.mu.Unlock()
	return run(ctx, j)
}

func (f *fakeRunner) Stats() sandbox.Stats {
	return sandbox.Stats{Running: 1, WarmCells: 2, FreeIDs: 3, Leaks: 4}
}

// does changes what a job does.
func (f *fakeRunner) does(run func(context.Context, *sandbox.Job) (*sandbox.Result, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run = run
}

func (f *fakeRunner) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs)
}

func (f *fakeRunner) last(t testing.TB) *sandbox.Job {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.jobs) == 0 {
		t.Fatal("no job came to the runner")
	}
	return f.jobs[len(f.jobs)-1]
}

// ended is a result with this verdict.
func ended(j *sandbox.Job, v sandbox.Verdict) *sandbox.Result {
	code := 0
	return &sandbox.Result{ID: j.ID, Policy: j.Policy, Isolation: "subuid", Step: sandbox.Step{Verdict: v, ExitCode: &code}}
}

// answerWith gives every job this result.
func answerWith(r *sandbox.Result) func(context.Context, *sandbox.Job) (*sandbox.Result, error) {
	return func(context.Context, *sandbox.Job) (*sandbox.Result, error) { return r, nil }
}

func succeed(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	return ended(j, sandbox.OK), nil
}

// shippedPolicies are the real ones: what a policy refuses is part of the API.
var shippedPolicies = sync.OnceValue(func() resolver {
	set, err := policies.Load("")
	if err != nil {
		panic(err)
	}
	return resolver{set}
})

// resolver does with a set of policies what the service does.
type resolver struct{ *policies.Set }

func (r resolver) Resolve(name string, q policy.Request) (*policy.Grant, error) {
	p, err := r.Get(name)
	if err != nil {
		return nil, err
	}
	return policy.Resolve(q, p)
}

// unsearched has every language, and none installed.
func unsearched(t testing.TB) *languages.Set {
	t.Helper()
	set, err := languages.Load()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// service is a Server with its surroundings.
type service struct {
	*Server
	runner *fakeRunner
	log    *testkit.Journal
	web    *httptest.Server // real connections: a recorder has no deadlines
}

// start makes a service; change may alter its configuration.
func start(t testing.TB, change func(*Config)) *service {
	t.Helper()
	token, err := NewToken(canary)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{runner: &fakeRunner{run: succeed}, log: &testkit.Journal{}}
	c := Config{Version: "test", Token: token, Hosts: []string{"example.com", "Cordon.example", "cordon.example:9443"}, // the first is httptest's
		Runner: s.runner, Policies: shippedPolicies(), Languages: unsearched(t), MaxJobs: 4,
		Doctor:   func(context.Context) (any, error) { return map[string]any{"ready": true}, nil },
		Registry: prometheus.NewRegistry(),
		Logger:   slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&c)
	}
	if s.Server, err = New(c); err != nil {
		t.Fatal(err)
	}
	s.web = httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		s.web.Close()
		if strings.Contains(s.log.String(), canary) {
			t.Errorf("the token is in the log:\n%s", s.log)
		}
	})
	return s
}

// reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// problem is the answer as a problem.
func (r *reply) problem(t testing.TB) *Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("status %d, no problem: %v: %s", r.status, err, r.body)
	}
	return &p
}

// wants holds status, code and path of a problem.
func (r *reply) wants(t testing.TB, code Code, path string) *Problem {
	t.Helper()
	p := r.problem(t)
	if p.Code != code || p.Path != path || r.status != statusOf[code] {
		t.Errorf("status %d, code %s, path %q; want %d, %s, %q: %s", r.status, p.Code, p.Path, statusOf[code], code, path, r.body)
	}
	return p
}

// send asks with the token; every answer is held against openapi.yaml.
func (s *service) send(t testing.TB, method, path string, body io.Reader, headers ...string) *reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.web.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+canary)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := s.web.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got := &reply{status: answer.StatusCode, header: answer.Header}
	if got.body, err = io.ReadAll(answer.Body); err != nil {
		t.Fatal(err)
	}
	hold(t, method, path, got)
	return got
}

func (s *service) run(t testing.TB, body string) *reply {
	t.Helper()
	return s.send(t, http.MethodPost, runPath, strings.NewReader(body), "Content-Type", "application/json")
}

// direct asks the handler without a connection, for requests whose body may not
// be read. Its answer is held against openapi.yaml, too.
func (s *service) direct(t testing.TB, method, path string, body io.Reader) *reply {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	r.Header.Set("Authorization", "Bearer "+canary)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	got := &reply{w.Code, w.Result().Header, w.Body.Bytes()}
	hold(t, method, path, got)
	return got
}

// unreadable is a body that nobody may read.
type unreadable struct{ t testing.TB }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}
