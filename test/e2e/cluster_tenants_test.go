package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// mailbox receives the webhooks of a fleet.
type mailbox struct {
	*httptest.Server
	mu   sync.Mutex
	came map[string][]string // the types, by job
}

func openMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{came: map[string][]string{}}
	m.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var body struct{ Type string }
		_ = json.Unmarshal(text, &body)
		m.mu.Lock()
		defer m.mu.Unlock()
		id := r.Header.Get("webhook-id")
		m.came[id] = append(m.came[id], body.Type)
	}))
	t.Cleanup(m.Close)
	return m
}

// once: of each job one webhook has come, of this type.
func (m *mailbox) once(t *testing.T, want map[string]string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, kind := range want {
		if got := m.came[id]; len(got) != 1 || got[0] != kind {
			t.Errorf("webhooks of %s: %v, want one, %s", id, got, kind)
		}
	}
}

// shareTenants gives the fleet one file of tenants, one secret of webhooks, and somebody
// to receive them.
func (f *fleet) shareTenants(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	f.mail, f.told = openMailbox(t), map[string]string{}
	f.tenants, f.hookSecret = filepath.Join(dir, "tenants.json"), filepath.Join(dir, "webhook-secret")
	if err := os.WriteFile(f.hookSecret, []byte("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.manage(t, "tenant", "set", "hooked")
	f.hooked = f.manage(t, "key", "add", "--tenant", "hooked")
}

// answering are the flags of services that answer.
func (f *fleet) answering() []string {
	return []string{"--role", "api", "--queue-secret", f.secret, "--queue-lease", fleetLease.String(), "--drain", "2s", "--queue", "1000",
		"--tenants", f.tenants, "--webhook-hosts", f.mail.URL, "--webhook-secret", f.hookSecret}
}

func (f *fleet) startSecond(t *testing.T, state string) {
	t.Helper()
	f.second = testkit.StartDaemonIn(f.t, state, append(f.answering(), "--queue-url", "nats://"+f.at)...)
}

// manage runs cordon on the file of tenants that all share.
func (f *fleet) manage(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, &testkit.Daemon{State: filepath.Dir(f.tenants)}, append(args, "--tenants", f.tenants)...)
}

// tenant makes one with these limits. It gives both services for who holds a key of it.
func (f *fleet) tenant(t *testing.T, name, limits string) (at [2]*service, key string) {
	t.Helper()
	f.manage(t, "tenant", "set", name, "--limit", limits)
	key = f.manage(t, "key", "add", "--tenant", name)
	at = f.both(key)
	for _, s := range at {
		s.soon(t, 200, "")
	}
	return at, key
}

func (f *fleet) both(key string) [2]*service {
	return [2]*service{newService(f.api.URL, key), newService(f.second.URL, key)}
}

// refusedSoon waits until a request, which costs nothing when it is let through, is refused: each
// service learns from the queue, a moment later, of what came in at the other.
func (s *service) refusedSoon(t *testing.T, want, method, path, body string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		status, code := s.code(t, method, path, body)
		if code == want {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%s %s: %d %s, want %s", method, path, status, code, want)
		}
	}
}

// testTenants: two services that answer share the file of tenants, and a tenant is the same
// at both.
func (f *fleet) testTenants(t *testing.T) {
	t.Run("keys", f.testKeys)
	t.Run("visibility", f.testVisibility)
	t.Run("queue", f.testTenantQueue)
	t.Run("concurrency", f.testConcurrency)
	t.Run("stored bytes", f.testStored)
	t.Run("cpu", f.testCPUQuota)
}

func (f *fleet) testKeys(t *testing.T) {
	at, key := f.tenant(t, "keys", "queue=10") // made beside both: good at both
	elsewhere := &fleet{tenants: filepath.Join(t.TempDir(), "tenants.json")}
	elsewhere.manage(t, "tenant", "set", "keys")
	for i, s := range f.both(elsewhere.manage(t, "key", "add", "--tenant", "keys")) { // of a file that these do not share
		if status, code := s.code(t, http.MethodGet, "/v1/jobs", ""); status != 401 || code != "unauthorized" {
			t.Errorf("a key of another file at service %d: %d %s", i, status, code)
		}
	}
	f.manage(t, "key", "revoke", strings.Split(key, "_")[1])
	for _, s := range at {
		s.soon(t, 401, "unauthorized")
	}
}

func (f *fleet) testVisibility(t *testing.T) {
	mine, _ := f.tenant(t, "mine", "queue=10")
	other, _ := f.tenant(t, "other", "queue=10")
	j := mine[0].submit(t, object{"command": []string{"echo", "of mine"}})
	if r := mine[1].await(t, j.ID, "done"); r.Result.Stdout != "of mine\n" {
		t.Errorf("%s", r.Result.step)
	}
	listed := func(s *service) bool {
		_, _, answer := s.send(t, http.MethodGet, "/v1/jobs", s.token, nil)
		return strings.Contains(string(answer), j.ID)
	}
	for i := range mine {
		if !listed(mine[i]) || listed(other[i]) {
			t.Errorf("service %d does not list a tenant's jobs to it, or lists them to another", i)
		}
		for _, path := range []string{"/v1/jobs/" + j.ID, "/v1/jobs/" + j.ID + "/events"} {
			if status, code := other[i].code(t, http.MethodGet, path, ""); status != 404 || code != "unknown_job" {
				t.Errorf("another's %s at service %d: %d %s", path, i, status, code)
			}
		}
	}
}

// waits is a job that no worker of the fleet can run.
const waits = `{"language":"python","source":"pass"}`

// What waits is counted wherever it came in.
func (f *fleet) testTenantQueue(t *testing.T) {
	at, _ := f.tenant(t, "queue", "queue=2")
	var ids []string
	for _, s := range at {
		status, _, answer := s.send(t, http.MethodPost, "/v1/jobs", s.token, []byte(waits))
		if status != http.StatusAccepted {
			t.Fatalf("%d: %s", status, answer)
		}
		ids = append(ids, queuedOf(t, answer).ID)
		for _, both := range at { // what one has taken the other knows
			until(t, both, ids[len(ids)-1])
		}
	}
	for i, s := range at {
		if status, code := s.code(t, http.MethodPost, "/v1/jobs", waits); status != 429 || code != "tenant_queue_full" {
			t.Errorf("a third job at service %d: %d %s", i, status, code)
		}
	}
	for i, id := range ids { // each at the other
		if status, code := at[1-i].code(t, http.MethodDelete, "/v1/jobs/"+id, ""); status != 200 {
			t.Errorf("%d %s", status, code)
		}
	}
}

// until waits until a service lists a job: its own account then has it.
func until(t *testing.T, s *service, id string) {
	t.Helper()
	awaitThat(t, "a job is known at another service", func() bool {
		_, _, answer := s.send(t, http.MethodGet, "/v1/jobs", s.token, nil)
		return strings.Contains(string(answer), id)
	})
}

func (f *fleet) testStored(t *testing.T) {
	at, _ := f.tenant(t, "stored", "stored_bytes=30")
	const first, second = "twenty bytes of mine", "and twenty bytes too"
	if status, code := at[0].code(t, http.MethodPut, "/v1/files/"+sumOf(first), first); status != 201 {
		t.Fatalf("%d %s", status, code)
	}
	awaitThat(t, "the other service knows the file", func() bool {
		status, _, _ := at[1].send(t, http.MethodGet, "/v1/files/"+sumOf(first), at[1].token, nil)
		return status == 200
	})
	if status, code := at[1].code(t, http.MethodPut, "/v1/files/"+sumOf(second), second); status != 507 || code != "tenant_store_full" {
		t.Errorf("more than it may store, at the other service: %d %s", status, code)
	}
}

// What a job has used counts at every service, and a job is charged once.
func (f *fleet) testCPUQuota(t *testing.T) {
	at, _ := f.tenant(t, "cpu", "cpu_seconds_per_hour=0.05")
	spin := object{"command": shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")}
	f.await(t, at[0].submit(t, spin).ID, "done")
	for _, s := range at { // a job that would not be begun, were it taken
		s.refusedSoon(t, "cpu_quota", http.MethodPost, "/v1/jobs", waits)
	}
}

// longHooked is a long job of whose end somebody is told.
func (f *fleet) longHooked(t *testing.T, at *service) *queuedJob {
	t.Helper()
	job := object{"webhook": object{"url": f.mail.URL}}
	for name, value := range longJob {
		job[name] = value
	}
	return at.submit(t, job)
}

// toldOnce waits until a job's webhook was delivered, and holds the fleet to it: to the
// end of the test there is no other.
func (f *fleet) toldOnce(t *testing.T, id, kind string) {
	t.Helper()
	awaitThat(t, "the webhook of "+id, func() bool {
		_, _, answer := f.send(t, http.MethodGet, "/v1/jobs/"+id, f.token, nil)
		var j struct {
			Webhook struct {
				State    string
				Attempts int
			}
		}
		if err := json.Unmarshal(answer, &j); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		if j.Webhook.State == "delivered" && j.Webhook.Attempts != 1 {
			t.Errorf("%s took %d attempts", id, j.Webhook.Attempts)
		}
		return j.Webhook.State == "delivered"
	})
	f.told[id] = kind
	f.mail.once(t, f.told)
}

// Each service that runs jobs holds a tenant to its concurrency for itself.
func (f *fleet) testConcurrency(t *testing.T) {
	at, _ := f.tenant(t, "few", "concurrency=1")
	var ids []string
	for i := range 4 { // as many as there are places
		ids = append(ids, at[i%2].submit(t, object{"command": []string{"sleep", "1000.5"}, "limits": object{"wall_ms": 30_000}}).ID)
	}
	most := func() (n [2]int) {
		for i := range n {
			n[i] = len(f.running(t, i))
		}
		return n
	}
	awaitThat(t, "each worker runs one", func() bool { return most() == [2]int{1, 1} })
	// An operator's job comes in behind them, into a place that they may not have.
	f.await(t, f.submit(t, object{"command": []string{"true"}}).ID, "done")
	if n := most(); n != [2]int{1, 1} {
		t.Errorf("a tenant that may run one job at each worker has %v", n)
	}
	for i, id := range ids {
		if status, code := at[(i+1)%2].code(t, http.MethodDelete, "/v1/jobs/"+id, ""); status != 200 {
			t.Errorf("%d %s", status, code)
		}
	}
	awaitThat(t, "they have ended", func() bool { return most() == [2]int{} })
}
