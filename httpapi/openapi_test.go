package httpapi

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cordon/queue"
)

// TestOpenAPICommitted holds openapi.yaml against the types of the handlers.
func TestOpenAPICommitted(t *testing.T) {
	s := start(t, nil)
	if *update {
		if err := os.WriteFile("openapi.yaml", s.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, s.OpenAPI()) {
		t.Error("openapi.yaml is not what the handlers make; look at the difference, then run: go test ./httpapi -run OpenAPICommitted -update && make clients")
	}
	if r := s.send(t, http.MethodGet, "/openapi.yaml", nil); !bytes.Equal(r.body, committed) || r.header.Get("Content-Type") != "application/yaml" {
		t.Errorf("GET /openapi.yaml answers %s, and something else than the file", r.header.Get("Content-Type"))
	}
}

// TestOpenAPIRoutes: what is described is there, and needs the token unless it
// says otherwise.
func TestOpenAPIRoutes(t *testing.T) {
	q, err := queue.Open(t.Context(), queue.Config{Journal: queue.NewMemory(), MaxJobs: 100, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	files, snippets := withFiles(t, nil), withSnippets(t)
	s := start(t, func(c *Config) {
		files(c)
		snippets(c)
		c.Jobs = &Jobs{Queue: q, Most: 1, TTL: time.Hour}
	})
	c := agreed(t)
	if len(c.known) != 25 || c.request == nil || c.submission == nil {
		t.Errorf("%d operations: %v", len(c.known), c.known)
	}
	for name := range c.known {
		method, path, _ := strings.Cut(name, " ")
		if path == filesPath {
			path = s.put(t, "{}") // which is there then
		}
		if path == snippetPath {
			path = snippetsPath + "/" + bodyOf[SnippetResult](t, s.send(t, http.MethodPost, snippetsPath, strings.NewReader(`{"content":"x"}`)), 201).ID
		}
		if strings.Contains(path, "{id}") {
			job := (&queued{service: s}).submit(t, trueJob).ID
			path = strings.ReplaceAll(path, "{id}", job)
			if _, err := q.Cancel(t.Context(), job); err != nil { // or its events would not end
				t.Fatal(err)
			}
		}
		if r := s.send(t, method, path, strings.NewReader("{}")); r.status == 404 || r.status == 405 {
			t.Errorf("%s: %d", name, r.status)
		}
		if needs := len(c.answers[name+" 401"]) > 0; needs == open[path] {
			t.Errorf("%s: declares 401: %v, is open: %v", name, needs, open[path])
		}
	}
}

// TestCodes reads the constants from the source, so that none can be forgotten.
func TestCodes(t *testing.T) {
	c := agreed(t)
	file, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Code]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		code := Code(text)
		if seen[code] || statusOf[code] < 400 || statusOf[code] > 599 {
			t.Errorf("%s: status %d, or stands twice", code, statusOf[code])
		}
		seen[code] = true
		// What no path and no other method have does not belong to an operation.
		where := "POST " + runPath
		switch code {
		case CodeNotFound, CodeMethodNotAllowed:
			return true
		case CodeContentMismatch, CodeStoreFull, CodeTenantStoreFull:
			where = "PUT " + filesPath
		case CodeUnknownJob, CodeKeyMismatch, CodeQueueUnavailable, CodeDiskFull, CodeWebhookRefused:
			where = "POST " + jobsPath
		case CodeLoginRefused:
			where = "POST " + loginPath
		case CodeUpgradeRequired:
			where = "GET " + attachPath
		case CodeUnknownFile, CodeFileInUse:
			where = "DELETE " + filesPath
		}
		if len(c.answers[where+" "+strconv.Itoa(statusOf[code])]) == 0 {
			t.Errorf("%s: %s does not declare %d", code, where, statusOf[code])
		}
		return true
	})
	if len(seen) != len(statusOf) || len(seen) < 20 {
		t.Errorf("%d codes, %d statuses", len(seen), len(statusOf))
	}
}

// TestErrorsOfHuma: what the library answers by itself becomes a problem with a
// code whose status is the one answered.
func TestErrorsOfHuma(t *testing.T) {
	for status, want := range map[int]Code{400: CodeMalformed, 404: CodeNotFound, 408: CodeTimeout, 413: CodeTooLarge, 500: CodeInternal} {
		if got := codeOf(status); got != want || statusOf[got] != status {
			t.Errorf("codeOf(%d) = %s, want %s", status, got, want)
		}
	}
}
