package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
	"cordon/tenants"
)

// A tenant is removed while its job runs: nobody is told of the job, and that is written down.
// One of whom the service has not heard yet is waited for.
func TestWebhooksOfARemovedTenant(t *testing.T) {
	url, got := receivers(t, func(int) int { return 204 })
	name := filepath.Join(t.TempDir(), "audit")
	log, err := audit.Open(name, "w", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	registry, document := tenants.NewRegistry(), &tenants.Document{Version: 1}
	s := startWithQueue(t, queue.NewMemory(), func(q *queue.Config, c *Config) {
		c.Tenancy = &Tenancy{Keys: registry, Meter: tenants.NewMeter()}
		c.Jobs.Hooks, q.Told = hooksTo(t, url), AuditTold(log)
	})
	with := &tenanted{queued: s, document: document, keys: map[string]string{}}
	with.limit(t, "gone", tenants.Limits{})
	with.limit(t, "stays", tenants.Limits{})
	begun, over := make(chan string, 2), make(chan struct{})
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		begun <- j.ID
		<-over
		return ended(j, sandbox.OK), nil
	})
	s.begin()
	ids := map[string]string{}
	for _, who := range []string{"gone", "stays"} {
		r := with.as(t, with.key(t, who, tenants.DefaultScopes...), http.MethodPost, jobsPath, `{"command":["true"],"webhook":{"url":"`+url+`"}}`)
		if r.status != http.StatusAccepted {
			t.Fatalf("%d %s", r.status, r.body)
		}
		ids[who] = r.job(t).ID
		<-begun
	}
	if err := document.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	registry.Use(document)
	close(over)
	if w := s.untilTold(t, ids["gone"], "failed"); w.Attempts != 1 || w.Error != "tenant_removed" || w.Status != 0 {
		t.Errorf("%+v", w)
	}
	s.untilTold(t, ids["stays"], "delivered")
	if one := next(t, got); one.notice.Data.ID != ids["stays"] || len(got) != 0 {
		t.Errorf("told of %s, and %d more", one.notice.Data.ID, len(got))
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), `"event":"webhook.failed"`) || !strings.Contains(string(text), `"reason":"tenant_removed"`) {
		t.Errorf("%v: not written down: %s", err, text)
	}
	if metrics := string(s.send(t, http.MethodGet, "/metrics", nil).body); !strings.Contains(metrics, `cordon_webhook_attempts_total{outcome="tenant_removed"} 1`) {
		t.Error("not counted")
	}

	late := s.queuedFor(t, "late", url)
	eventuallyIn(t, "it was tried", func() bool {
		r, err := s.queue.Get(t.Context(), late)
		return err == nil && r.Delivery != nil && r.Delivery.Attempts > 1
	})
	with.limit(t, "late", tenants.Limits{})
	if s.untilTold(t, late, "delivered"); next(t, got).notice.Data.ID != late {
		t.Error("another was told")
	}
}

// queuedFor is a job that another service has taken in for a tenant.
func (s *queued) queuedFor(t *testing.T, tenant, url string) string {
	t.Helper()
	host := strings.TrimPrefix(url, "http://")
	r, _, err := s.queue.Submit(t.Context(), queue.Submission{ID: "01a20000-0000-7000-8000-000000000001", Tenant: tenant, Request: []byte(trueJob), Priority: queue.Normal,
		TTL: 1 << 40, Hook: &queue.Hook{URL: url, Host: host}})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}
