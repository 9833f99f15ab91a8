package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cordon/queue"
	"cordon/sandbox"
	"cordon/webhook"
)

// hookSecret signs the webhooks of these tests.
const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// received is a webhook that came.
type received struct {
	header http.Header
	body   []byte
	notice Notice
}

// receivers answer webhooks with answer, and hand them on.
func receivers(t testing.TB, answer func(int) int) (url string, got <-chan received) {
	t.Helper()
	all := make(chan received, 100)
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := received{header: r.Header}
		one.body, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(one.body, &one.notice); err != nil {
			t.Errorf("%s: %v", one.body, err)
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(answer(int(n.Add(1))))
		all <- one
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

// hooksTo allows hosts, and lets attempts follow each other at once.
func hooksTo(t testing.TB, hosts ...string) *Hooks {
	t.Helper()
	list, err := webhook.ParseHosts(hosts)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := webhook.ParseSecrets(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := webhook.NewSender(webhook.Config{Hosts: list, Secrets: secrets, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return &Hooks{Hosts: list, Sender: sender, For: time.Hour, Delay: func(int) time.Duration { return time.Millisecond }}
}

func startWithHooks(t testing.TB, journal *queue.Memory, hooks *Hooks) *queued {
	t.Helper()
	return startWithQueue(t, journal, func(_ *queue.Config, c *Config) { c.Jobs.Hooks = hooks })
}

func next(t testing.TB, got <-chan received) received {
	t.Helper()
	select {
	case one := <-got:
		return one
	case <-time.After(time.Minute):
		t.Fatal("no webhook comes within a minute")
		panic("unreachable")
	}
}

// untilTold waits until a webhook has come to its end.
func (s *queued) untilTold(t testing.TB, id, state string) *WebhookStatus {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		j := s.get(t, id)
		if j.Webhook == nil {
			t.Fatalf("%+v has no webhook", j)
		}
		if j.Webhook.State == state {
			return j.Webhook
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("the webhook of %s is %+v, want %s", id, j.Webhook, state)
		}
	}
}

// A job's end is told once, with what was asked for, signed.
func TestWebhook(t *testing.T) {
	url, got := receivers(t, func(int) int { return 204 })
	s := startWithHooks(t, queue.NewMemory(), hooksTo(t, url))
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.Stdout = []byte("hello")
		return r, nil
	})
	j := s.submit(t, `{"command":["true"],"webhook":{"url":"`+url+`/in?a=b","include_result":true}}`)
	if j.Webhook == nil || j.Webhook.State != "waiting" || j.Webhook.URL != url+"/in?a=b" {
		t.Errorf("%+v", j.Webhook)
	}
	s.begin()
	one := next(t, got)
	if one.notice.Type != "job.done" || one.notice.Data.ID != j.ID || one.notice.Data.State != "done" || one.notice.Data.Webhook != nil || one.notice.Timestamp.IsZero() {
		t.Errorf("%s", one.body)
	}
	schema, err := agreed(t).compile(map[string]any{"$ref": "#/$defs/Notice"})
	if err != nil {
		t.Fatal(err)
	}
	var body any
	if err := json.Unmarshal(one.body, &body); err != nil || schema.Validate(body) != nil {
		t.Errorf("%v, %v: %s", err, schema.Validate(body), one.body)
	}
	var result RunResult
	if err := json.Unmarshal(*one.notice.Data.Result, &result); err != nil || result.Stdout != "hello" {
		t.Errorf("%v: %s", err, one.body)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(one.header.Get("webhook-id") + "." + one.header.Get("webhook-timestamp") + "."))
	mac.Write(one.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); one.header.Get("webhook-signature") != want || one.header.Get("webhook-id") != j.ID {
		t.Errorf("%v, want %s", one.header, want)
	}
	if w := s.untilTold(t, j.ID, "delivered"); w.Attempts != 1 || w.Status != 204 || w.Error != "" || w.Next != nil || w.EndedTime == nil {
		t.Errorf("%+v", w)
	}
	// Every other end is told, too, and nothing that was not asked for.
	s.runner.does(answerWith(nil)) // not reached
	waits := s.submit(t, `{"command":["true"],"priority":"low","webhook":{"url":"`+url+`"}}`)
	s.send(t, http.MethodDelete, jobsPath+"/"+waits.ID, nil)
	one = next(t, got)
	if one.notice.Type != "job."+s.get(t, waits.ID).State || one.notice.Data.ID != waits.ID || one.notice.Data.Result != nil {
		t.Errorf("%s", one.body)
	}
	s.untilTold(t, waits.ID, "delivered")
	if len(got) != 0 {
		t.Errorf("%d more came", len(got))
	}
	metrics := string(s.send(t, http.MethodGet, "/metrics", nil).body)
	if !strings.Contains(metrics, `cordon_webhook_attempts_total{outcome="delivered"} 2`) || !strings.Contains(metrics, "cordon_webhooks_untold 0") {
		t.Error("the metrics do not have it")
	}
}

// Attempts follow each other, also over a restart, until one succeeds. Each has the same
// id and body, and a signature of its own.
func TestWebhookIsTriedAgain(t *testing.T) {
	refuse := make(chan struct{})
	url, got := receivers(t, func(n int) int {
		switch {
		case n == 1:
			return 500
		case n == 2:
			return 302
		case n == 3:
			return 429
		}
		select {
		case <-refuse:
			return 200
		default:
			return 503
		}
	})
	journal := queue.NewMemory()
	s := startWithHooks(t, journal, hooksTo(t, url))
	j := s.submit(t, `{"command":["true"],"webhook":{"url":"`+url+`"}}`)
	s.begin()
	first := next(t, got)
	for range 4 {
		again := next(t, got)
		if again.header.Get("Webhook-Id") != j.ID || string(again.body) != string(first.body) {
			t.Errorf("%v %s, want %s", again.header, again.body, first.body)
		}
	}
	if w := s.get(t, j.ID).Webhook; w.State != "pending" || w.Attempts < 5 || w.Next == nil {
		t.Errorf("%+v", w)
	}
	s.stop()
	s = startWithHooks(t, journal, hooksTo(t, url))
	close(refuse)
	s.begin()
	if w := s.untilTold(t, j.ID, "delivered"); w.Attempts < 6 || w.Status != 200 {
		t.Errorf("%+v", w)
	}
}

// Given up is what is not wanted, and what was tried for long enough.
func TestWebhookIsGivenUp(t *testing.T) {
	url, got := receivers(t, func(int) int { return 410 })
	hooks := hooksTo(t, url, "http://127.0.0.2:1")
	s := startWithHooks(t, queue.NewMemory(), hooks)
	gone := s.submit(t, `{"command":["true"],"webhook":{"url":"`+url+`"}}`)
	s.begin()
	next(t, got)
	if w := s.untilTold(t, gone.ID, "failed"); w.Attempts != 1 || w.Status != 410 || w.Error != "gone" {
		t.Errorf("%+v", w)
	}
	s.stop()
	hooks.Delay = func(attempt int) time.Duration {
		if attempt == 3 {
			return 2 * time.Hour // past For
		}
		return time.Millisecond
	}
	s = startWithHooks(t, queue.NewMemory(), hooks)
	dead := s.submit(t, `{"command":["true"],"webhook":{"url":"http://127.0.0.2:1/"}}`)
	s.begin()
	if w := s.untilTold(t, dead.ID, "failed"); w.Attempts != 3 || w.Status != 0 || w.Error != "cannot_connect" || w.EndedTime == nil {
		t.Errorf("%+v", w)
	}
}

// A large result stays where it is, and a failed job's problem goes along.
func TestWebhookResult(t *testing.T) {
	url, got := receivers(t, func(int) int { return 200 })
	s := startWithHooks(t, queue.NewMemory(), hooksTo(t, url))
	s.runner.does(func(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
		r := ended(j, sandbox.OK)
		r.Stdout = make([]byte, noticeBytes)
		return r, nil
	})
	body := `{"command":["true"],"webhook":{"url":"` + url + `","include_result":true}}`
	large := s.submit(t, body)
	s.begin()
	if one := next(t, got); one.notice.Data.ID != large.ID || !one.notice.LeftOut || one.notice.Data.Result != nil {
		t.Errorf("%.300s", one.body)
	}
	s.runner.does(func(context.Context, *sandbox.Job) (*sandbox.Result, error) { return nil, io.ErrUnexpectedEOF })
	s.submit(t, body)
	if one := next(t, got); one.notice.Type != "job.failed" || one.notice.Data.Problem == nil || !strings.Contains(string(*one.notice.Data.Problem), "internal_error") {
		t.Errorf("%s", one.body)
	}
}

func TestWebhooksAreRefused(t *testing.T) {
	s := startWithHooks(t, queue.NewMemory(), hooksTo(t, "hooks.example.org"))
	post := func(s *queued, hook string) *reply {
		return s.send(t, http.MethodPost, jobsPath, strings.NewReader(`{"command":["true"],"webhook":`+hook+`}`))
	}
	for hook, want := range map[string]struct {
		code Code
		path string
	}{
		`{"url":"https://other.example/"}`:               {CodeWebhookRefused, "webhook.url"},
		`{"url":"http://hooks.example.org/"}`:            {CodeWebhookRefused, "webhook.url"},
		`{"url":"https://169.254.169.254/latest"}`:       {CodeWebhookRefused, "webhook.url"},
		`{"url":"https://hooks.example.org@a.example/"}`: {CodeInvalidField, "webhook.url"},
		`{"url":""}`:  {CodeInvalidField, "webhook.url"},
		`{}`:          {CodeInvalidField, "webhook.url"},
		`{"to":"x"}`:  {CodeUnknownField, "webhook.to"},
		`"https://x"`: {CodeWrongType, "webhook"},
		`null`:        {CodeWrongType, "webhook"},
	} {
		post(s, hook).wants(t, want.code, want.path)
	}
	if r := post(s, `{"url":"https://hooks.example.org/"}`); r.status != http.StatusAccepted { // the control
		t.Errorf("%d %s", r.status, r.body)
	}
	s.run(t, `{"command":["true"],"webhook":{"url":"https://hooks.example.org/"}}`).wants(t, CodeUnknownField, "webhook") // whose client waits
	for _, none := range []*Hooks{nil, hooksTo(t)} {
		p := post(startWithHooks(t, queue.NewMemory(), none), `{"url":"https://hooks.example.org/"}`).wants(t, CodeWebhookRefused, "webhook")
		if !strings.Contains(p.Detail, "--webhook-hosts") {
			t.Errorf("%s", p.Detail)
		}
	}
}
