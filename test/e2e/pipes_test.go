package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

type ensembleAnswer struct {
	suiteAnswer
	Fault    []string `json:"fault"`
	Programs []struct {
		Name string `json:"name"`
		step
	} `json:"programs"`
	Checker    *step `json:"checker"`
	Transcript *struct {
		Truncated bool `json:"truncated"`
		Entries   []struct {
			From   string `json:"from"`
			To     string `json:"to"`
			At     int64  `json:"at_ns"`
			Text   string `json:"text"`
			Base64 string `json:"base64"`
		} `json:"entries"`
	} `json:"transcript"`
}

func joined(t *testing.T, s *service, body object) *ensembleAnswer {
	t.Helper()
	return resultOf[ensembleAnswer](t, s, body)
}

// A program in C in a line with one in Python, and another copy of the one in C.
func TestProgramsInALine(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "c,python")
	s := newService(d.URL, d.Token)
	const adder = "#include <stdio.h>\n#include <stdlib.h>\nint main(int c, char **v) { long x; while (scanf(\"%ld\", &x) == 1) printf(\"%ld\\n\", x + (c > 1 ? atol(v[1]) : 1)); return 0; }\n"
	body := object{"policy": "judge", "language": "c", "source": adder, "expect": "111\n112\n",
		"programs": []object{{"name": "first", "same_as": "main", "args": []string{"100"}, "stdin": "5 6"},
			{"name": "second", "language": "python", "source": "import sys\nfor line in sys.stdin: print(int(line) + 5)\n"}},
		"pipes": []object{{"from": "first", "to": "second"}, {"from": "second", "to": "main"}}}
	a := joined(t, s, body)
	if a.Verdict != "ok" || len(a.Programs) != 3 || a.Programs[0].Stdout != "111\n112\n" || a.Programs[2].Usage.CPUNanos <= 0 || len(a.Programs[1].Limits) == 0 || a.Transcript != nil {
		t.Errorf("%+v", a)
	}
	body["transcript_bytes"] = 1000
	a = joined(t, s, body)
	if a.Verdict != "ok" || a.Transcript == nil || len(a.Transcript.Entries) < 2 || a.Transcript.Entries[0].From != "first:1" || a.Transcript.Entries[0].To != "second:0" || a.Transcript.Entries[0].Text != "105\n106\n" {
		t.Errorf("%+v", a.Transcript)
	}
	body["programs"].([]object)[1]["source"] = "import os, sys\nsys.stdin.readline(); os.abort()\n"
	if a = joined(t, s, body); a.Verdict != "signaled" || strings.Join(a.Fault, " ") != "second" || !strings.HasPrefix(a.Message, "second: ") {
		t.Errorf("%s %q %q", a.Verdict, a.Message, a.Fault)
	}
	body["programs"].([]object)[1]["source"] = "import ("
	delete(body["programs"].([]object)[1], "language")
	body["programs"].([]object)[1]["language"] = "c"
	if a = joined(t, s, body); a.Verdict != "build_failed" || !strings.HasPrefix(a.Message, "the build of second: ") || a.Build == nil || !strings.Contains(a.Build.Stderr, "error") {
		t.Errorf("%s %q %+v", a.Verdict, a.Message, a.Build)
	}
}

// Two players and a referee, for each test; and the referee of a single run.
func TestProgramsWithReferee(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "python")
	s := newService(d.URL, d.Token)
	const player = "import sys\nfor line in sys.stdin: print(int(line) + (1 if int(line) != 13 else 2), flush=True)\n"
	const referee = `import os, sys
last = int(open(sys.argv[1]).read())
ends = [(os.fdopen(3), os.fdopen(4, "w")), (os.fdopen(5), os.fdopen(6, "w"))]
for n in range(last):
    read, write = ends[n % 2]
    print(n, file=write, flush=True)
    if read.readline().strip() != str(n + 1):
        print(f"player {n % 2} is wrong at {n}", file=sys.stderr)
        sys.exit(1)
sys.exit(0)
`
	pipes := []object{{"from": "main", "to": "interactor:3"}, {"from": "interactor:4", "to": "main"}, {"from": "other", "to": "interactor:5"}, {"from": "interactor:6", "to": "other"}}
	body := object{"policy": "judge", "language": "python", "source": player, "interactor": object{"language": "python", "source": referee}, "cores": "together",
		"programs": []object{{"name": "other", "same_as": "main"}}, "pipes": pipes, "tests": []object{{"stdin": "10"}, {"stdin": "20"}}, "parallel_tests": 2}
	if a := joined(t, s, body); a.verdicts() != "ok wrong_answer" || !strings.Contains(a.Message, "player 1 is wrong at 13") {
		t.Errorf("%s %q", a.verdicts(), a.Message)
	}
	delete(body, "tests")
	delete(body, "parallel_tests")
	body["stdin"], body["transcript_bytes"] = "3", 10000
	a := joined(t, s, body)
	var said []string
	for _, e := range a.Transcript.Entries {
		said = append(said, fmt.Sprintf("%s %s %s", e.From, e.To, strings.TrimSpace(e.Text)))
	}
	if a.Verdict != "ok" || a.Checker == nil || a.Checker.Verdict != "ok" || a.Transcript.Truncated ||
		strings.Join(said, ", ") != "interactor:4 main:0 0, main:1 interactor:3 1, interactor:6 other:0 1, other:1 interactor:5 2, interactor:4 main:0 2, main:1 interactor:3 3" {
		t.Errorf("%s %q: %q", a.Verdict, a.Message, said)
	}
}

// Each wrong way to join programs is answered with its path.
func TestProgramsRefused(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	const two = `"programs":[{"name":"a","command":["x"]},{"name":"b","command":["x"]}]`
	for _, c := range []struct{ body, path, word string }{
		{two, "pipes", "none"},
		{two + `,"pipes":[{"from":"main","to":"nobody"}]`, "pipes[0].to", "nobody"},
		{two + `,"pipes":[{"from":"nobody","to":"a"}]`, "pipes[0].from", "nobody"},
		{two + `,"pipes":[{"from":"main:99","to":"a"}]`, "pipes[0].from", "3 to 18"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"},{"from":"b","to":"main"}]`, "pipes[2]", "circle"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"main","to":"b"}]`, "pipes[1].from", "pipes[0]"},
		{two + `,"pipes":[{"from":"main","to":"a"}]`, "programs[1]", "no pipe"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"}],"cores":"far"`, "cores", "apart"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"}],"transcript_bytes":9999999`, "transcript_bytes", "allowed"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"}],"expect":"x"`, "expect", "judged"},
		{`"programs":[{"name":"a","same_as":"b"}],"pipes":[{"from":"main","to":"a"}]`, "programs[0].same_as", "no program"},
		{`"programs":[{"name":"a","command":["x"],"limits":{"memory_bytes":1}}],"pipes":[{"from":"main","to":"a"}]`, "programs[0].limits.memory_bytes", "allowed"},
		{`"programs":[{"name":"a","command":["x"],"stdin":"y"}],"pipes":[{"from":"main","to":"a"}]`, "programs[0].stdin", "pipe"},
	} {
		status, _, text := s.send(t, http.MethodPost, "/v1/run", s.token, []byte(`{"policy":"judge","command":["true"],`+c.body+`}`))
		var p struct{ Path, Detail, Code string }
		if err := json.Unmarshal(text, &p); err != nil || status != 422 || p.Path != c.path || !strings.Contains(p.Detail, c.word) {
			t.Errorf("%.120s: %d, path %q, %s", c.body, status, p.Path, text)
		}
	}
	var many, pipes []string
	for i := range 7 {
		many = append(many, fmt.Sprintf(`{"name":"p%d","command":["cat"]}`, i))
		pipes = append(pipes, fmt.Sprintf(`{"from":"main:%d","to":"p%d"}`, 3+i, i))
	}
	body := fmt.Sprintf(`{"policy":"judge","command":["true"],"cores":"apart","programs":[%s],"pipes":[%s]}`, strings.Join(many, ","), strings.Join(pipes, ","))
	status, _, text := s.send(t, http.MethodPost, "/v1/run", s.token, []byte(body))
	if status != 200 && (status != 422 || !strings.Contains(string(text), `"path":"cores"`)) { // as many cores as there are
		t.Errorf("%d %s", status, text)
	}
}
