package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// filePath is where a file is that has this content.
func filePath(content []byte) string {
	sum := sha256.Sum256(content)
	return "/v1/files/" + hex.EncodeToString(sum[:])
}

// file asks for a file, and wants this status, and this code where it is a problem.
func (s *service) file(t *testing.T, method, path string, body []byte, status int, code string) (http.Header, []byte) {
	t.Helper()
	got, header, answer := s.send(t, method, path, s.token, body)
	var p struct{ Code string }
	if header.Get("Content-Type") == "application/problem+json" && method != http.MethodHead {
		if err := json.Unmarshal(answer, &p); err != nil {
			t.Errorf("%s: %v: %s", method, err, answer)
		}
	}
	if got != status || p.Code != code {
		t.Fatalf("%s %s: %d %q, want %d %q: %s", method, path, got, p.Code, status, code, clip(string(answer)))
	}
	return header, answer
}

// TestStore: files are kept by their content, within bounds, over the end of the
// service, however that comes.
func TestStore(t *testing.T) {
	state := t.TempDir()
	flags := []string{"--languages", "sh", "--files-bytes", "8M"}
	d := testkit.StartDaemonIn(t, state, flags...)
	s := newService(d.URL, d.Token)
	small, large := []byte("hello\n"), bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	t.Run("comes_and_goes", func(t *testing.T) { testFileComesAndGoes(t, s, small, large) })
	t.Run("refused", func(t *testing.T) { testFileRefused(t, s, d) })
	s.file(t, "PUT", filePath(small), small, 201, "")
	s.file(t, "PUT", filePath(large), large, 201, "")
	if m := metrics(t, s); m["cordon_store_files"] != 2 || m["cordon_store_bytes"] != float64(len(small)+len(large)) {
		t.Errorf("%v files, %v bytes", m["cordon_store_files"], m["cordon_store_bytes"])
	}
	d.Signal(t, syscall.SIGTERM)
	d.Wait(t)

	d = testkit.StartDaemonIn(t, state, flags...)
	s = newService(d.URL, d.Token)
	kept(t, s, small, large)
	if strings.Contains(d.Log(), "unclean end of the store") {
		t.Errorf("it tells of leftovers after an orderly end:\n%s", d.Log())
	}
	half := bytes.Repeat([]byte("half"), 1<<18)
	traces := d.Traces(t)
	send(t, s, d, half)
	d.Kill(t, victims(t, traces.Processes(), false, 2)...)
	untilGone(t, traces, time.Now(), time.Minute)

	d = testkit.StartDaemonIn(t, state, flags...)
	s = newService(d.URL, d.Token)
	kept(t, s, small, large)
	s.file(t, "HEAD", filePath(half), nil, 404, "")
	if !strings.Contains(d.Log(), `msg="removed what an unclean end of the store has left" unfinished=1 wrong=0`) || len(unfinished(t, d)) != 0 {
		t.Errorf("half a file is not removed, or not told: %q\n%s", unfinished(t, d), d.Log())
	}
	s.file(t, "PUT", filePath(half), half, 201, "")
	kept(t, s, small, half)
}

// kept wants files to be there, and whole.
func kept(t *testing.T, s *service, contents ...[]byte) {
	t.Helper()
	for _, content := range contents {
		header, answer := s.file(t, "GET", filePath(content), nil, 200, "")
		if !bytes.Equal(answer, content) || header.Get("Content-Type") != "application/octet-stream" || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d bytes of %d, %v", len(answer), len(content), header)
		}
	}
}

func testFileComesAndGoes(t *testing.T, s *service, contents ...[]byte) {
	for _, content := range contents {
		path := filePath(content)
		s.file(t, "GET", path, nil, 404, "unknown_file")
		s.file(t, "PUT", path, content, 201, "")
		_, answer := s.file(t, "PUT", path, content, 200, "")
		if want := fmt.Sprintf("{\"sha256\":%q,\"size_bytes\":%d}\n", strings.TrimPrefix(path, "/v1/files/"), len(content)); string(answer) != want {
			t.Errorf("%s, want %s", answer, want)
		}
		kept(t, s, content)
		if header, _ := s.file(t, "HEAD", path, nil, 200, ""); header.Get("Content-Length") != fmt.Sprint(len(content)) {
			t.Errorf("%v", header)
		}
		s.file(t, "DELETE", path, nil, 204, "")
		s.file(t, "DELETE", path, nil, 404, "unknown_file")
		s.file(t, "HEAD", path, nil, 404, "")
	}
}

func testFileRefused(t *testing.T, s *service, d *testkit.Daemon) {
	content := []byte("content")
	path := filePath(content)
	s.file(t, "PUT", path, []byte("else"), 422, "content_mismatch")
	s.file(t, "PUT", path, make([]byte, 8<<20+1), 413, "too_large")
	s.file(t, "PUT", "/v1/files/x", content, 422, "invalid_field")
	s.file(t, "POST", path, content, 405, "method_not_allowed")
	if status, _, _ := s.send(t, "PUT", path, "not the token", content); status != 401 {
		t.Errorf("without the token: %d", status)
	}
	s.file(t, "GET", path, nil, 404, "unknown_file")
	if left := unfinished(t, d); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	// The oldest makes room, and the disk has no more than it may.
	var all [][]byte
	for i := range 5 {
		all = append(all, bytes.Repeat([]byte{byte(i)}, 2<<20))
		s.file(t, "PUT", filePath(all[i]), all[i], 201, "")
	}
	s.file(t, "HEAD", filePath(all[0]), nil, 404, "")
	kept(t, s, all[1:]...)
	if m := metrics(t, s); m["cordon_store_evicted_total"] != 1 || m["cordon_store_bytes"] != 8<<20 {
		t.Errorf("%v evicted, %v bytes", m["cordon_store_evicted_total"], m["cordon_store_bytes"])
	}
	for _, content := range all[1:] {
		s.file(t, "DELETE", filePath(content), nil, 204, "")
	}
	if info, err := os.Stat(filepath.Join(d.State, "files")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// unfinished are the files that are being written.
func unfinished(t *testing.T, d *testkit.Daemon) []string {
	t.Helper()
	return entries(t, filepath.Join(d.State, "files", "incoming"))
}

// send sends a file up to its last byte, and returns when the service has all the rest
// on its disk that it will write before that.
func send(t *testing.T, s *service, d *testkit.Daemon, content []byte) {
	t.Helper()
	body, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() { stop(); w.Close() })
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+filePath(content), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	go func() {
		if resp, err := s.client.Do(req); err == nil {
			t.Errorf("half a file was answered: %s", resp.Status)
			resp.Body.Close()
		}
	}()
	if _, err := w.Write(content[:len(content)-1]); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if left := unfinished(t, d); len(left) == 1 {
			if info, err := os.Stat(left[0]); err == nil && info.Size() >= int64(len(content))/2 {
				return
			}
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("nothing arrives: %q", unfinished(t, d))
		}
	}
}
