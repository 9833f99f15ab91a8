package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// canary is a token that stands nowhere else. canaryPattern finds it, and is not
// found itself where the program that looks has it among its arguments.
const (
	canary        = "canary-b1e5c0ffee-of-the-front-door"
	canaryPattern = "canary-[b]1e5c0ffee"
)

// lookAround prints how many lines hold the canary of all that a job can read.
const lookAround = `{ env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/[0-9]*/mountinfo /proc/[0-9]*/task/*/comm
find /etc /work /tmp /run /var /dev/shm /home /root -type f -exec cat {} + ; } 2>/dev/null | tr '\000' '\n' | grep -ac '` + canaryPattern + `'; true`

// TestTokenStaysInside: at the most talkative level, through good requests and bad
// ones, the token is in no log, answer, metric, argument, nor in a job's reach.
func TestTokenStaysInside(t *testing.T) {
	t.Setenv("CORDON_TOKEN", canary)
	d := testkit.StartDaemon(t, "--languages", "sh", "--log-level", "debug")
	s := newService(d.URL, canary)
	t.Run("jobs", func(t *testing.T) {
		look := object{"command": []string{"sh", "-c", lookAround}, "limits": object{"wall_ms": 60_000, "cpu_ms": 30_000}}
		if r := s.run(t, look); r.Verdict != "ok" || r.out(t) != "0\n" {
			t.Errorf("a job finds the token: %s", r.step)
		}
		for name, more := range map[string]object{"files": {"files": []object{{"path": "a/b", "content": canary}}}, "env": {"env": object{"K": canary}}} {
			job := object{}
			for _, part := range []object{look, more} {
				for k, v := range part {
					job[k] = v
				}
			}
			if r := s.run(t, job); r.Verdict != "ok" || r.out(t) == "0\n" {
				t.Errorf("control: put into its %s, it is not found: %s", name, r.step)
			}
		}
	})
	t.Run("answers", func(t *testing.T) { badRequests(t, s) })
	t.Run("processes", func(t *testing.T) { lookAtProcesses(t, d, s) })
	log := d.Log()
	if !strings.Contains(log, "level=DEBUG") || strings.Count(log, "msg=request") < 100 {
		t.Errorf("the log is not at debug level, or short:\n%s", log)
	}
	if strings.Contains(log, canary) {
		t.Error("the token is in the log")
	}
	if _, err := os.Stat(d.State + "/token"); err == nil {
		t.Error("a file with a token was made, although it was given")
	}
}

// badRequests sends what goes wrong in many ways, with the token in places where
// it does not belong. No answer may hold it.
func badRequests(t *testing.T, s *service) {
	bodies := []string{"", "{", "[]", "null", `{"command":["true"]}`, `{"command":["` + canary[:9] + `x"]}`, `{"nothing":1}`, `{"policy":"x"}`, strings.Repeat("[", 1000),
		`{"command":["true"],"limits":{"memory_bytes":1e30}}`, "\xff", strings.Repeat("x", 1<<20)}
	paths := []string{"/v1/run", "/v1/policies", "/v1/languages", "/v1/doctor", "/metrics", "/healthz", "/readyz", "/openapi.yaml", "/none", "/v1/run/" + canary,
		"/?token=" + canary, "/" + canary + "/%2e%2e"}
	for _, path := range paths {
		for _, method := range []string{"GET", "POST", "PUT", "OPTIONS", "TRACE"} {
			for _, authorization := range []string{"Bearer " + canary, "Bearer " + canary + "x", "Basic " + canary, canary} {
				body := bodies[(len(path)+len(method)+len(authorization))%len(bodies)]
				ask(t, s, method, path, authorization, body)
			}
		}
	}
	for _, body := range bodies {
		ask(t, s, "POST", "/v1/run", "Bearer "+canary, body)
	}
	for _, text := range []string{"GET /" + canary + " HTTP/1.1\nAuthorization: Bearer " + canary + "\n\n", canary + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + canary + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + canary + "\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nAuthorization: Bearer " + canary + "\r\nTransfer-Encoding: " + canary + "\r\n\r\n"} {
		for _, answer := range exchange(t, "tcp", s.address(), strings.Replace(text, "Host: x\r\n", "Host: x\r\nConnection: close\r\n", 1)) {
			if strings.Contains(fmt.Sprint(answer), canary) {
				t.Errorf("the token is in the answer to %q: %v", text, answer)
			}
		}
	}
}

func ask(t *testing.T, s *service, method, path, authorization, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": authorization, "Content-Type": "application/json", "Cookie": "token=" + canary,
		"Referer": "http://" + canary, "User-Agent": canary, "X-Token": canary} {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if err := resp.Write(&answer); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(answer.Bytes(), []byte(canary)) {
		t.Errorf("the token is in the answer to %s %s: %s", method, path, clip(answer.String()))
	}
	if resp.StatusCode >= 500 {
		t.Errorf("%s %s: %s: %s", method, path, resp.Status, clip(answer.String()))
	}
}

// lookAtProcesses reads what /proc shows of every process of the service while a
// job runs: the service's own have the token in their environment, which is the
// control; nothing has it among its arguments, and no cell has it at all.
func lookAtProcesses(t *testing.T, d *testkit.Daemon, s *service) {
	answer := start(t, d, s, object{"command": []string{"sleep", "5"}})
	own, others, closed := 0, 0, 0
	for _, p := range testkit.Descendants(t, d.Pid) {
		dir := "/proc/" + strconv.Itoa(p.Pid)
		if args, err := os.ReadFile(dir + "/cmdline"); err == nil && bytes.Contains(args, []byte(canary)) {
			t.Errorf("%s: the token is among the arguments", p)
		}
		env, err := os.ReadFile(dir + "/environ")
		switch has := bytes.Contains(env, []byte(canary)); {
		case err != nil:
			closed++
		case has && strings.HasPrefix(p.Name, "cordon-"), has && p.Name == "sleep":
			t.Errorf("%s: the token is in the environment of a cell", p)
		case has:
			own++
		default:
			others++
		}
	}
	t.Logf("with the token: %d processes of the service; without: %d; not to be read: %d", own, others, closed)
	if own == 0 || others+closed == 0 {
		t.Error("the service has no token in its environment, or no cells: this test shows nothing")
	}
	if r, ok := <-answer; !ok || r.Verdict != "ok" {
		t.Errorf("%v %s", ok, r.step)
	}
}

// TestWrongTokens: all are answered alike, soon with 429, and the right one from
// the same address always gets in.
func TestWrongTokens(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	seen := map[int][]byte{}
	for i := range 60 {
		token := []string{"", "wrong", d.Token + "x", d.Token[1:], strings.ToLower(d.Token)}[i%5]
		status, header, answer := s.send(t, http.MethodGet, "/v1/policies", token, nil)
		checkProblem(t, status, header, answer)
		if first, ok := seen[status]; ok && !bytes.Equal(first, answer) {
			t.Errorf("two answers of status %d: %s %s", status, first, answer)
		}
		seen[status] = answer
		if wait, err := strconv.Atoi(header.Get("Retry-After")); status == http.StatusTooManyRequests && (err != nil || wait < 1) {
			t.Errorf("Retry-After: %q", header.Get("Retry-After"))
		}
		if status, _, answer := s.send(t, http.MethodGet, "/v1/policies", d.Token, nil); status != http.StatusOK {
			t.Fatalf("the right token: %d %s", status, answer)
		}
	}
	var got []int
	for status := range seen {
		got = append(got, status)
	}
	slices.Sort(got)
	if !slices.Equal(got, []int{401, 429}) {
		t.Errorf("statuses %v, want 401 and 429", got)
	}
}
