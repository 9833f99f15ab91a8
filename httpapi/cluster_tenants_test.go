package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
	"cordon/tenants"
)

// tenantCluster is a cluster in which the services that answer have the file of tenants, and
// the worker has none.
type tenantCluster struct {
	*cluster
	*tenanted // the first one
	logs      map[string]string
}

func startTenantCluster(t *testing.T, names ...string) *tenantCluster {
	t.Helper()
	c := &tenantCluster{tenanted: &tenanted{document: &tenants.Document{Version: 1}, keys: map[string]string{}}, logs: map[string]string{}}
	registry := tenants.NewRegistry()
	c.cluster = startClusterWith(t, func(name string, q *queue.Config, s *Config) {
		s.Tenancy = &Tenancy{Keys: registry, Meter: tenants.NewMeter()}
		if name == "worker" {
			s.Tenancy.Keys = tenants.NewRegistry()
		}
		q.Ran = func(tenant string, cpu, _, _ time.Duration) { s.Tenancy.Meter.Charge(tenant, cpu) }
		c.logs[name] = filepath.Join(t.TempDir(), "audit")
		log, err := audit.Open(c.logs[name], name, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s.Audit = log
		t.Cleanup(func() { _ = log.Close() })
	})
	c.queued = c.api
	for _, name := range names {
		c.limit(t, name, tenants.Limits{})
		c.keys[name] = c.key(t, name, tenants.DefaultScopes...)
	}
	return c
}

// by sends as a tenant to one of the services.
func (c *tenantCluster) by(t *testing.T, s *queued, tenant, method, path, body string) *reply {
	t.Helper()
	return s.send(t, method, path, strings.NewReader(body), "Authorization", "Bearer "+c.keys[tenant])
}

func (c *tenantCluster) log(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(c.logs[name])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTenantsOfACluster(t *testing.T) {
	c := startTenantCluster(t, "a.1", "b")
	t.Run("files", c.testFiles)
	t.Run("run", c.testRun)
	t.Run("limits", c.testLimits)
}

// Whose a file is all services know, and nobody else does.
func (c *tenantCluster) testFiles(t *testing.T) {
	const content, other = "the secret of a", "what nobody has"
	path, none := pathOf(content), pathOf(other)
	sum, absent := strings.TrimPrefix(path, "/v1/files/"), strings.TrimPrefix(none, "/v1/files/")
	if r := c.by(t, c.api, "a.1", "PUT", path, content); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	job := func(sum string) string { return `{"command":["cat"],"files":[{"path":"f","sha256":"` + sum + `"}]}` }
	for _, s := range []*queued{c.api, c.other} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			like(t, method, c.by(t, s, "b", method, path, ""), c.by(t, s, "b", method, none, ""), sum, absent)
			if r := c.by(t, s, "b", method, path, ""); r.status != 404 {
				t.Errorf("%s: %d %s", method, r.status, r.body)
			}
		}
		for _, route := range []string{runPath, jobsPath} {
			like(t, route, c.by(t, s, "b", "POST", route, job(sum)), c.by(t, s, "b", "POST", route, job(absent)), sum, absent)
		}
		like(t, "PUT of something else", c.by(t, s, "b", "PUT", path, "xyz"), c.by(t, s, "b", "PUT", none, "xyz"), sum, absent)
		if r := c.by(t, s, "a.1", "GET", path, ""); string(r.body) != content {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	if r := c.by(t, c.other, "b", "PUT", path, content); r.status != 201 {
		t.Errorf("the same of another is new: %d %s", r.status, r.body)
	}

	// A job has its tenant's, where it runs too, and keeps what it makes for that tenant.
	begun, release := make(chan string, 1), make(chan struct{})
	c.worker.runner.does(func(ctx context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		begun <- j.Tenant
		<-release
		j.Stdin.Data = []byte("made of it")
		return keptOutputs(ctx, j)
	})
	j := c.by(t, c.other, "a.1", "POST", jobsPath, `{"command":["cat"],"files":[{"path":"f","sha256":"`+sum+`"}],"outputs":["o"],"keep_outputs":true}`).job(t)
	if tenant := <-begun; tenant != "a.1" {
		t.Errorf("run for %q", tenant)
	}
	c.by(t, c.api, "a.1", "DELETE", path, "").wants(t, CodeFileInUse, "")
	if r := c.by(t, c.other, "b", "DELETE", path, ""); r.status != 204 {
		t.Errorf("its own: %d %s", r.status, r.body)
	}
	close(release)
	c.api.until(t, j.ID, queue.Done)
	made := pathOf("made of it")
	for _, s := range []*queued{c.api, c.other} {
		if r := c.by(t, s, "a.1", "GET", made, ""); string(r.body) != "made of it" {
			t.Errorf("%d %s", r.status, r.body)
		}
		c.by(t, s, "b", "GET", made, "").wants(t, CodeUnknownFile, "")
		c.by(t, s, "b", "GET", jobsPath+"/"+j.ID, "").wants(t, CodeUnknownJob, "")
	}
	if n := c.api.config.Shared.of("a.1", 0).bytes(); n != int64(len(content)+len("made of it")) {
		t.Errorf("%d bytes are a's", n)
	}
}

// A direct job through the queue is its tenant's: in the record, in what is charged, and in
// what is written down.
func (c *tenantCluster) testRun(t *testing.T) {
	c.worker.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.CPUNanos = int64(3 * time.Second)
		r.Stdout = []byte(j.Tenant)
		return r, nil
	})
	before := c.api.config.Tenancy.Meter.Used("b")
	if r := c.by(t, c.api, "b", "POST", runPath, trueJob); !strings.Contains(string(r.body), `"stdout":"b"`) {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if used := c.api.config.Tenancy.Meter.Used("b") - before; used != 3*time.Second {
		t.Errorf("charged %v", used)
	}
	id := ""
	for line := range strings.SplitSeq(c.log(t, "api"), "\n") {
		if strings.Contains(line, `"event":"job.submitted"`) && strings.Contains(line, `"tenant":"b"`) {
			_, id, _ = strings.Cut(line, `"job":"`)
			id, _, _ = strings.Cut(id, `"`)
		}
	}
	if id == "" {
		t.Fatalf("not written down:\n%s", c.log(t, "api"))
	}
	eventuallyIn(t, "the worker has written down that it has ended", func() bool {
		for line := range strings.SplitSeq(c.log(t, "worker"), "\n") {
			if strings.Contains(line, `"event":"job.ended"`) && strings.Contains(line, id) && strings.Contains(line, `"tenant":"b"`) {
				return true
			}
		}
		return false
	})
	if strings.Contains(c.log(t, "api"), `"job.ended"`) {
		t.Error("its end is written down twice")
	}
}

// submitted is a job that a tenant has queued.
func (c *tenantCluster) submitted(t *testing.T, tenant string) string {
	t.Helper()
	r := c.by(t, c.api, tenant, "POST", jobsPath, trueJob)
	if r.status != http.StatusAccepted {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return r.job(t).ID
}

// Limits hold at each service that answers, for direct jobs as well.
func (c *tenantCluster) testLimits(t *testing.T) {
	c.limit(t, "a.1", tenants.Limits{StoredBytes: 30, CPUPerHour: 1, Policies: []string{"default"}})
	c.by(t, c.other, "a.1", "PUT", pathOf("0123456789"), "0123456789").wants(t, CodeTenantStoreFull, "")
	c.by(t, c.other, "a.1", "POST", runPath, `{"command":["true"],"policy":"judge"}`).wants(t, CodePolicyNotAllowed, "policy")
	used := func(s *queued) time.Duration { return s.config.Tenancy.Meter.Used("a.1") }
	if r := c.by(t, c.api, "a.1", "POST", jobsPath, trueJob); r.status != 202 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	eventuallyIn(t, "both know what it has used", func() bool { return used(c.api) >= 3*time.Second && used(c.other) >= 3*time.Second })
	for _, s := range []*queued{c.api, c.other} {
		c.by(t, s, "a.1", "POST", runPath, trueJob).wants(t, CodeCPUQuota, "")
	}
	begun, over := make(chan string, 10), make(chan error, 10)
	c.worker.runner.does(held(begun, over))
	c.limit(t, "b", tenants.Limits{Queue: 1})
	var ids []string
	for range 2 { // as many as there are places
		ids = append(ids, c.submitted(t, "b"))
		<-begun
		eventuallyIn(t, "it is known to run", func() bool { return c.api.queue.WaitingOf("b") == 0 })
	}
	ids = append(ids, c.submitted(t, "b"))
	eventuallyIn(t, "it waits", func() bool { return c.other.queue.WaitingOf("b") == 1 })
	c.by(t, c.other, "b", "POST", runPath, trueJob).wants(t, CodeTenantQueueFull, "")
	for i := range ids {
		id := ids[len(ids)-1-i]
		if r := c.by(t, c.other, "b", http.MethodDelete, jobsPath+"/"+id, ""); r.status != 200 {
			t.Errorf("%d %s", r.status, r.body)
		}
	}
	c.limit(t, "b", tenants.Limits{Rate: 0.001, Burst: 1})
	c.worker.runner.does(succeed)
	if r := c.by(t, c.api, "b", "POST", runPath, trueJob); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	c.by(t, c.api, "b", "POST", runPath, trueJob).wants(t, CodeRateLimited, "")
}
