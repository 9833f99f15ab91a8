package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// TestImageJobs: an image is brought in beside a running service, and jobs run on it: over
// HTTP, from the queue and by the commands.
func TestImageJobs(t *testing.T) {
	top := t.TempDir()
	policies := filepath.Join(top, "policies")
	exam := "name: exam\ndescription: Contestants.\nextends: judge\nroot:\n  images:\n    - image: exam/*\n      reason: What the contest has.\n"
	if err := os.Mkdir(policies, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"exam.yaml": exam} {
		if err := os.WriteFile(filepath.Join(policies, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := filepath.Join(top, "state")
	t.Cleanup(func() { // files of images are not this user's to remove
		for _, n := range []string{"tools:1", "exam/a:2"} {
			images(t, state, "remove", n)
		}
	})
	d := testkit.StartDaemonIn(t, state, "--languages", "python,c", "--policies", policies)
	s := newService(d.URL, d.Token)
	s.refuses(t, object{"image": "tools:1"}, "unknown_image", "there is none for jobs under policy default")

	tool := string(testkit.Tool(t))
	saved := filepath.Join(top, "saved.tar")
	config := object{"Env": []string{"PATH=/opt/bin"}, "Cmd": []string{"tool", "ids", ";", "pwd"}, "WorkingDir": "/opt", "User": "app"}
	for _, name := range []string{"tools:1", "exam/a:2"} {
		layers := testkit.Archive(t, testkit.Dir("opt/bin", 0o755, 0), testkit.Regular("opt/bin/tool", 0o755, 0, tool), testkit.Symlink("opt/bin/python3", "tool"),
			testkit.Dir("etc", 0o755, 0), testkit.Regular("etc/passwd", 0o644, 0, "app:x:7:8::/opt:/bin/sh\n"), testkit.Regular("etc/name", 0o600, 0, name))
		if err := os.WriteFile(saved, testkit.Saved(t, name, config, layers), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, told, status := images(t, state, "import", saved); status != 0 {
			t.Fatal(out, told)
		}
	}
	says := func(job object, want string) {
		t.Helper()
		if r := s.run(t, job); r.Verdict != "ok" || r.Stdout != want {
			t.Errorf("%v: %s (%s) %q %q, want %q", job, r.Verdict, r.Message, r.Stdout, r.Stderr, want)
		}
	}
	says(object{"image": "tools:1"}, "ids 1000 1000 1000 1000 1000 1000 0\npwd /opt\n")
	says(object{"image": "tools:1", "policy": "ci", "id_range": true}, "ids 7 7 7 8 8 8 0\npwd /opt\n")
	says(object{"image": "tools:1", "policy": "ci", "id_range": true, "user": "0", "writable_root": true, "working_dir": "/etc", "command": []string{"tool", "cat", "name", ";", "put", "name", "!", ";", "cat", "name"}},
		"cat tools:1\nput ok\ncat tools:1!\n")
	says(object{"image": "tools:1", "policy": "ci", "id_range": true, "user": "0", "command": []string{"tool", "cat", "/etc/name"}}, "cat tools:1\n") // as it was
	says(object{"image": "exam/a:2", "policy": "exam", "command": []string{"tool", "cat", "/etc/name"}}, "cat EACCES\n")
	says(object{"image": "tools:1", "language": "python", "source": "x"}, "main.py unknown\n") // it is this image's python3
	s.refuses(t, object{"image": "tools:1", "language": "c", "source": "x"}, "language_not_installed", "not in the image")
	s.refuses(t, object{"image": "tools:1", "policy": "exam"}, "policy_denied", "exam/*")
	s.refuses(t, object{"image": "tools:1", "id_range": true}, "policy_denied", "id_range")
	s.refuses(t, object{"id_range": true, "policy": "ci", "command": []string{"x"}}, "policy_denied", "nothing without an image")
	s.refuses(t, object{"image": "exam/none:1", "policy": "exam"}, "unknown_image", "there are exam/a:2")
	s.refuses(t, object{"image": "none:1", "policy": "exam"}, "policy_denied", "exam/*") // as for one that is there
	s.refuses(t, object{"image": "tools:1", "user": "0"}, "invalid_field", "id_range")

	_, _, answer := s.send(t, "GET", "/v1/images", s.token, nil)
	var list struct {
		Images []struct {
			Names, Policies, Command []string
			User                     string
			WorkingDir               string `json:"working_dir"`
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil || len(list.Images) != 2 {
		t.Fatalf("%s, %v", answer, err)
	}
	for _, i := range list.Images {
		if allowed := strings.Contains(strings.Join(i.Policies, " "), "exam"); allowed != (i.Names[0] == "exam/a:2") || len(i.Command) != 4 || i.User != "app" || i.WorkingDir != "/opt" {
			t.Errorf("%+v", i)
		}
	}
	if q := s.await(t, s.submit(t, object{"image": "tools:1"}).ID, "done"); q.Result == nil || q.Result.Verdict != "ok" || !strings.Contains(q.Result.Stdout, "pwd /opt") {
		t.Errorf("from the queue: %+v", q)
	}
	if got := cordon(t, d, "", "", "submit", "--follow", "--image", "tools:1", "--workdir", "/etc", "--", "tool", "pwd"); got.status != 0 || got.out != "pwd /etc\n" {
		t.Errorf("submit: %+v", got)
	}
	if got := cordon(t, d, "", "", "run", "--image", "tools:1", "--id-range", "--user", "app:0", "--state", state); got.status != 0 || got.out != "ids 7 7 7 0 0 0 0\npwd /opt\n" {
		t.Errorf("run: %+v", got)
	}
	if got := cordon(t, d, "", "", "run", "--image", "none:1", "--state", state); got.status != 125 || !strings.Contains(got.err, "cordon image list") {
		t.Errorf("run on none: %+v", got)
	}
	if got := cordon(t, d, "", "", "run", "--explain", "--policy", "exam", "--policies", policies, "--image", "tools:1"); got.status != 1 || !strings.Contains(got.out, "exam/*") {
		t.Errorf("explain: %+v", got)
	}
}

// refuses sends a job that is to be refused.
func (s *service) refuses(t *testing.T, job object, code, words string) {
	t.Helper()
	body, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	_, _, answer := s.send(t, "POST", "/v1/run", s.token, body)
	var p struct{ Code, Detail string }
	if err := json.Unmarshal(answer, &p); err != nil || p.Code != code || !strings.Contains(p.Detail, words) {
		t.Errorf("%v: %s; want %s with %q", job, answer, code, words)
	}
}

// TestImageFleet: a service that runs nothing takes jobs on images that only a worker has, and one
// on an image that nobody has waits, and says for what.
func TestImageFleet(t *testing.T) {
	top := t.TempDir()
	secret, state, saved := filepath.Join(top, "secret"), filepath.Join(top, "worker"), filepath.Join(top, "saved.tar")
	text := testkit.Saved(t, "tools:1", nil, testkit.Archive(t, testkit.Regular("tool", 0o755, 0, string(testkit.Tool(t)))))
	if err := errors.Join(os.WriteFile(secret, []byte(strings.Repeat("s", 40)), 0o600), os.WriteFile(saved, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { images(t, state, "remove", "tools:1") })
	if out, told, status := images(t, state, "import", saved); status != 0 {
		t.Fatal(out, told)
	}
	at := freePort(t)
	d := testkit.StartDaemonIn(t, filepath.Join(top, "api"), "--role", "api", "--queue-listen", at, "--queue-secret", secret, "--languages", "sh")
	testkit.StartDaemonIn(t, state, "--role", "worker", "--queue-url", "nats://"+at, "--queue-secret", secret, "--languages", "sh")
	s := newService(d.URL, d.Token)
	for _, job := range []object{{"image": "tools:1", "command": []string{"/tool", "ids"}}, {"image": "tools:1", "policy": "ci", "id_range": true, "command": []string{"/tool", "ids"}}} {
		id := "1000 1000 1000 1000 1000 1000 0"
		if job["id_range"] != nil {
			id = "0 0 0 0 0 0 0"
		}
		if r := s.run(t, job); r.Verdict != "ok" || r.Stdout != "ids "+id+"\n" {
			t.Errorf("%v: %s (%s) %q", job, r.Verdict, r.Message, r.Stdout)
		}
	}
	waits := s.submit(t, object{"image": "none:1", "command": []string{"x"}})
	for path, words := range map[string]string{"/v1/jobs/" + waits.ID: "image none:1", "/v1/images": `"tools:1"`} {
		var answer []byte
		for deadline := time.Now().Add(time.Minute); !strings.Contains(string(answer), words); time.Sleep(20 * time.Millisecond) {
			if _, _, answer = s.send(t, "GET", path, s.token, nil); time.Now().After(deadline) {
				t.Fatalf("%s: %s", path, answer)
			}
		}
	}
	s.send(t, "DELETE", "/v1/jobs/"+waits.ID, s.token, nil)
}
