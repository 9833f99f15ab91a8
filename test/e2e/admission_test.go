package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// metric reads one that has no labels.
func (s *service) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, _, text := s.send(t, http.MethodGet, "/metrics", s.token, nil)
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in the metrics", name)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// No more is promised than --overcommit allows: what just fits is run, and what is larger by
// a byte is refused at once, directly and by the queue.
func TestOvercommit(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh", "--overcommit", "memory=0.2,cpu=1", "--parallel", "2")
	s := newService(d.URL, d.Token)
	most := int64(s.metric(t, "cordon_promised_memory_bytes_most"))
	if most < 64<<20 || s.metric(t, "cordon_promised_cpus_most") <= 0 || !strings.Contains(d.Log(), fmt.Sprint("memory_bytes=", most)) {
		t.Fatalf("%d bytes may be promised:\n%s", most, d.Log())
	}
	job := func(memory int64, script string) object {
		return object{"policy": "dev", "command": shell(script), "limits": object{"memory_bytes": memory, "disk_bytes": 1 << 20, "cpus": 1}}
	}
	s.run(t, job(most, "true")).want(t, "ok")
	s.await(t, s.submit(t, job(most, "true")).ID, "done").Result.want(t, "ok")
	for _, path := range []string{"/v1/run", "/v1/jobs"} {
		body, err := json.Marshal(job(most+1, "true"))
		if err != nil {
			t.Fatal(err)
		}
		status, _, answer := s.send(t, http.MethodPost, path, s.token, body)
		var p struct{ Code, Path, Detail string }
		if json.Unmarshal(answer, &p) != nil || status != http.StatusUnprocessableEntity || p.Path != "limits.memory_bytes" ||
			!strings.Contains(p.Detail, fmt.Sprint(most+1, " asked for")) || !strings.Contains(p.Detail, fmt.Sprint(most, " bytes")) || !strings.Contains(p.Detail, "--overcommit") {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	// Two thirds of it each: the second waits for the first, though a place is free.
	first := s.submit(t, job(most/3*2, "sleep 1000"))
	s.await(t, first.ID, "running")
	second := s.submit(t, job(most/3*2, "sleep 1000"))
	if s.await(t, second.ID, "queued"); s.metric(t, "cordon_jobs_running") != 1 || int64(s.metric(t, "cordon_promised_memory_bytes")) != most/3*2 {
		t.Errorf("%+v", s.job(t, second.ID))
	}
	for began := time.Now(); s.metric(t, "cordon_jobs_waiting") != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("it does not wait for its place")
		}
	}
	s.send(t, http.MethodDelete, "/v1/jobs/"+first.ID, s.token, nil)
	s.await(t, second.ID, "running")
	s.send(t, http.MethodDelete, "/v1/jobs/"+second.ID, s.token, nil)
	s.await(t, second.ID, "cancelled")
	if s.metric(t, "cordon_promised_memory_bytes") != 0 || s.metric(t, "cordon_promised_cpus") != 0 {
		t.Error("something is promised though nothing runs")
	}
}
