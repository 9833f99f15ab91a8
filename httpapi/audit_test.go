package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"cordon/audit"
	"cordon/queue"
	"cordon/sandbox"
)

// lines are those of an audit log, as JSON.
func lines(t testing.TB, name string) (out []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, e)
	}
	return out
}

// fields are the names in an object, with those of objects in it.
func fields(e map[string]any) (names []string) {
	for name, value := range e {
		names = append(names, name)
		if inner, ok := value.(map[string]any); ok {
			for _, below := range fields(inner) {
				names = append(names, name+"."+below)
			}
		}
	}
	return names
}

// documented are the examples of docs/audit.md, by the heading above them.
func documented(t testing.TB) map[string]map[string]any {
	t.Helper()
	text, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, m := range regexp.MustCompile("(?s)### ([a-z.]+)\n(.*?)```json\n(.*?)\n```").FindAllSubmatch(text, -1) {
		if bytes.Contains(m[2], []byte("###")) {
			t.Fatalf("%s has no example", m[1])
		}
		var typed audit.Event
		d := json.NewDecoder(bytes.NewReader(m[3]))
		d.DisallowUnknownFields()
		if err := d.Decode(&typed); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		var e map[string]any
		if err := json.Unmarshal(m[3], &e); err != nil || e["event"] != string(m[1]) {
			t.Fatalf("the example of %s is that of %v: %v", m[1], e["event"], err)
		}
		out[string(m[1])] = e
	}
	return out
}

// audited is a service with an audit log, a queue, files and webhooks.
type auditedService struct {
	*queued
	name string // of the log
	log  *audit.Log
}

func startAudited(t testing.TB, hooks *Hooks, change func(*Config)) *auditedService {
	t.Helper()
	return startAuditedOn(t, hooks, func(_ *queue.Config, c *Config) {
		if change != nil {
			change(c)
		}
	})
}

func startAuditedOn(t testing.TB, hooks *Hooks, change func(*queue.Config, *Config)) *auditedService {
	t.Helper()
	s := &auditedService{name: filepath.Join(t.TempDir(), "audit.log")}
	var err error
	if s.log, err = audit.Open(s.name, "start", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.log.Close() })
	files := withFiles(t, nil)
	s.queued = startWithQueue(t, queue.NewMemory(), func(q *queue.Config, c *Config) {
		files(c)
		c.Audit, c.Settings = s.log, []string{"audit-log"}
		c.Jobs.Hooks = hooks
		q.Settled, q.Told = AuditSettled(s.log), AuditTold(s.log)
		change(q, c)
	})
	return s
}

// TestAuditEvents has everything happen that is written down, and holds the lines against
// docs/audit.md: the same events, with the same fields, and in none of them what may not
// be there.
func TestAuditEvents(t *testing.T) {
	url, _ := receivers(t, func(n int) int { return map[int]int{1: 204}[n] + map[bool]int{true: 410}[n > 1] })
	s := startAudited(t, hooksTo(t, url), func(c *Config) { c.AuditSource = true })
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		if j.Command[0] == "fails" {
			return nil, io.ErrUnexpectedEOF
		}
		r := ended(j, sandbox.OK)
		r.Usage = sandbox.Usage{CPUNanos: 1, WallNanos: 2, MemoryPeakBytes: 3}
		r.Stdout = []byte("canary-output")
		return r, nil
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	waits := s.submit(t, trueJob) // before anything can be begun
	s.attachTo(t, waits.ID, "?watch=true")
	s.send(t, http.MethodDelete, jobsPath+"/"+waits.ID, nil)
	go func() { served <- s.Serve(ctx, time.Minute, l) }()

	// canaries may stand in no line.
	canaries := []string{canary, "canary-argument", "canary-environment", "canary-stdin", "canary-file", "canary-output", "canary-query", "canary-key", "canary-path"}
	sum := s.put(t, "canary-file")
	hash := strings.TrimPrefix(sum, "/v1/files/")
	body := fmt.Sprintf(`{"command":["true","canary-argument"],"env":{"A":"canary-environment"},"stdin":"canary-stdin",
		"files":[{"path":"canary-path","sha256":%q}]}`, hash)
	s.run(t, body)
	s.run(t, `{"command":["fails"]}`)
	s.run(t, `{"language":"c","source":"`+strings.Repeat("s", sourceShown+1)+`"}`) // which is not installed
	s.run(t, `{"command":["canary-argument"],"policy":"none"}`)
	hooked := strings.TrimSuffix(body, "}") + `,"webhook":{"url":"` + url + `/canary-path?canary-query"}}`
	for range 2 {
		j := s.submit(t, hooked)
		s.until(t, j.ID, queue.Done)
		for w := j.Webhook; w.State != "delivered" && w.State != "failed"; time.Sleep(time.Millisecond) {
			w = s.get(t, j.ID).Webhook
		}
	}
	failed := s.submit(t, `{"command":["fails"]}`, "Idempotency-Key", "canary-key")
	s.until(t, failed.ID, queue.Failed)
	s.submit(t, `{"command":["fails"]}`, "Idempotency-Key", "canary-key") // is not taken again
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(`{`))
	s.send(t, http.MethodDelete, sum, nil)
	s.send(t, http.MethodDelete, sessionPath, nil, "Authorization", "Bearer "+s.logIn(t))
	for range 15 {
		s.send(t, http.MethodGet, jobsPath, nil, "Authorization", "Bearer canary-key")
	}
	s.log.Reopen()
	end()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	s.stop()
	recovering(t, s)
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}

	all, documented := lines(t, s.name), documented(t)
	seen, count := map[string]map[string]bool{}, map[string]int{}
	for _, e := range all {
		kind := e["event"].(string)
		if seen[kind] == nil {
			seen[kind] = map[string]bool{}
		}
		for _, name := range fields(e) {
			seen[kind][name] = true
		}
		count[kind]++
		if id := e["request"]; id != nil && !strings.Contains(s.service.log.String(), id.(string)) {
			t.Errorf("the log does not have the request of %v", e)
		}
	}
	// What needs tenants or toolchains is tried elsewhere.
	for kind, names := range map[string][]string{"job.submitted": {"language", "source", "source.sha256", "source.bytes", "source.text", "source.cut", "tenant"}, "job.refused": {"tenant"},
		"job.started": {"tenant"}, "job.ended": {"tenant"}, "job.cancelled": {"tenant"}, "job.attached": {"tenant"}, "file.put": {"tenant"}, "file.deleted": {"tenant"}, "webhook.delivered": {"tenant"}, "webhook.failed": {"tenant"}} {
		for _, name := range names {
			if seen[kind] != nil {
				seen[kind][name] = true
			}
		}
	}
	for _, kind := range audit.Kinds {
		got, want := slices.Sorted(maps.Keys(seen[string(kind)])), fields(documented[string(kind)])
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the fields\n%v, and in docs/audit.md\n%v", kind, got, want)
		}
	}
	if len(documented) != len(audit.Kinds) || len(seen) != len(audit.Kinds) {
		t.Errorf("%d kinds, %d documented, %d seen", len(audit.Kinds), len(documented), len(seen))
	}
	for kind, want := range map[string]int{"service.started": 1, "service.stopped": 1, "job.submitted": 6, "job.started": 3, "job.ended": 6, "job.refused": 3, "job.cancelled": 1, "job.attached": 1,
		"file.put": 1, "file.deleted": 1, "webhook.delivered": 1, "webhook.failed": 1} {
		if count[kind] != want {
			t.Errorf("%d times %s, want %d", count[kind], kind, want)
		}
	}
	text, _ := os.ReadFile(s.name)
	for _, canary := range canaries {
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("%s stands in the audit log", canary)
		}
	}
	var strange float64
	for _, e := range all {
		if e["event"] == "auth.failed" {
			strange += e["count"].(float64)
		}
	}
	if strange != 15 {
		t.Errorf("%v requests without a key in %d lines", strange, count["auth.failed"])
	}
}

// recovering has the log fail and come back.
func recovering(t testing.TB, s *auditedService) {
	t.Helper()
	kept := s.name + ".kept"
	if err := os.Rename(s.name, kept); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", s.name); err != nil {
		t.Fatal(err)
	}
	s.log.Reopen()
	for began := time.Now(); s.log.Admit() == nil; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("/dev/full takes what is written")
		}
	}
	for _, c := range [][2]string{{http.MethodPost, runPath}, {http.MethodPut, "/v1/files/" + strings.Repeat("0", 64)}, {http.MethodDelete, "/v1/files/" + strings.Repeat("0", 64)}} {
		r := s.send(t, c[0], c[1], strings.NewReader(trueJob))
		if r.wants(t, CodeAuditUnavailable, ""); r.header.Get("Retry-After") == "" {
			t.Errorf("%v", r.header)
		}
	}
	if r := s.send(t, http.MethodGet, "/v1/policies", nil); r.status != http.StatusOK {
		t.Errorf("what changes nothing is refused, too: %d", r.status)
	}
	if err := os.Remove(s.name); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(kept, s.name); err != nil {
		t.Fatal(err)
	}
	s.log.Reopen()
	if err := s.log.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.log.Admit(); err != nil {
		t.Errorf("it is not taken again: %v", err)
	}
}

// While the log cannot be written nothing is queued or begun, but what there is can be
// looked at and cancelled; then everything goes on.
func TestNothingBeginsUnseen(t *testing.T) {
	s := startAudited(t, nil, nil)
	first, second := s.submit(t, trueJob), s.submit(t, trueJob)
	if err := os.Remove(s.name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", s.name); err != nil {
		t.Fatal(err)
	}
	s.log.Reopen()
	for began := time.Now(); s.log.Admit() == nil; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("/dev/full takes what is written")
		}
	}
	s.begin()
	s.send(t, http.MethodPost, jobsPath, strings.NewReader(trueJob)).wants(t, CodeAuditUnavailable, "")
	if r := s.send(t, http.MethodDelete, jobsPath+"/"+second.ID, nil); r.status != http.StatusOK || r.job(t).State != "cancelled" {
		t.Errorf("%d %s", r.status, r.body)
	}
	if j := s.get(t, first.ID); j.State != "queued" || s.runner.count() != 0 {
		t.Errorf("%+v was begun", j)
	}
	if err := os.Remove(s.name); err != nil {
		t.Fatal(err)
	}
	s.log.Reopen()
	s.until(t, first.ID, queue.Done)
	s.stop()
	if err := s.log.Close(); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range lines(t, s.name) {
		if e["job"] == second.ID || e["job"] == first.ID {
			kinds = append(kinds, e["event"].(string))
		}
	}
	if want := []string{"job.cancelled", "job.ended", "job.started", "job.ended"}; len(kinds) != 4 || !slices.Equal(slices.Sorted(slices.Values(kinds)), slices.Sorted(slices.Values(want))) {
		t.Errorf("%v, want %v", kinds, want)
	}
}

// Of a source there is a hash, and its text only when that is asked for.
func TestAuditSource(t *testing.T) {
	for _, asked := range []bool{false, true} {
		s := startAudited(t, nil, func(c *Config) { c.AuditSource = asked })
		long := "canary-source " + strings.Repeat("ä", sourceShown)
		for text, cut := range map[string]bool{"canary-source": false, long: true} {
			got := s.sourceOf(&RunRequest{Source: &text})
			if len(got.SHA256) != 64 || got.Bytes != len(text) || (got.Text != "") != asked || strings.Contains(got.Text, "canary") != asked || got.Cut != (cut && asked) || len(got.Text) > sourceShown {
				t.Errorf("asked %t: %.100v", asked, got)
			}
		}
		if got := s.sourceOf(&RunRequest{}); got != nil {
			t.Errorf("%+v", got)
		}
	}
}

// Strangers do not decide how much is written down, and none is forgotten.
func TestAuditStrangers(t *testing.T) {
	s := startAudited(t, nil, nil)
	s.strangers.limit = rate.NewLimiter(0, 2) // and never more
	for range 7 {
		s.send(t, http.MethodGet, jobsPath, nil, "Authorization", "Bearer canary-key")
	}
	s.recordService()() // ends
	var counts []any
	for _, e := range lines(t, s.name) {
		if e["event"] == "auth.failed" {
			counts = append(counts, e["count"])
		}
	}
	if fmt.Sprint(counts) != "[1 1 5]" {
		t.Errorf("%v", counts)
	}
}

// Whoever holds a key of a tenant's is in every line.
func TestAuditNamesTenants(t *testing.T) {
	s := startAudited(t, nil, nil)
	v := &visit{Actor: audit.Actor{Remote: "192.0.2.7:1", Request: "r"}, header: http.Header{}}
	ctx := audit.WithActor(context.WithValue(t.Context(), visitKey{}, v), &v.Actor)
	identified(ctx, "team-a", "k1")
	source := "int main;"
	s.recordJob(ctx, &RunRequest{Source: &source, Language: "c"}, audit.Event{Job: "j"})
	AuditSettled(s.log)(&queue.Record{ID: "j", Tenant: "team-a", State: queue.Expired})
	s.recordClaim(&queue.Claim{Record: queue.Record{ID: "j", Tenant: "team-a", State: queue.Done}, Note: &account{}})
	all := lines(t, s.name)
	if len(all) != 3 || !v.taken || !v.known {
		t.Fatalf("%v", all)
	}
	for _, e := range all {
		if e["tenant"] != "team-a" {
			t.Errorf("%v", e)
		}
	}
	if all[0]["key"] != "k1" || all[0]["remote"] != "192.0.2.7:1" || all[0]["language"] != "c" || all[0]["policy"] != DefaultPolicy {
		t.Errorf("%v", all[0])
	}
}
