package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// told is a webhook that came.
type told struct {
	id, timestamp, signature string
	body                     []byte
}

// signedBy: the signature is one with this secret.
func (m *told) signedBy(t *testing.T, secret string) bool {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(m.id + "." + m.timestamp + "." + string(m.body)))
	return m.signature == "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// await waits for something that has to happen; two minutes are a hang.
func awaitThat(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for began := time.Now(); !happens(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// TestWebhookSurvivesDeath kills the service while a receiver has a webhook in its hands
// and has not answered: the next start sends it again, with the same id. Meanwhile
// everything is in the audit log, over the kill and a change of the file's name, and
// nothing of what jobs hold.
func TestWebhookSurvivesDeath(t *testing.T) {
	arrived, release := make(chan told, 10), make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		arrived <- told{r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body}
		select {
		case <-release:
		case <-r.Context().Done(): // its sender is gone
		}
	}))
	defer receiver.Close()
	state, log := t.TempDir(), filepath.Join(t.TempDir(), "audit.log")
	flags := []string{"--languages", "sh", "--webhook-hosts", receiver.URL, "--audit-log", log}
	d := testkit.StartDaemonIn(t, state, flags...)
	s := newService(d.URL, d.Token)
	job := s.submit(t, object{"command": shell("cat"), "stdin": "canary-stdin", "env": object{"A": "canary-environment"},
		"webhook": object{"url": receiver.URL + "/in?canary-query", "include_result": true}})
	first := <-arrived
	secret, err := testkit.Command(t, "webhook", "secret", "--state", state).Output()
	if err != nil {
		t.Fatal(err)
	}
	if first.id != job.ID || !first.signedBy(t, strings.TrimSpace(string(secret))) {
		t.Errorf("%+v is not signed", first)
	}
	traces := d.Traces(t)
	d.Kill(t, d.Pid)
	s.client.CloseIdleConnections()
	untilGone(t, traces, time.Now(), time.Minute)

	d = testkit.StartDaemonIn(t, state, flags...)
	s = newService(d.URL, d.Token)
	second := <-arrived
	if second.id != first.id || !bytes.Equal(second.body, first.body) || !second.signedBy(t, strings.TrimSpace(string(secret))) {
		t.Errorf("%+v, before it %+v", second, first)
	}
	var body struct {
		Type string    `json:"type"`
		Data queuedJob `json:"data"`
	}
	if err := json.Unmarshal(second.body, &body); err != nil || body.Type != "job.done" || body.Data.Result == nil || body.Data.Result.Stdout != "canary-stdin" {
		t.Errorf("%v: %s", err, second.body)
	}
	close(release)
	awaitThat(t, "delivered", func() bool {
		_, _, answer := s.send(t, http.MethodGet, "/v1/jobs/"+job.ID, s.token, nil)
		var j struct {
			Webhook struct {
				State    string `json:"state"`
				Attempts int    `json:"attempts"`
			} `json:"webhook"`
		}
		if err := json.Unmarshal(answer, &j); err != nil || j.Webhook.State == "delivered" && j.Webhook.Attempts != 2 {
			t.Fatalf("%v: %s", err, answer)
		}
		return j.Webhook.State == "delivered"
	})
	if status, _, answer := s.send(t, http.MethodPost, "/v1/jobs", s.token, []byte(`{"command":["true"],"webhook":{"url":"http://127.0.0.1:1/"}}`)); status != http.StatusUnprocessableEntity {
		t.Errorf("a host that is not listed: %d %s", status, answer)
	}

	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	d.Signal(t, syscall.SIGHUP)
	awaitThat(t, "reopened", func() bool {
		text, _ := os.ReadFile(log)
		return bytes.Contains(text, []byte("log.reopened"))
	})
	d.Signal(t, syscall.SIGTERM)
	d.Wait(t)
	auditedWhole(t, job.ID, log+".1", log)
}

// auditedWhole holds an audit log against what has happened.
func auditedWhole(t *testing.T, job string, files ...string) {
	t.Helper()
	var text []byte
	for _, name := range files {
		part, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, part...)
	}
	var kinds []string
	last, starts := map[string]int{}, 0
	for line := range bytes.Lines(text) {
		var e struct {
			Event, Start, Job string
			Seq               int
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if last[e.Start]++; e.Seq != last[e.Start] {
			t.Errorf("a line is missing before %s", line)
		}
		if e.Seq == 1 {
			starts++
		}
		if e.Job == "" || e.Job == job {
			kinds = append(kinds, e.Event)
		}
	}
	if kinds[0] != "service.started" || kinds[len(kinds)-1] != "service.stopped" || starts != 2 {
		t.Errorf("%d starts: %v", starts, kinds)
	}
	slices.Sort(kinds) // a job may begin before it is written down that it came
	want := "job.ended job.refused job.started job.submitted log.reopened service.started service.started service.stopped webhook.delivered"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, canary := range []string{"canary", "whsec_"} {
		if bytes.Contains(text, []byte(canary)) {
			t.Errorf("%s is in the audit log:\n%s", canary, text)
		}
	}
}
