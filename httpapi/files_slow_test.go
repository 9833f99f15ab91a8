package httpapi

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/store"
)

// fileRequest is a request for a file as it goes over the line, up to its body.
func (s *served) fileRequest(method, path string, headers ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: " + s.addr + "\r\nAuthorization: Bearer " + canary + "\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

// transferring waits until so many files come or go.
func (s *served) transferring(t *testing.T, n int) {
	t.Helper()
	until(t, func() bool { return s.transfers.inside() == n })
}

// TestSlowUpload: a file that does not end is answered, and its place, its room and
// what was written of it are free again. What is refused is not read first.
func TestSlowUpload(t *testing.T) {
	for _, length := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		s := impatientWith(t, func(p *patience) { p.body, p.rate = 200*time.Millisecond, 1<<20 }, withFiles(t, nil))
		c := s.dial(t)
		_, _ = io.WriteString(c, s.fileRequest("PUT", pathOf("x"), length))
		if strings.HasPrefix(length, "Content") {
			go drips(c)
		}
		answer, err := io.ReadAll(c)
		if isTimeout(err) || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "too slowly") {
			t.Errorf("%s: %v %q", length, err, answer)
		}
		s.transferring(t, 0)
		if stats := s.config.Files.Stats(); stats != (store.Stats{}) {
			t.Errorf("%s: %+v", length, stats)
		}
	}
	s := impatientWith(t, func(*patience) {}, withFiles(t, nil)) // in which a body may take an hour
	for name, request := range map[string]string{
		"too large": s.fileRequest("PUT", pathOf("x"), "Content-Length: 1000000000000"),
		"no sum":    s.fileRequest("PUT", "/v1/files/x", "Content-Length: 1000"),
		"packed":    s.fileRequest("PUT", pathOf("x"), "Content-Encoding: br", "Transfer-Encoding: chunked"),
	} {
		c := s.dial(t)
		_, _ = io.WriteString(c, request)
		if answer, err := io.ReadAll(c); isTimeout(err) || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%s: %v %q", name, err, answer)
		}
	}
}

// TestLongUpload: who keeps the pace may take longer than any other body may.
func TestLongUpload(t *testing.T) {
	s := impatientWith(t, func(p *patience) { p.body, p.answer, p.rate = time.Second, time.Second, 100 }, withFiles(t, nil))
	content := strings.Repeat("0123456789", 200) // twenty seconds' worth
	c := s.dial(t)
	_, _ = io.WriteString(c, s.fileRequest("PUT", pathOf(content), "Content-Length: 2000", "Connection: close"))
	started := time.Now()
	_, _ = io.WriteString(c, content[:1900])
	time.Sleep(2 * s.patience.body)
	_, _ = io.WriteString(c, content[1900:])
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 201 ") || time.Since(started) < s.patience.body {
		t.Errorf("%v %q", err, answer)
	}
}

// TestSlowDownload: a file that nobody reads is given up, and is not in use any more.
func TestSlowDownload(t *testing.T) {
	s := impatientWith(t, func(p *patience) { p.answer, p.rate = 300*time.Millisecond, 1<<30 },
		withFiles(t, func(c *store.Config) { c.MaxBytes, c.MaxFileBytes = 64<<20, 64<<20 }))
	path := s.put(t, strings.Repeat("x", 64<<20))
	c := s.dial(t)
	_, _ = io.WriteString(c, s.fileRequest("GET", path))
	if _, err := c.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	s.transferring(t, 0)
	if pinned := s.config.Files.Stats().PinnedFiles; pinned != 0 {
		t.Errorf("%d files are in use", pinned)
	}
	if answer, err := io.ReadAll(c); isTimeout(err) || len(answer) >= 64<<20 {
		t.Errorf("%v, %d bytes: it was not given up", err, len(answer))
	}
	if r := s.send(t, "DELETE", path, nil); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// TestTransferPlaces: slow transfers take no place of a job, and more than there are
// places for are refused at once.
func TestTransferPlaces(t *testing.T) {
	files := withFiles(t, nil)
	s := impatientWith(t, func(*patience) {}, func(c *Config) { files(c); c.MaxConns = 16 })
	var slow []net.Conn
	for range transfers(16) {
		c := s.dial(t)
		_, _ = io.WriteString(c, s.fileRequest("PUT", pathOf("y"), "Content-Length: 1"))
		slow = append(slow, c)
	}
	s.transferring(t, len(slow))
	if r := s.send(t, "PUT", pathOf("x"), strings.NewReader("x")); r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	} else {
		r.wants(t, CodeQueueFull, "")
	}
	s.send(t, "GET", pathOf("x"), nil).wants(t, CodeQueueFull, "")
	if r := s.send(t, "HEAD", pathOf("x"), nil); r.status != 404 {
		t.Errorf("HEAD: %d", r.status)
	}
	if r := <-s.post(t); r == nil || r.status != 200 {
		t.Errorf("a job: %+v", r)
	}
	for _, c := range slow {
		_, _ = io.WriteString(c, "y")
	}
	s.transferring(t, 0)
	if s.put(t, "x"); s.config.Files.Stats().Files != 2 {
		t.Errorf("%+v", s.config.Files.Stats())
	}
	for conns, want := range map[int]int{1: 1, 16: 4, 128: 32, 4096: 32} {
		if got := transfers(conns); got != want {
			t.Errorf("%d connections: %d transfers", conns, got)
		}
	}
}

// TestCutOffUpload: a client that goes away leaves nothing.
func TestCutOffUpload(t *testing.T) {
	s := impatientWith(t, func(*patience) {}, withFiles(t, nil))
	for name, rest := range map[string]string{"length": "Content-Length: 100\r\n\r\nxx", "bad chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\n"} {
		c := s.dial(t)
		_, _ = io.WriteString(c, strings.TrimSuffix(s.fileRequest("PUT", pathOf("x")), "\r\n")+rest)
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(c); isTimeout(err) || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%s: %v %q", name, err, answer)
		}
	}
	s.transferring(t, 0)
	if stats := s.config.Files.Stats(); stats != (store.Stats{}) {
		t.Errorf("%+v", stats)
	}
}

// TestDrainFiles: at the end of the service what comes or goes has the drain time, and
// is cut off then; nothing new is taken.
func TestDrainFiles(t *testing.T) {
	s := serveWith(t, 200*time.Millisecond, nil, withFiles(t, nil))
	there := s.put(t, "there")
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, s.fileRequest("PUT", pathOf("x"), "Content-Length: 1"))
	s.transferring(t, 1)
	s.stop()
	s.refusedSoon()
	s.direct(t, "PUT", pathOf("new"), unreadable{t}).wants(t, CodeShuttingDown, "")
	s.direct(t, "GET", there, nil).wants(t, CodeShuttingDown, "")
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") || !strings.Contains(string(answer), string(CodeShuttingDown)) {
		t.Errorf("%v %q", err, answer)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

// TestUploadIsNotBuffered: however large a file is, little memory is needed for it.
func TestUploadIsNotBuffered(t *testing.T) {
	s := startWithFiles(t, func(c *store.Config) { c.MaxBytes, c.MaxFileBytes = 256<<20, 256<<20 })
	const size = 64 << 20
	most := uint64(0)
	body := &watched{left: size, at: func() { most = max(most, heap()) }}
	before := heap()
	if r := s.send(t, "PUT", pathOf("x"), body); r.status != 422 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if most > before+size/4 {
		t.Errorf("the heap grew by %d bytes while %d were sent", most-before, size)
	}
}

// TestManyTransfers does everything at once; the race detector looks on.
func TestManyTransfers(t *testing.T) {
	s := startWithFiles(t, func(c *store.Config) { c.MaxBytes, c.MaxFiles = 1<<20, 6 })
	var all sync.WaitGroup
	for worker := range 6 {
		all.Go(func() {
			for i := range 12 {
				content := strings.Repeat(string(rune('a'+(i+worker)%10)), 1000*(i+1))
				path := s.put(t, content)
				switch r := s.send(t, http.MethodGet, path, nil); r.status {
				case 200:
					if string(r.body) != content {
						t.Errorf("%d bytes of something else", len(r.body))
					}
				case 404:
				default:
					t.Errorf("GET %d %s", r.status, r.body)
				}
				if r := s.send(t, http.MethodDelete, path, nil); r.status != 204 && r.status != 404 && r.status != 409 {
					t.Errorf("DELETE %d %s", r.status, r.body)
				}
			}
		})
	}
	all.Wait()
}

// watched is a body of zeros that looks around at each read.
type watched struct {
	left int
	at   func()
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	if w.left%(8<<20) < 64<<10 {
		w.at()
	}
	n := min(len(p), w.left)
	clear(p[:n])
	w.left -= n
	return n, nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
