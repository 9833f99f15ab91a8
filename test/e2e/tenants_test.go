package e2e

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// command runs cordon as the service's user, and gives what it prints.
func command(t *testing.T, d *testkit.Daemon, args ...string) string {
	t.Helper()
	cmd := testkit.Command(t, append(args, "--state", d.State)...)
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("cordon %v: %v: %s", args, err, told.String())
	}
	return strings.TrimSpace(string(out))
}

// as is the service for who holds a key.
func (s *service) as(key string) *service { return newService(s.url, key) }

// code is that of a problem, with its status.
func (s *service) code(t *testing.T, method, path, body string) (status int, code string) {
	t.Helper()
	status, _, answer := s.send(t, method, path, s.token, []byte(body))
	var p struct{ Code string }
	if status >= 400 {
		if err := json.Unmarshal(answer, &p); err != nil {
			t.Fatalf("%d %s", status, answer)
		}
	}
	return status, p.Code
}

// soon waits until a request is answered so: the service is told of a change by the kernel,
// a moment after the command has ended.
func (s *service) soon(t *testing.T, status int, code string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		got, is := s.code(t, http.MethodGet, "/v1/jobs", "")
		if got == status && is == code {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%d %s, want %d %s", got, is, status, code)
		}
	}
}

// TestTenants takes two tenants the whole way, on a service that was started without any.
func TestTenants(t *testing.T) {
	state := t.TempDir()
	early := testkit.Daemon{State: state}
	command(t, &early, "tenant", "set", "one", "--limit", "concurrency=2")
	first := command(t, &early, "key", "add", "--tenant", "one") // before the service's first start
	d := testkit.StartDaemonIn(t, state, "--languages", "sh", "--parallel", "2")
	operator := newService(d.URL, d.Token)
	one := operator.as(first)
	one.soon(t, 200, "")
	command(t, d, "tenant", "set", "two", "--limit", "stored_bytes=1K,cpu_seconds_per_hour=3600", "--policy", "default")
	two := operator.as(command(t, d, "key", "add", "--tenant", "two", "--name", "the second"))
	two.soon(t, 200, "")
	t.Run("jobs", func(t *testing.T) {
		job := one.submit(t, object{"command": shell("echo of one; sleep 60")})
		for _, method := range []string{"GET", "DELETE"} {
			if status, code := two.code(t, method, "/v1/jobs/"+job.ID, ""); status != 404 || code != "unknown_job" {
				t.Errorf("%s of another's job: %d %s", method, status, code)
			}
		}
		if status, _ := two.code(t, "GET", "/v1/jobs/"+job.ID+"/events", ""); status != 404 {
			t.Errorf("another's events: %d", status)
		}
		stream := follow(t, one, job.ID)
		line(t, stream, "of one")
		if r := two.run(t, object{"command": shell("echo meanwhile")}); r.out(t) != "meanwhile\n" {
			t.Errorf("%s", r.step)
		}
		if status, code := two.code(t, "POST", "/v1/run", `{"policy":"dev","command":["true"]}`); status != 403 || code != "policy_not_allowed" {
			t.Errorf("%d %s", status, code)
		}
		if status, code := two.code(t, "GET", "/metrics", ""); status != 403 || code != "missing_scope" {
			t.Errorf("%d %s", status, code)
		}
		// Revoked, the key is unknown and its stream ends; the job goes on.
		command(t, d, "key", "revoke", strings.Split(first, "_")[1])
		line(t, stream, `"reason":"unauthorized"`)
		one.soon(t, 401, "unauthorized")
		if j := operator.job(t, job.ID); j.State != "running" {
			t.Errorf("the job is %s", j.State)
		}
		if status, _ := operator.code(t, "DELETE", "/v1/jobs/"+job.ID, ""); status != 200 {
			t.Errorf("the operator ends it: %d", status)
		}
	})
	text := command(t, d, "key", "add", "--tenant", "one")
	one = operator.as(text)
	one.soon(t, 200, "")
	t.Run("files", func(t *testing.T) {
		content := "of both"
		sum := sha256.Sum256([]byte(content))
		path := "/v1/files/" + hex.EncodeToString(sum[:])
		if status, _ := one.code(t, "PUT", path, content); status != 201 {
			t.Fatalf("%d", status)
		}
		use := object{"command": []string{"cat"}, "stdin_sha256": hex.EncodeToString(sum[:])}
		body, _ := json.Marshal(use)
		for _, c := range []struct{ method, path, code string }{{"GET", path, "unknown_file"}, {"DELETE", path, "unknown_file"}, {"POST", "/v1/run", "invalid_field"}} {
			if status, code := two.code(t, c.method, c.path, string(body)); status < 400 || code != c.code {
				t.Errorf("%s %s: %d %s", c.method, c.path, status, code)
			}
		}
		if status, _ := two.code(t, "PUT", path, content); status != 201 {
			t.Errorf("%d", status)
		}
		for _, s := range []*service{one, two} {
			if r := s.run(t, use); r.out(t) != content {
				t.Errorf("%s", r.step)
			}
		}
		if r := two.run(t, object{"command": shell("head -c 2000 /dev/zero > o"), "outputs": []string{"o"}, "keep_outputs": true}); len(r.Files) != 1 || r.Files[0].Error != "store_full" {
			t.Errorf("%+v", r.Files)
		}
		if status, code := two.code(t, "PUT", "/v1/files/"+strings.Repeat("0", 64), strings.Repeat("x", 1100)); status != 507 || code != "tenant_store_full" {
			t.Errorf("%d %s", status, code)
		}
		if status, _ := two.code(t, "DELETE", path, ""); status != 204 {
			t.Errorf("%d", status)
		}
		if r := one.run(t, use); r.out(t) != content {
			t.Errorf("gone with another's: %s", r.step)
		}
	})
	t.Run("builds", func(t *testing.T) {
		job := object{"command": shell("cat built"), "build": object{"command": shell("echo yes > built")}}
		cached := func(s *service) bool {
			status, _, answer := s.send(t, "POST", "/v1/run", s.token, mustJSON(t, job))
			var r struct{ Build struct{ Cached *bool } }
			if err := json.Unmarshal(answer, &r); err != nil || status != 200 || r.Build.Cached == nil {
				t.Fatalf("%d %s", status, answer)
			}
			return *r.Build.Cached
		}
		if cached(one) || !cached(one) || cached(two) || !cached(two) || cached(operator) {
			t.Error("a build is used by somebody else than who made it, or not by who did")
		}
	})
	t.Run("metrics", func(t *testing.T) {
		_, _, answer := operator.send(t, "GET", "/metrics", d.Token, nil)
		for _, want := range []string{`cordon_tenant_jobs_total{tenant="one",verdict="ok"}`, `cordon_tenant_jobs_total{tenant="one",verdict="cancelled"} 1`,
			`cordon_tenant_stored_bytes{tenant="one"} 7`, `cordon_tenant_stored_bytes{tenant="two"} 0`, `cordon_tenant_refused_total{code="tenant_store_full",tenant="two"} 1`, "cordon_tenants 2"} {
			if !strings.Contains(string(answer), want) {
				t.Errorf("%s is missing", want)
			}
		}
		all := string(answer) + d.Log() + command(t, d, "key", "list") + command(t, d, "key", "list", "--json")
		for _, key := range []string{first, text, two.token} {
			if strings.Contains(all, key) || strings.Contains(all, key[18:50]) {
				t.Error("a key is in the log, in metrics or in a list")
			}
		}
		if !strings.Contains(d.Log(), "tenant=one") || !strings.Contains(all, "the second") {
			t.Error("control: nothing of tenants is told at all")
		}
	})
	t.Run("broken", func(t *testing.T) {
		name := filepath.Join(d.State, "tenants.json")
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ text, metric string }{{"{", "cordon_tenants_broken 1"}, {string(good), "cordon_tenants_broken 0"}} {
			if err := os.WriteFile(name, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for began := time.Now(); ; time.Sleep(time.Millisecond) {
				if _, _, answer := operator.send(t, "GET", "/metrics", d.Token, nil); strings.Contains(string(answer), c.metric) {
					break
				}
				if time.Since(began) > time.Minute {
					t.Fatalf("never: %s", c.metric)
				}
			}
			one.soon(t, 200, "")
		}
		if !strings.Contains(d.Log(), "cannot be used") {
			t.Error("it is not told")
		}
	})
	t.Run("start", func(t *testing.T) { sameAfterAStart(t, d, operator) })
}

// sameAfterAStart: a service that is started anew has the same keys and files, and what
// was charged.
func sameAfterAStart(t *testing.T, d *testkit.Daemon, operator *service) {
	used := func(s *service) (row string) {
		_, _, answer := s.send(t, "GET", "/metrics", s.token, nil)
		for text := range strings.Lines(string(answer)) {
			if strings.HasPrefix(text, `cordon_tenant_cpu_seconds_hour{tenant="one"}`) || strings.HasPrefix(text, `cordon_tenant_stored_bytes{tenant="one"}`) {
				row += text
			}
		}
		return row
	}
	before := used(operator)
	d.Signal(t, 15)
	d.Wait(t)
	again := testkit.StartDaemonIn(t, d.State, "--languages", "sh", "--parallel", "2")
	if after := used(newService(again.URL, again.Token)); after != before || !strings.Contains(after, "stored_bytes") || strings.Contains(after, "} 0\n") {
		t.Errorf("before:\n%safter:\n%s", before, after)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// follow opens a job's events.
func follow(t *testing.T, s *service, id string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", resp.Status)
	}
	return bufio.NewScanner(resp.Body)
}

// line reads until one has this text.
func line(t *testing.T, in *bufio.Scanner, text string) {
	t.Helper()
	for in.Scan() {
		if strings.Contains(in.Text(), text) {
			return
		}
	}
	t.Fatalf("the stream ended before %q: %v", text, in.Err())
}
