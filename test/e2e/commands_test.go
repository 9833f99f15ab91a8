package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// said is what a command of the client's side has said.
type said struct {
	out, err string
	status   int
}

// cordon runs a command against the service, in a directory.
func cordon(t *testing.T, d *testkit.Daemon, dir, stdin string, args ...string) said {
	t.Helper()
	c := testkit.Command(t, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "CORDON_URL="+d.URL, "CORDON_TOKEN="+d.Token)
	c.Stdin = strings.NewReader(stdin)
	return ran(t, c)
}

func ran(t *testing.T, c *exec.Cmd) said {
	t.Helper()
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// submitted is the id of a job that is queued.
func submitted(t *testing.T, d *testkit.Daemon, args ...string) string {
	t.Helper()
	s := cordon(t, d, "", "", append([]string{"submit"}, args...)...)
	if id := strings.TrimSpace(s.out); s.status == 0 && len(id) == 36 && s.err == "" {
		return id
	}
	t.Fatalf("%+v", s)
	return ""
}

// The exit status is that of the program, as of cordon run.
func trySubmit(t *testing.T, d *testkit.Daemon, line string) {
	for command, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 137, "exec ./nothing": 127} {
		s := cordon(t, d, "", "", "submit", "--wait", "--", "sh", "-c", command)
		if s.status != want || !strings.Contains(s.err, "cordon: ") || len(s.out) != 37 {
			t.Errorf("%s: %+v", command, s)
		}
	}
	if s := cordon(t, d, "", "", "submit", "--wait", "./nothing"); s.status != 127 || !strings.Contains(s.err, "ENOENT") {
		t.Errorf("%+v", s)
	}
	if s := cordon(t, d, "", "", "submit", "--wait", "-q", "--cpu-time", "100ms", "--", "sh", "-c", "while :; do :; done"); s.status != 137 || s.err != "" {
		t.Errorf("%+v", s)
	}
	id := submitted(t, d, "--key", "the-same", "--priority", "low", "--", "true")
	if again := submitted(t, d, "--key", "the-same", "--priority", "low", "--", "true"); again != id {
		t.Errorf("%s and %s", id, again)
	}
	if s := cordon(t, d, "", "", "submit", "--wait", "--json", "--url", line, "--", "sh", "-c", "echo out; exit 4"); s.status != 4 || s.err != "" {
		t.Errorf("%+v", s)
	} else {
		var j queuedJob
		if err := json.Unmarshal([]byte(s.out), &j); err != nil || j.State != "done" || j.Result.Stdout != "out\n" {
			t.Errorf("%v: %s", err, s.out)
		}
	}
}

// What flags and a job's file say reaches the job, and what it leaves comes back.
func trySubmitFiles(t *testing.T, d *testkit.Daemon, line string) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a file": "content\xff", "main.py": "import sys\nprint(sys.stdin.read())", "in": "from stdin",
		"job.json": `{"command": ["sh", "-c", "echo $A $B; cat a; cat >&2; echo left > out.txt; exit 5"], "env": {"A": "file", "B": "file"}, "stdin": "x", "priority": "low"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := cordon(t, d, dir, "by pipe", "submit", "--follow", "--url", line, "-f", "job.json", "--env", "B=flag", "--file", "a file:a", "--stdin", "-", "--output", "out.txt", "--memory", "32M", "--retry-safe")
	id, rest, _ := strings.Cut(s.err, "\n")
	if s.status != 5 || s.out != "file flag\ncontent\xff" || !strings.HasPrefix(rest, "by pipecordon: nonzero · cpu ") {
		t.Errorf("%+v", s)
	}
	if left, err := os.ReadFile(filepath.Join(dir, "out.txt")); string(left) != "left\n" || err != nil {
		t.Errorf("%q %v", left, err)
	}
	s = cordon(t, d, dir, "", "status", "--json", id)
	if s.status != 0 || !strings.Contains(s.out, `"value": 33554432`) || !strings.Contains(s.out, `"priority": "low"`) || !strings.Contains(s.out, `"retry_safe": true`) {
		t.Errorf("%+v", s)
	}
	if s := cordon(t, d, dir, "", "submit", "--follow", "-q", "--language", "python", "--source", "main.py", "--stdin", "in"); s.status != 0 || s.out != "from stdin\n" {
		t.Errorf("%+v", s)
	}
}

func tryLogs(t *testing.T, d *testkit.Daemon, line string) {
	id := submitted(t, d, "--", "sh", "-c", "echo one; echo err >&2; sleep 1000")
	for { // until it has begun; what it then prints at once is told within a second
		s := cordon(t, d, "", "", "logs", id)
		if s.status != 0 {
			t.Fatalf("%+v", s)
		}
		if s.out == "one\n" && s.err == "err\n" {
			break
		}
	}
	if s := cordon(t, d, "", "", "status", id); s.status != 0 || !strings.Contains(s.out, id) || !strings.Contains(s.out, "running") {
		t.Errorf("%+v", s)
	}
	if s := cordon(t, d, "", "", "list", "--state", "running", "--most", "1000"); s.status != 0 || !strings.Contains(s.out, id) {
		t.Errorf("%+v", s)
	}
	follow := testkit.Command(t, "logs", "-f", "--url", line, id)
	follow.Env = append(os.Environ(), "CORDON_TOKEN="+d.Token)
	var out strings.Builder
	follow.Stdout = &out
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	unknown := "00000000-0000-7000-8000-000000000000"
	if s := cordon(t, d, "", "", "cancel", unknown, id, id); s.status != 125 || s.out != id+" cancelled\n"+id+" cancelled\n" || !strings.Contains(s.err, "unknown_job") {
		t.Errorf("%+v", s)
	}
	if err := follow.Wait(); follow.ProcessState.ExitCode() != 125 || out.String() != "one\n" {
		t.Errorf("%v: %q", err, out.String())
	}
	if s := cordon(t, d, "", "", "list", "--json", "--state", "cancelled"); s.status != 0 || !strings.Contains(s.out, `"id": "`+id+`"`) {
		t.Errorf("%+v", s)
	}
	done := submitted(t, d, "--", "sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; done; echo error >&2; exit 6")
	if s := cordon(t, d, "", "", "logs", "-f", "--url", line, done); s.status != 6 || s.out != "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\n" || s.err != "error\n" {
		t.Errorf("%+v", s)
	}
	if s := cordon(t, d, "", "", "logs", done); s.status != 0 || s.err != "error\n" {
		t.Errorf("%+v", s)
	}
	if s := cordon(t, d, "", "", "status", done); s.status != 0 || !strings.Contains(s.out, "nonzero") || !strings.Contains(s.out, "42 bytes, and 6 of errors") {
		t.Errorf("%+v", s)
	}
}

// On a terminal there is a line that changes and goes; elsewhere there is none.
func tryTerminal(t *testing.T, d *testkit.Daemon, _ string) {
	onTerminal := func(command string, env ...string) string {
		c := exec.CommandContext(t.Context(), "script", "-qec", testkit.Binary(t)+" "+command, "/dev/null")
		c.Env = append(append(os.Environ(), "CORDON_URL="+d.URL, "CORDON_TOKEN="+d.Token, "TERM=xterm"), env...)
		s := ran(t, c)
		if s.status != 0 {
			t.Errorf("%s: %+v", command, s)
		}
		return s.out
	}
	const clear = "\r\x1b[K"
	job := ` -- sh -c 'echo printed; sleep 0.3'`
	shown := onTerminal("submit --follow" + job)
	if !strings.Contains(shown, clear+"\x1b[1mrunning\x1b[0m · ") || !strings.Contains(shown, clear+"printed\r\n") || !strings.Contains(shown, clear+"cordon: ok") {
		t.Errorf("%q", shown)
	}
	if shown := onTerminal("submit --wait"+job, "NO_COLOR=1"); !strings.Contains(shown, clear+"running · ") || strings.Contains(shown, "\x1b[1m") || strings.Contains(shown, "printed") {
		t.Errorf("%q", shown)
	}
	if shown := onTerminal("submit --wait --quiet -- true"); strings.Contains(shown, "\x1b") {
		t.Errorf("%q", shown)
	}
	if s := cordon(t, d, "", "", "submit", "--follow", "--", "sh", "-c", "echo printed"); s.out != "printed\n" || strings.Contains(s.err, "\x1b") {
		t.Errorf("%+v", s)
	}
}

// What is wrong is told before anything is queued, and the token goes nowhere it should not.
func tryRefusals(t *testing.T, d *testkit.Daemon, _ string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "job.json"), []byte(`{"comand": ["true"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, word := range map[string]string{
		"submit":                               "nothing to run",
		"submit -f job.json":                   `"comand"`,
		"submit -f none.json":                  "none.json",
		"submit -f - -- true":                  "EOF",
		"submit --memory 0 true":               "--memory: 0 given",
		"submit --cpus 0 true":                 "--cpus",
		"submit --env x true":                  "--env",
		"submit --memory 900T true":            "policy_denied: limits.memory_bytes",
		"submit --priority highest true":       "priority",
		"submit --queue-ttl 0s true":           "--queue-ttl",
		"submit --follow --json true":          "--json",
		"submit --stdin - -f - true":           "standard input",
		"submit --language cobol --source in":  "in",
		"list --state gone":                    "allowed are queued",
		"list --most 0":                        "--most",
		"status":                               "arg",
		"status none":                          "unknown_job",
		"logs none":                            "unknown_job",
		"status --url ftp://x none":            "--url",
		"status --token-file none none":        "--token-file",
		"status --token-file job.json none":    "one word",
		"status --url http://127.0.0.1:1 none": "connection refused",
	} {
		if s := cordon(t, d, dir, "", strings.Fields(args)...); s.status != 125 || !strings.Contains(s.err, word) || strings.Contains(s.err, d.Token) {
			t.Errorf("%s: %+v, want %s", args, s, word)
		}
	}
	bare := func(env []string, args ...string) said {
		c := testkit.Command(t, args...)
		c.Env = append(env, "HOME="+dir, "PATH="+os.Getenv("PATH"))
		return ran(t, c)
	}
	if s := bare([]string{"CORDON_URL=http://cordon.example", "CORDON_STATE=" + d.State}, "status", "none"); s.status != 125 || !strings.Contains(s.err, "no token") {
		t.Errorf("a service elsewhere: %+v", s)
	}
	// That of the service on this machine is found, as is the service.
	if s := bare([]string{"CORDON_LISTEN=" + strings.TrimPrefix(d.URL, "http://"), "CORDON_STATE=" + d.State}, "list"); s.status != 0 || !strings.Contains(s.out, "STATE") {
		t.Errorf("%+v", s)
	}
	if s := bare([]string{"CORDON_LISTEN=", "CORDON_SOCKET=" + strings.TrimPrefix(clientSocket, "unix:"), "CORDON_STATE=" + d.State}, "list"); s.status != 0 {
		t.Errorf("%+v", s)
	}
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(d.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := bare(nil, "list", "--url", d.URL, "--token-file", token); s.status != 0 {
		t.Errorf("%+v", s)
	}
}
