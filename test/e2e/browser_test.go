package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// TestClientBrowser does what a page in a browser does: it logs in by a link, runs a job and
// follows it, looks into its cell, and at the service. Other sites' pages can do none of it.
func TestClientBrowser(t *testing.T) {
	t.Setenv("CORDON_TOKEN", canary)
	d := testkit.StartDaemon(t, "--languages", "sh")
	if strings.Contains(d.Log(), "login") {
		t.Errorf("a link is in the log:\n%s", d.Log())
	}
	out, err := testkit.Command(t, "token", "--link", "--listen", strings.TrimPrefix(d.URL, "http://")).CombinedOutput()
	base, code, found := strings.Cut(strings.TrimSpace(string(out)), "/#login=")
	if err != nil || !found || base != d.URL {
		t.Fatalf("%v: %s", err, out)
	}
	ask := func(method, path, body, token string, headers ...string) (*http.Response, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		r.Header.Set("Origin", d.URL)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for i := 0; i < len(headers); i += 2 {
			if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
				r.Host = headers[i+1]
			}
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var told map[string]any
		_ = json.NewDecoder(answer.Body).Decode(&told) // some have none
		return answer, told
	}
	port := d.URL[strings.LastIndex(d.URL, ":"):]
	for _, foreign := range [][]string{{"Host", "evil.example" + port}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Content-Type", "text/plain"}} {
		if r, told := ask("POST", "/v1/login", `{"code":"`+code+`"}`, "", foreign...); r.StatusCode < 400 {
			t.Fatalf("%v: %d %v", foreign, r.StatusCode, told)
		}
	}
	r, session := ask("POST", "/v1/login", `{"code":"`+code+`"}`, "")
	token, _ := session["token"].(string)
	if r.StatusCode != 200 || token == "" || len(r.Cookies()) != 0 {
		t.Fatalf("%d %v", r.StatusCode, session)
	}
	if r, told := ask("POST", "/v1/login", `{"code":"`+code+`"}`, ""); r.StatusCode != 403 || told["code"] != "login_refused" {
		t.Errorf("again: %d %v", r.StatusCode, told)
	}
	if r, told := ask("POST", "/v1/login-links", "", token); r.StatusCode != 403 {
		t.Errorf("a session makes links: %d %v", r.StatusCode, told)
	}
	_, job := ask("POST", "/v1/jobs", `{"command":["sh","-c","echo one; sleep 0.05; echo two >&2; sleep 0.3; echo three; cat /proc/self/uid_map"],"timeline":true,"inspect":true}`, token)
	id, _ := job["id"].(string)
	events := followed(t, d.URL+"/v1/jobs/"+url.PathEscape(id)+"/events?usage_ms=100", token)
	order := ""
	for _, e := range events {
		switch e.name {
		case "stdout", "stderr":
			if _, timed := e.data["at_ns"]; !timed {
				t.Errorf("without a time: %v", e.data)
			}
			order += e.name + " "
		case "usage":
			if e.data["memory_bytes"].(float64) <= 0 || e.data["pids"].(float64) < 1 {
				t.Errorf("%v", e.data)
			}
		}
	}
	last := events[len(events)-1]
	result, _ := last.data["result"].(map[string]any)
	if !strings.HasPrefix(order, "stdout stderr stdout ") || last.name != "result" || result["verdict"] != "ok" || len(result["timeline"].([]any)) < 3 {
		t.Errorf("%s: %v", order, last)
	}
	inside := result["inside"].(map[string]any)
	host, own := inside["host"].(map[string]any), inside["job"].(map[string]any)
	if host["no_new_privs"] != true || own["no_new_privs"] != true || host["refused"] != nil || own["refused"] != nil {
		t.Errorf("%v", inside)
	}
	_, status := ask("GET", "/v1/status", "", token)
	if status["hour"].(map[string]any)["jobs"].(float64) < 1 || len(status["cells"].([]any)) == 0 {
		t.Errorf("%v", status)
	}
	ask("DELETE", "/v1/session", "", token)
	if r, _ := ask("GET", "/v1/status", "", token); r.StatusCode != 401 {
		t.Errorf("a session that was left is good: %d", r.StatusCode)
	}
	if log := d.Log(); strings.Contains(log, token) || strings.Contains(log, code) {
		t.Error("a secret is in the log")
	}
}

type toldEvent struct {
	name string
	data map[string]any
}

// followed are all events of a job.
func followed(t *testing.T, at, token string) (all []toldEvent) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	one := toldEvent{}
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			one.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &one.data); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
			one = toldEvent{}
		}
	}
	if len(all) == 0 {
		t.Fatal("no events")
	}
	return all
}
