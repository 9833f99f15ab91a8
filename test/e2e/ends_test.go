package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// start posts a job in the background and returns when it runs.
func start(t *testing.T, d *testkit.Daemon, s *service, job object) <-chan result {
	t.Helper()
	before := running(t, s)
	answer := make(chan result, 1)
	go func() {
		defer close(answer)
		body, err := json.Marshal(job)
		if err != nil {
			t.Error(err)
			return
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/run", strings.NewReader(string(body)))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := s.client.Do(req)
		if err != nil {
			return // the service has died: there is no answer
		}
		defer resp.Body.Close()
		var r result
		if err := json.NewDecoder(resp.Body).Decode(&r); err == nil {
			answer <- r
		}
	}()
	for range 1000 {
		if running(t, s) > before {
			return answer
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the job does not start:\n%s", d.Log())
	return nil
}

func running(t *testing.T, s *service) float64 {
	t.Helper()
	status, _, text := s.send(t, http.MethodGet, "/metrics", s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("GET /metrics: %d", status)
	}
	return samples(text)["cordon_jobs_running"]
}

// TestDrain: at its end the service lets jobs finish, for as long as it was told.
func TestDrain(t *testing.T) {
	t.Run("in time", func(t *testing.T) {
		d := testkit.StartDaemon(t, "--languages", "sh")
		s := newService(d.URL, d.Token)
		answer := start(t, d, s, object{"command": []string{"sh", "-c", "sleep 1; echo done"}})
		d.Signal(t, syscall.SIGTERM)
		r, ok := <-answer
		if !ok || r.Verdict != "ok" || r.out(t) != "done\n" {
			t.Errorf("answered %v: %s", ok, r.step)
		}
		d.Wait(t)
	})
	t.Run("too late", func(t *testing.T) {
		d := testkit.StartDaemon(t, "--drain", "100ms", "--languages", "sh")
		s := newService(d.URL, d.Token)
		answer := start(t, d, s, object{"command": []string{"sleep", "1000"}, "limits": object{"wall_ms": 60_000}})
		d.Signal(t, syscall.SIGTERM)
		r, ok := <-answer
		if !ok || r.Verdict != "interrupted" {
			t.Errorf("answered %v: %s", ok, r.step)
		}
		d.Wait(t)
	})
}

// TestSocket: the API on a unix socket that only the service user can reach; a
// second service does not take it, and a stale one is replaced.
func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "api")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	d := testkit.StartDaemon(t, "--socket", path, "--languages", "sh")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	for route, want := range map[string]int{"/readyz": 200, "/v1/policies": 401} {
		resp, err := client.Get("http://cordon" + route)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s", route, resp.Status)
		}
	}
	out, err := testkit.Command(t, "serve", "--listen", "", "--socket", path, "--state", t.TempDir(), "--go-cache", "off").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by a running service") {
		t.Errorf("a second service on the socket: %v: %s", err, out)
	}
	s := newService(d.URL, d.Token)
	s.run(t, object{"command": []string{"true"}}).want(t, "ok")
}
