package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cordon/client"
	"cordon/internal/testkit"
)

// TestClients tries every client against one service.
func TestClients(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	d := testkit.StartDaemon(t, "--languages", "sh,python", "--socket", socket)
	clientSocket = "unix:" + socket
	line := shakyLine(t, d.URL)
	typeScriptDir.dir, typeScriptDir.made = t.TempDir(), false
	t.Run("all", func(t *testing.T) {
		for name, try := range map[string]func(*testing.T, *testkit.Daemon, string){
			"go": tryGo, "typescript": tryTypeScript, "python": tryPython, "manual": tryManual,
			"submit": trySubmit, "files": trySubmitFiles, "logs": tryLogs, "terminal": tryTerminal, "refusals": tryRefusals,
		} {
			t.Run(name, func(t *testing.T) {
				parallel(t)
				try(t, d, line)
			})
		}
	})
}

// clientSocket leads to the service, too.
var clientSocket string

// shakyLine leads to the service. It loses the first answer to each submission that has a
// key, and breaks each stream of events after a few hundred bytes.
func shakyLine(t *testing.T, to string) string {
	t.Helper()
	var mu sync.Mutex
	lost := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, to+r.URL.RequestURI(), r.Body)
		if err != nil {
			panic(err)
		}
		out.Header, out.ContentLength = r.Header, r.ContentLength
		answer, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer answer.Body.Close()
		key := r.Header.Get("Idempotency-Key")
		mu.Lock()
		lose := key != "" && !lost[key]
		lost[key] = true
		mu.Unlock()
		if lose {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		if !strings.HasSuffix(r.URL.Path, "/events") {
			_, _ = io.Copy(w, answer.Body)
			return
		}
		rest := 700 // more than the longest event but the last, so that each connection tells something
		buffer := make([]byte, 4096)
		for {
			n, err := answer.Body.Read(buffer)
			if strings.Contains(string(buffer[:n]), "event: result") {
				rest = 1 << 20
			}
			_, _ = w.Write(buffer[:min(n, rest)])
			_ = http.NewResponseController(w).Flush()
			if rest -= n; err == nil && rest <= 0 {
				panic(http.ErrAbortHandler)
			}
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Who follows a job goes on when the service is back, and is told of its further attempt
// from the beginning.
func TestClientOverRestart(t *testing.T) {
	var to atomic.Value
	line := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := url.Parse(to.Load().(string))
		if err != nil || at.Host == "" {
			panic(http.ErrAbortHandler)
		}
		p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }, FlushInterval: -1,
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
		p.ServeHTTP(w, r)
	}))
	defer line.Close()
	state := t.TempDir()
	args := []string{"--languages", "sh", "--drain", "0s"}
	d := testkit.StartDaemonIn(t, state, args...)
	to.Store(d.URL)
	c := dial(t, line.URL, d.Token)
	job := queuedShell("echo one; sleep 1; echo two")
	job.RetrySafe = true
	j, err := c.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	printed := map[int64]string{}
	for chunk, err := range c.Logs(t.Context(), j.ID, client.LogsFrom{}) {
		if err != nil {
			t.Fatal(err)
		}
		if printed[chunk.Attempt] += string(chunk.Data); chunk.Attempt == 1 {
			to.Store("")
			d.Signal(t, syscall.SIGTERM)
			d.Wait(t)
			to.Store(testkit.StartDaemonIn(t, state, args...).URL)
		}
	}
	if len(printed) != 2 || printed[1] != "one\n" || printed[2] != "one\ntwo\n" {
		t.Errorf("%v", printed)
	}
	if j, err = c.Wait(t.Context(), j.ID); err != nil || j.Attempts != 2 || j.State != client.StateDone {
		t.Errorf("%+v %v", j, err)
	}
}

func dial(t *testing.T, url, token string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.WithToken(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func queuedShell(text string) client.JobRequest {
	return client.JobRequest{Command: []string{"sh", "-c", text}}
}

func tryGo(t *testing.T, d *testkit.Daemon, line string) {
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute) // a hang
	defer stop()
	c, shaky := dial(t, d.URL, d.Token), dial(t, line, d.Token)
	r, err := c.Run(ctx, client.RunRequest{Command: []string{"sh", "-c", `echo out; printf '\377' >&2; exit 3`}})
	if err != nil || r.Verdict != client.VerdictNonzero || r.ExitCode == nil || *r.ExitCode != 3 || r.Signal != nil || r.Stdout != "out\n" || r.Usage.WallNs <= 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if b, err := r.StderrBytes(); string(b) != "\xff" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	var p *client.Problem
	if _, err := c.Run(ctx, client.RunRequest{Command: []string{"true"}, Limits: client.LimitRequest{MemoryBytes: 1 << 50}}); !errors.Is(err, client.ErrPolicyDenied) ||
		!errors.As(err, &p) || p.Status != 422 || len(p.Denials) != 1 || p.Denials[0].Field != "limits.memory_bytes" {
		t.Errorf("%v: %+v", err, p)
	}
	if _, err := dial(t, d.URL, "wrong").Policies(ctx); !errors.Is(err, client.ErrUnauthorized) {
		t.Errorf("%v", err)
	}
	tryGoFiles(ctx, t, c)
	tryGoJobs(ctx, t, c, shaky)
	if err := errors.Join(c.Health(ctx), c.Ready(ctx), dial(t, clientSocket, d.Token).Ready(ctx)); err != nil {
		t.Error(err)
	}
	policies, err := c.Policies(ctx)
	languages, err2 := c.Languages(ctx)
	report, err3 := c.Doctor(ctx)
	if err := errors.Join(err, err2, err3); err != nil || len(policies) < 5 || len(languages) < 2 || !strings.Contains(string(report), "cgroup") {
		t.Errorf("%v: %d policies, %d languages, %.80s", err, len(policies), len(languages), report)
	}
}

func tryGoFiles(ctx context.Context, t *testing.T, c *client.Client) {
	const content = "kept by Go"
	sum, err := client.Sum(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if kept, err := c.PutFile(ctx, sum, strings.NewReader(content)); err != nil || kept.SizeBytes != 10 || kept.SHA256 != sum {
			t.Fatalf("%+v %v", kept, err)
		}
	}
	if _, err := c.PutFile(ctx, sum, io.MultiReader(strings.NewReader("another"))); !errors.Is(err, client.ErrContentMismatch) {
		t.Errorf("%v", err)
	}
	r, err := c.Run(ctx, client.RunRequest{Command: []string{"cat", "a"}, Files: []client.FileRequest{{Path: "a", SHA256: sum}}})
	if err != nil || r.Stdout != content {
		t.Errorf("%+v %v", r, err)
	}
	from, err := c.GetFile(ctx, sum)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if got, err := io.ReadAll(from); string(got) != content || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if n, err := c.FileSize(ctx, sum); n != 10 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if err := c.DeleteFile(ctx, sum); err != nil {
		t.Error(err)
	}
	if _, err := c.FileSize(ctx, sum); !errors.Is(err, client.ErrUnknownFile) {
		t.Errorf("%v", err)
	}
}

func tryGoJobs(ctx context.Context, t *testing.T, c, shaky *client.Client) {
	job := queuedShell(`for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.05; done; printf '\377\n'; echo error >&2`)
	j, err := shaky.Submit(ctx, job) // whose first answer is lost
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr, last string
	for chunk, err := range shaky.Logs(ctx, j.ID, client.LogsFrom{Stdout: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		if chunk.Stream == client.EventStderr {
			stderr += string(chunk.Data)
		} else if stdout += string(chunk.Data); chunk.Offset+int64(len(chunk.Data)) != int64(len(stdout)+7) {
			t.Errorf("offset %d, %q so far", chunk.Offset, stdout)
		}
	}
	for e, err := range shaky.Events(ctx, j.ID) {
		if err != nil {
			t.Fatal(err)
		}
		last = string(e.Type)
	}
	if stdout != "line 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n\xff\n" || stderr != "error\n" || last != "result" {
		t.Errorf("%q %q %s", stdout, stderr, last)
	}
	if j, err = shaky.Wait(ctx, j.ID); err != nil || j.State != client.StateDone || j.Attempts != 1 || j.Result.Verdict != client.VerdictOk {
		t.Errorf("%+v %v", j, err)
	}
	if j, err = c.Submit(ctx, queuedShell("sleep 1000")); err != nil {
		t.Fatal(err)
	}
	for e, err := range c.Events(ctx, j.ID) {
		if err != nil || e.Job.State == client.StateRunning {
			break
		}
	}
	for range 2 {
		if got, err := c.Cancel(ctx, j.ID); err != nil || got.State != client.StateCancelled || got.Result.Verdict != client.VerdictCancelled {
			t.Errorf("%+v %v", got, err)
		}
	}
	found := false
	for one, err := range c.Jobs(ctx, client.JobsQuery{State: client.StateCancelled, Page: 1}) {
		found = found || err == nil && one.ID == j.ID
	}
	if _, err := c.Job(ctx, "00000000-0000-7000-8000-000000000000"); !found || !errors.Is(err, client.ErrUnknownJob) {
		t.Errorf("listed: %t; %v", found, err)
	}
}

// program runs one of another language, which has two minutes.
func program(t *testing.T, d *testkit.Daemon, dir string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(append(os.Environ(), "CORDON_URL="+d.URL, "CORDON_TOKEN="+d.Token, "PYTHONDONTWRITEBYTECODE=1",
		"PATH="+filepath.Dir(testkit.Binary(t))+":"+os.Getenv("PATH")), env...)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil || strings.Contains(errs.String(), "Traceback") {
		t.Errorf("%s: %v\n%s%s", name, err, out, errs.String())
	}
	return string(out)
}

// typeScriptDir is where the TypeScript client and its test are as JavaScript.
var typeScriptDir struct {
	sync.Mutex
	dir  string
	made bool
}

func typeScript(t *testing.T, d *testkit.Daemon) string {
	t.Helper()
	typeScriptDir.Lock()
	defer typeScriptDir.Unlock()
	dir := typeScriptDir.dir
	if typeScriptDir.made {
		return dir
	}
	program(t, d, filepath.Join(testkit.Root(t), "clients", "typescript"), nil, "tsc", "-p", "test", "--outDir", dir)
	modules := filepath.Join(dir, "node_modules")
	if err := errors.Join(os.Mkdir(modules, 0o755), os.Symlink("../src", filepath.Join(modules, "cordon-client")),
		os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o644),
		os.WriteFile(filepath.Join(dir, "src", "package.json"), []byte(`{"type":"module","exports":"./index.js"}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	typeScriptDir.made = true
	return dir
}

func tryTypeScript(t *testing.T, d *testkit.Daemon, line string) {
	if out := program(t, d, typeScript(t, d), nil, "node", "test/live.js", d.URL, line, d.Token); out != "everything held\n" {
		t.Errorf("%s", out)
	}
}

func tryPython(t *testing.T, d *testkit.Daemon, line string) {
	dir := filepath.Join(testkit.Root(t), "clients", "python")
	if out := program(t, d, dir, []string{"PYTHONPATH=" + dir}, "python3", "test/live.py", d.URL, line, clientSocket, d.Token); out != "everything held\n" {
		t.Errorf("%s", out)
	}
}

// hello is the example of docs/clients.md, as it stands there.
func hello(ctx context.Context, url, token string, out io.Writer) error {
	c, err := client.New(url, client.WithToken(token))
	if err != nil {
		return err
	}
	job, err := c.Submit(ctx, client.JobRequest{Language: "python", Source: "print(6*7)"})
	if errors.Is(err, client.ErrMissingLanguage) {
		return errors.New("this service has no Python")
	}
	if err != nil {
		return err
	}
	for event, err := range c.Events(ctx, job.ID) {
		switch {
		case err != nil:
			return err
		case event.Type == client.EventStdout:
			fmt.Fprintf(out, "%s", event.Output.Data)
		case event.Type == client.EventResult && event.Job.Result == nil: // it was not run
			return fmt.Errorf("the job is %s", event.Job.State)
		case event.Type == client.EventResult:
			fmt.Fprintln(out, event.Job.Result.Verdict)
		}
	}
	return nil
}

// tryManual runs each example of docs/clients.md as it stands there.
func tryManual(t *testing.T, d *testkit.Daemon, _ string) {
	root := testkit.Root(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, ok := strings.Cut(string(page), "```"+language+"\n")
		text, _, ended := strings.Cut(rest, "```\n")
		if !ok || !ended {
			t.Fatalf("docs/clients.md has no example in %s", language)
		}
		return text
	}
	want := block("text")
	check := func(language, got string) {
		if got != want {
			t.Errorf("%s prints %q, docs/clients.md says %q", language, got, want)
		}
	}
	// This file lies beside the tests; the compiled test only has what it was made from.
	source, err := os.ReadFile(filepath.Join(root, "test", "e2e", "clients_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), block("go")) {
		t.Error("the example in Go is not the function hello of test/e2e/clients_test.go")
	}
	var out strings.Builder
	if err := hello(t.Context(), d.URL, d.Token, &out); err != nil {
		t.Error(err)
	}
	check("go", out.String())
	dir := t.TempDir()
	check("sh", program(t, d, dir, nil, "bash", "-euc", block("sh")))
	check("python", program(t, d, dir, []string{"PYTHONPATH=" + filepath.Join(root, "clients", "python")}, "python3", "-c", block("python")))
	script := filepath.Join(typeScript(t, d), "hello.js")
	if err := os.WriteFile(script, []byte(block("typescript")), 0o644); err != nil {
		t.Fatal(err)
	}
	check("typescript", program(t, d, dir, nil, "node", script))
}
