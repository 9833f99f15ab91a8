package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"cordon/sandbox"
	"cordon/store"
)

// startWithFiles is start with a small store; change may alter that.
func startWithFiles(t testing.TB, change func(*store.Config)) *service {
	t.Helper()
	return start(t, withFiles(t, change))
}

func withFiles(t testing.TB, change func(*store.Config)) func(*Config) {
	t.Helper()
	c := store.Config{Dir: filepath.Join(t.TempDir(), "files"), MaxBytes: 8 << 20, MaxFiles: 100, MaxFileBytes: 4 << 20}
	if change != nil {
		change(&c)
	}
	files, err := store.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s := files.Stats(); s.PinnedFiles != 0 || s.WritingFiles != 0 {
			t.Errorf("in the end something is in use or half written: %+v", s)
		}
		if err := files.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(c *Config) { c.Files = files }
}

func pathOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "/v1/files/" + hex.EncodeToString(sum[:])
}

// put puts a file that must be taken, and says where it is.
func (s *service) put(t testing.TB, content string) (path string) {
	t.Helper()
	path = pathOf(content)
	if r := s.send(t, http.MethodPut, path, strings.NewReader(content)); r.status != 200 && r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return path
}

// withoutLength is a body that comes in chunks.
func withoutLength(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

// TestFiles: a file comes, is told of, read, and goes.
func TestFiles(t *testing.T) {
	s := startWithFiles(t, nil)
	for name, content := range map[string]string{"empty": "", "text": "hello\n", "bytes": "\x00\xff\n", "large": strings.Repeat("0123456789abcdef", 3<<16)} {
		path := pathOf(content)
		s.send(t, "GET", path, nil).wants(t, CodeUnknownFile, "")
		s.send(t, "DELETE", path, nil).wants(t, CodeUnknownFile, "")
		if r := s.send(t, "HEAD", path, nil); r.status != 404 || len(r.body) != 0 {
			t.Errorf("%s: HEAD of what is not there: %d, %d bytes", name, r.status, len(r.body))
		}
		for i, body := range []io.Reader{withoutLength(content), strings.NewReader(content)} {
			r := s.send(t, "PUT", path, body, "Content-Type", "text/html")
			var kept KeptFile
			if err := json.Unmarshal(r.body, &kept); err != nil || kept.SizeBytes != int64(len(content)) || "/v1/files/"+kept.SHA256 != path {
				t.Errorf("%s: %v %s", name, err, r.body)
			}
			if r.status != 201-i || r.header.Get("Location") != path {
				t.Errorf("%s, time %d: %d %v", name, i, r.status, r.header)
			}
		}
		for _, method := range []string{"GET", "HEAD"} {
			r := s.send(t, method, path, nil, "Range", "bytes=0-0")
			if r.status != 200 || r.header.Get("Content-Length") != fmt.Sprint(len(content)) || r.header.Get("Content-Type") != "application/octet-stream" ||
				r.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %s %d %v", name, method, r.status, r.header)
			}
			if want := map[string]string{"GET": content}[method]; string(r.body) != want {
				t.Errorf("%s: %s answers %d bytes", name, method, len(r.body))
			}
		}
		if r := s.send(t, "DELETE", path, nil); r.status != 204 || len(r.body) != 0 {
			t.Errorf("%s: DELETE %d %s", name, r.status, r.body)
		}
		s.send(t, "GET", path, nil).wants(t, CodeUnknownFile, "")
	}
}

// TestFilesRefused: what is wrong is told as a problem, and nothing is kept.
func TestFilesRefused(t *testing.T) {
	s := startWithFiles(t, func(c *store.Config) { c.MaxBytes, c.MaxFileBytes = 3000, 1000 })
	const content = "content"
	path := pathOf(content)
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		code       Code
		at, says   string
	}{
		"other bytes": {path, "other", nil, CodeContentMismatch, "", strings.TrimPrefix(path, "/v1/files/")},
		"no bytes":    {path, "", nil, CodeContentMismatch, "", "0 bytes"},
		"too large":   {path, strings.Repeat("x", 1001), nil, CodeTooLarge, "", "1000"},
		"short sum":   {"/v1/files/ab", content, nil, CodeInvalidField, "sha256", "64"},
		"capitals":    {"/v1/files/" + strings.ToUpper(path[10:]), content, nil, CodeInvalidField, "sha256", "lower-case"},
		"packed":      {path, content, []string{"Content-Encoding", "gzip"}, CodeEncoded, "", "Content-Encoding"},
		"a path":      {path + "/x", content, nil, CodeNotFound, "", ""},
		"an escape":   {"/v1/files/%61" + path[11:], content, nil, CodeNotFound, "", ""},
		"none":        {"/v1/files/", content, nil, CodeNotFound, "", ""},
		"climbing":    {"/v1/files/x/../" + path[10:], content, nil, CodeNotFound, "", ""},
	} {
		for _, body := range []io.Reader{strings.NewReader(c.body), withoutLength(c.body)} {
			r := s.send(t, "PUT", c.path, body, c.headers...)
			if p := r.wants(t, c.code, c.at); !strings.Contains(p.Detail, c.says) {
				t.Errorf("%s: %s", name, p.Detail)
			}
		}
	}
	for _, method := range []string{"GET", "DELETE"} {
		s.send(t, method, "/v1/files/ab", nil).wants(t, CodeInvalidField, "sha256")
	}
	r := s.send(t, "POST", path, strings.NewReader(content))
	if r.wants(t, CodeMethodNotAllowed, ""); r.header.Get("Allow") != "DELETE, GET, HEAD, PUT" {
		t.Errorf("%v", r.header)
	}
	for name, headers := range map[string][]string{"no token": {"Authorization", ""}, "another site": {"Origin", "http://evil.example"}} {
		if r := s.send(t, "PUT", path, strings.NewReader(content), headers...); r.status != 401 && r.status != 403 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if stats := s.config.Files.Stats(); stats != (store.Stats{}) {
		t.Errorf("%+v", stats)
	}
}

// TestFilesFull: what is in use stays, and its room is nobody else's.
func TestFilesFull(t *testing.T) {
	s := startWithFiles(t, func(c *store.Config) { c.MaxBytes, c.MaxFileBytes = 1000, 1000 })
	held := s.put(t, strings.Repeat("h", 600))
	f, err := s.config.Files.Get(strings.TrimPrefix(held, "/v1/files/"))
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, "DELETE", held, nil).wants(t, CodeFileInUse, "")
	p := s.send(t, "PUT", pathOf(strings.Repeat("n", 500)), strings.NewReader(strings.Repeat("n", 500))).wants(t, CodeStoreFull, "")
	if p.Status != 507 || !strings.Contains(p.Detail, "1000") || !strings.Contains(p.Detail, "600") {
		t.Errorf("%+v", p)
	}
	f.Close()
	s.put(t, strings.Repeat("n", 500))
	s.send(t, "GET", held, nil).wants(t, CodeUnknownFile, "")
	m := s.scrape(t)
	if m.value("cordon_store_files") != 1 || m.value("cordon_store_bytes") != 500 || m.value("cordon_store_evicted_total") != 1 {
		t.Errorf("%v files, %v bytes, %v evicted", m.value("cordon_store_files"), m.value("cordon_store_bytes"), m.value("cordon_store_evicted_total"))
	}
}

// TestFilesOff: a service that keeps none says so, before a body is read.
func TestFilesOff(t *testing.T) {
	s := start(t, nil)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		r := s.direct(t, method, pathOf("x"), unreadable{t})
		if p := r.wants(t, CodeNotFound, ""); !strings.Contains(p.Detail, "--files-bytes") {
			t.Errorf("%s: %s", method, p.Detail)
		}
	}
	if m := s.scrape(t); m.value("cordon_store_files") != -1 {
		t.Errorf("cordon_store_files is %v", m.value("cordon_store_files"))
	}
}

// TestFileProblems: each failure of a store has its code, and only what is our fault
// is an error in the log.
func TestFileProblems(t *testing.T) {
	s := start(t, nil)
	body := &pacedBody{started: time.Now()}
	for _, c := range []struct {
		err  error
		code Code
	}{
		{fmt.Errorf("x: %w", store.ErrFull), CodeStoreFull},
		{fmt.Errorf("x: %w", syscall.ENOSPC), CodeStoreFull},
		{fmt.Errorf("x: %w", syscall.EDQUOT), CodeStoreFull},
		{fmt.Errorf("%w: %w", store.ErrUnread, io.ErrUnexpectedEOF), CodeMalformed},
		{fmt.Errorf("%w: %w", store.ErrUnread, iotest.ErrTimeout), CodeMalformed}, // which is no net.Error
		{fmt.Errorf("%w: %w", store.ErrUnread, context.DeadlineExceeded), CodeTimeout},
		{fmt.Errorf("%w: %w", store.ErrUnread, sandbox.ErrShuttingDown), CodeShuttingDown},
		{errors.Join(store.ErrMismatch, syscall.EIO), CodeContentMismatch},
		{fmt.Errorf("x: %w", syscall.EIO), CodeInternal},
	} {
		before := len(s.log.String())
		p := s.fileProblem(c.err, body)
		if p.Code != c.code || p.Status != statusOf[c.code] || p.Detail == "" {
			t.Errorf("%v: %+v", c.err, p)
		}
		if told := strings.Contains(s.log.String()[before:], `"ERROR"`); told != (c.code == CodeInternal) {
			t.Errorf("%v: told in the log: %t", c.err, told)
		}
	}
}
