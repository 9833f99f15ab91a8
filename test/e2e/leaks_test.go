package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/processes"
	"cordon/internal/testkit"
)

// mixed are jobs that end in every way there is.
var mixed = []struct {
	verdict string
	job     object
}{
	{"ok", object{"command": []string{"/bin/true"}}},
	{"ok", object{"command": []string{"cat"}, "stdin": strings.Repeat("line\n", 1000)}},
	{"ok", object{"language": "python", "source": "print(sum(range(1000)))"}},
	{"ok", object{"command": []string{"sh", "-c", "sleep 100 & sleep 100 & echo done"}}},
	{"ok", object{"command": []string{"sh", "-c", "mkdir -p a/b; echo x > a/b/c; ln -s c a/b/d"}, "outputs": []string{"a/b/c", "a/b/d"},
		"files": []object{{"path": "in", "content": strings.Repeat("x", 100_000)}}}},
	{"ok", object{"command": []string{"sh", "-c", "unshare -U true; mount -t tmpfs x /tmp; true"}}},
	{"ok", object{"command": []string{"sh", "-c", "echo > /usr/bin/x; true"}, "writable_root": true}},
	{"nonzero", object{"command": []string{"sh", "-c", "exit 3"}}},
	{"signaled", object{"command": []string{"sh", "-c", "kill -SEGV $$"}}},
	{"exec_failed", object{"command": []string{"./none"}}},
	{"memory_limit", object{"command": []string{"sh", "-c", "head -c 200M /dev/zero | tail -c 200M > /dev/null"}, "limits": object{"memory_bytes": 32 << 20}}},
	{"cpu_limit", object{"command": []string{"sh", "-c", "while :; do :; done"}, "limits": object{"cpu_ms": 50}}},
	{"wall_limit", object{"command": []string{"sleep", "100"}, "limits": object{"wall_ms": 50}}},
	{"output_limit", object{"command": []string{"yes"}, "limits": object{"output_bytes": 1000}}},
	{"build_failed", object{"command": []string{"true"}, "build": object{"command": []string{"false"}}}},
	{"cancelled", object{"command": []string{"sleep", "100"}}},
}

// TestLeaks runs a thousand jobs, a few at a time, and looks at the service
// before and after.
func TestLeaks(t *testing.T) {
	t.Parallel() // it counts what is its own
	d := testkit.StartDaemon(t, "--policies", writePolicy(t))
	s := newService(d.URL, d.Token)
	runMixed(t, s, 100) // fills pools, caches and the heap
	before := observe(t, d, s)
	runMixed(t, s, 1000)
	var after observation
	for range 100 { // the last cells are taken down behind the last answers
		if after = observe(t, d, s); after.same(before) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("before: %+v", before)
	t.Logf("after:  %+v", after)
	if !after.same(before) {
		t.Error("something is left behind")
	}
	if grown := after.memory - before.memory; grown > 32<<20 {
		t.Errorf("the service has grown by %d bytes", grown)
	}
	if after.leaks != 0 {
		t.Errorf("cordon_leaks_total is %v", after.leaks)
	}
}

// writePolicy makes a policy that has everything the jobs ask for.
func writePolicy(t *testing.T) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mixed.yaml"), []byte(mixedPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const mixedPolicy = `name: mixed
description: For the test of leaks.
extends: dev
`

func runMixed(t *testing.T, s *service, count int) {
	t.Helper()
	next := make(chan int, count)
	for i := range count {
		next <- i
	}
	close(next)
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			for i := range next {
				m := mixed[i%len(mixed)]
				job := object{"policy": "mixed"}
				for k, v := range m.job {
					job[k] = v
				}
				if m.verdict == "cancelled" {
					s.abandon(t, job)
					continue
				}
				if r := s.run(t, job); r.Verdict != m.verdict {
					t.Errorf("verdict %s, want %s: %v %s", r.Verdict, m.verdict, m.job["command"], r)
				}
			}
		})
	}
	wait.Wait()
}

// abandon sends a job and goes away while it runs.
func (s *service) abandon(t *testing.T, job object) {
	body, err := json.Marshal(job)
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/run", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	if resp, err := s.client.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("a job that sleeps for 100 s was answered within 50 ms: %s", resp.Status)
	}
}

// observation is what the service holds.
type observation struct {
	processes, fds, groups, files int
	goroutines, ids, running      float64
	warm, leaks                   float64
	memory                        int64
}

// fewGoroutines come and go in the server of the queue, by one or two: they are seen with
// no job running, too. A thousand jobs that left any would leave many.
const fewGoroutines = 4

// same: everything that is counted, but for memory, which breathes.
func (o observation) same(b observation) bool {
	if o.goroutines > b.goroutines+fewGoroutines {
		return false
	}
	o.memory, b.memory, o.goroutines, b.goroutines = 0, 0, 0, 0
	return o == b
}

func observe(t *testing.T, d *testkit.Daemon, s *service) observation {
	t.Helper()
	s.client.CloseIdleConnections() // each is a goroutine and an fd of the service
	time.Sleep(50 * time.Millisecond)
	m := metrics(t, s)
	o := observation{goroutines: m["go_goroutines"], ids: m["cordon_free_id_ranges"], running: m["cordon_jobs_running"],
		warm: m["cordon_warm_cells"], leaks: m["cordon_leaks_total"], memory: int64(m["process_resident_memory_bytes"])}
	all := testkit.Descendants(t, d.Pid)
	o.processes, o.fds = len(all), openFiles(t, all)
	o.groups = len(testkit.Groups(t, all))
	err := filepath.WalkDir(d.State, func(string, os.DirEntry, error) error { o.files++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// openFiles counts the daemon's descriptors, but for what the service keeps for later.
func openFiles(t *testing.T, all []testkit.Process) (n int) {
	t.Helper()
	daemon := 0
	for _, p := range all {
		if p.Name == "cordon-cell" {
			daemon = p.Parent
			break // a fork server comes before its cells
		}
	}
	dir := fmt.Sprintf("/proc/%d/fd", daemon)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && !processes.ComesAndGoes(to) {
			n++
		}
	}
	return n
}

// metrics reads the samples without labels.
func metrics(t *testing.T, s *service) map[string]float64 {
	t.Helper()
	status, _, text := s.send(t, http.MethodGet, "/metrics", s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: %d", status)
	}
	out := samples(text)
	for _, name := range []string{"go_goroutines", "cordon_free_id_ranges", "cordon_warm_cells", "process_open_fds", "process_resident_memory_bytes"} {
		if out[name] == 0 {
			t.Fatalf("/metrics has no %s", name)
		}
	}
	return out
}

// samples reads what /metrics prints, but for samples with labels.
func samples(text []byte) map[string]float64 {
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		var name string
		var value float64
		if n, _ := fmt.Sscan(line, &name, &value); n == 2 {
			out[name] = value
		}
	}
	return out
}
