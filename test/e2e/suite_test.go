package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// adds is a program in C that adds two numbers, with what goes wrong for some inputs.
const adds = `#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	long a, b;
	FILE *f;
	if (scanf("%ld %ld", &a, &b) != 2) return 3;
	if (a == 100) for (;;);
	if (a == 101) abort();
	if (a == 102 && (f = fopen("notes", "w"))) fprintf(f, "x");
	if (a == 103) return fopen("notes", "r") ? 1 : 0;
	printf("%ld\n", a == 7 ? 0 : a + b);
	return 0;
}
`

type suiteAnswer struct {
	Verdict string `json:"verdict"`
	Message string `json:"message"`
	Build   *struct {
		Verdict string `json:"verdict"`
		Stderr  string `json:"stderr"`
		Cached  bool   `json:"cached"`
	} `json:"build"`
	Tests []struct {
		Name       string          `json:"name"`
		Verdict    string          `json:"verdict"`
		Stdout     string          `json:"stdout"`
		Difference json.RawMessage `json:"difference"`
		Points     *float64        `json:"points"`
		Checker    json.RawMessage `json:"checker"`
	} `json:"tests"`
	Summary *struct {
		Verdict     string `json:"verdict"`
		Total       int    `json:"total"`
		Run         int    `json:"run"`
		Passed      int    `json:"passed"`
		MaxCPU      int64  `json:"max_cpu_ns"`
		MaxWall     int64  `json:"max_wall_ns"`
		MaxMemory   int64  `json:"max_memory_peak_bytes"`
		AtTheSameTi int    `json:"parallel"`
	} `json:"summary"`
}

func (a *suiteAnswer) verdicts() string {
	var out []string
	for i := range a.Tests {
		out = append(out, a.Tests[i].Verdict)
	}
	return strings.Join(out, " ")
}

func suite(t *testing.T, s *service, body object) *suiteAnswer {
	t.Helper()
	return resultOf[suiteAnswer](t, s, body)
}

// resultOf is that of a job that must have one.
func resultOf[T any](t *testing.T, s *service, body object) *T {
	t.Helper()
	sent, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, _, text := s.send(t, http.MethodPost, "/v1/run", s.token, sent)
	var a T
	if err := json.Unmarshal(text, &a); err != nil || status != http.StatusOK {
		t.Fatalf("%d, %v: %s", status, err, text)
	}
	return &a
}

func additions(pairs ...[3]int) (tests []object) {
	for i, p := range pairs {
		tests = append(tests, object{"name": fmt.Sprint(i), "stdin": fmt.Sprintln(p[0], p[1]), "expect": fmt.Sprintln(p[2])})
	}
	return tests
}

// A submission is built once and judged by many tests, and the next like it is not
// built again.
func TestJudgedSuite(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "c,python")
	s := newService(d.URL, d.Token)
	body := object{"policy": "judge", "language": "c", "source": adds, "compare": "tokens", "parallel_tests": 2,
		"tests": additions([3]int{1, 2, 3}, [3]int{7, 1, 8}, [3]int{100, 0, 0}, [3]int{101, 0, 0}, [3]int{102, 1, 103}, [3]int{103, 0, 0})}
	body["tests"].([]object)[2]["limits"] = object{"cpu_ms": 100}
	body["tests"].([]object)[5]["expect"] = ""
	for i := range 2 {
		a := suite(t, s, body)
		if a.verdicts() != "ok wrong_answer cpu_limit signaled ok ok" || a.Verdict != "cpu_limit" || !strings.HasPrefix(a.Message, "test 3 (2): ") {
			t.Fatalf("%s: %s, %q", a.Verdict, a.verdicts(), a.Message)
		}
		if s := a.Summary; s.Total != 6 || s.Run != 6 || s.Passed != 3 || s.Verdict != "cpu_limit" || s.MaxCPU < 100e6 || s.MaxWall < 100e6/2 || s.MaxMemory <= 0 || s.AtTheSameTi < 1 {
			t.Errorf("%+v", s)
		}
		if a.Build == nil || a.Build.Verdict != "ok" || a.Build.Cached != (i > 0) {
			t.Errorf("%+v", a.Build)
		}
		if got := string(a.Tests[1].Difference); !strings.Contains(got, `"expected":"8"`) || !strings.Contains(got, `"got":"0"`) {
			t.Errorf("%s", got)
		}
	}
	body["stop_on_first_failure"], body["parallel_tests"] = true, 1
	if a := suite(t, s, body); a.verdicts() != "ok wrong_answer skipped skipped skipped skipped" || a.Summary.Run != 2 {
		t.Errorf("%s", a.verdicts())
	}
	body["source"] = "int main(void) { return }"
	if a := suite(t, s, body); a.Verdict != "build_failed" || a.Summary.Run != 0 || !strings.Contains(a.Build.Stderr, "error") {
		t.Errorf("%s: %+v", a.Verdict, a.Build)
	}
}

// A checker in a language of its own judges what the program prints.
func TestJudgedByChecker(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "c,python")
	const checker = `import sys
out, answer = open(sys.argv[2]).read().split(), open(sys.argv[3]).read().split()
if answer == ["crash"]: raise SystemExit(3)
print("got", out, file=sys.stderr)
raise SystemExit(0 if out[0][-1] == answer[0][-1] else 1)
`
	s := newService(d.URL, d.Token)
	body := object{"policy": "judge", "language": "c", "source": adds, "checker": object{"language": "python", "source": checker},
		"tests": additions([3]int{11, 2, 3}, [3]int{7, 1, 8}, [3]int{1, 1, 2})}
	body["tests"].([]object)[2]["expect"] = "crash"
	a := suite(t, s, body)
	if a.verdicts() != "ok wrong_answer checker_failed" || a.Verdict != "checker_failed" || len(a.Tests[1].Checker) == 0 {
		t.Errorf("%s: %s %q", a.Verdict, a.verdicts(), a.Message)
	}
}

// Every wrong value is answered with its path, and nothing is run.
func TestSuiteRefusals(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	one := `"tests":[{"stdin":"1"}]`
	for _, c := range []struct{ body, path, word string }{
		{`"tests":[]`, "tests", "empty"},
		{one + `,"stdin":"x"`, "stdin", "tests"},
		{one + `,"expect":"x"`, "expect", "tests"},
		{one + `,"outputs":["*"]`, "outputs", "tests"},
		{one + `,"compare":"fuzzy"`, "compare", "tokens"},
		{one + `,"compare":"float"`, "tolerance.abs", "allowed"},
		{one + `,"compare":"tokens","tolerance":{"abs":1}`, "tolerance", "float"},
		{one + `,"compare":"float","tolerance":{"abs":-1}`, "tolerance.abs", "allowed"},
		{`"compare":"exact"`, "compare", "expect"},
		{`"checker":{"command":["true"]}`, "checker", "tests"},
		{`"parallel_tests":1`, "parallel_tests", "tests"},
		{`"stop_on_first_failure":true`, "stop_on_first_failure", "tests"},
		{`"keep_output_bytes":1`, "keep_output_bytes", "tests"},
		{one + `,"keep_output_bytes":999999999`, "keep_output_bytes", "allowed"},
		{`"measure":{"repeat":101}`, "measure.repeat", "100"},
		{`"measure":{"repeat":-1}`, "measure.repeat", "100"},
		{`"stdin_sha256":"abc"`, "stdin_sha256", "64"},
		{`"stdin":"x","stdin_sha256":"abc"`, "stdin_sha256", "one of them"},
		{`"expect_sha256":"` + strings.Repeat("0", 64) + `"`, "expect_sha256", "PUT"},
		{`"tests":[{"stdin_sha256":"` + strings.Repeat("0", 64) + `"}]`, "tests[0].stdin_sha256", "PUT"},
		{`"files":[{"path":"a","sha256":"` + strings.Repeat("0", 64) + `"}]`, "files[0].sha256", "PUT"},
		{one + `,"parallel_tests":-1`, "parallel_tests", "allowed"},
		{one + `,"checker":{}`, "checker.command", "nothing to run"},
		{one + `,"checker":{"command":["true"],"style":"polygon"}`, "checker.style", "kattis"},
		{one + `,"checker":{"language":"cobol","source":"x"}`, "checker.language", "cobol"},
		{one + `,"checker":{"source":"x"}`, "checker.language", "language"},
		{one + `,"checker":{"command":["true"],"limits":{"cpu_ms":99999999}}`, "checker.limits.cpu_ms", "allowed"},
		{one + `,"checker":{"command":["true"],"files":[{"path":"../x","content":""}]}`, "checker.files[0].path", "parts"},
		{`"tests":[{"stdin":"1"},{"stdin_base64":"!"}]`, "tests[1].stdin_base64", "base64"},
		{`"tests":[{"stdin":"1","stdin_base64":"eA=="}]`, "tests[0].stdin_base64", "one of them"},
		{`"tests":[{"expect":"1","expect_base64":"eA=="}]`, "tests[0].expect_base64", "one of them"},
		{`"tests":[{"args":["a\u0000"]}]`, "tests[0].args[0]", "NUL"},
		{`"tests":[{"files":[{"path":"/x","content":""}]}]`, "tests[0].files[0].path", "relative"},
		{`"tests":[{"limits":{"memory_bytes":1}}]`, "tests[0].limits.memory_bytes", "allowed"},
		{`"tests":[{"name":"x"},{"limits":{"cpu_ms":99999999}}]`, "tests[1].limits.cpu_ms", "allowed"},
		{`"tests":[` + strings.Repeat(`{},`, 1000) + `{}]`, "tests", "1000"},
	} {
		status, _, text := s.send(t, http.MethodPost, "/v1/run", s.token, []byte(`{"policy":"judge","command":["true"],`+c.body+`}`))
		var p struct{ Path, Detail, Code string }
		if err := json.Unmarshal(text, &p); err != nil || status != 422 || p.Path != c.path || !strings.Contains(p.Detail, c.word) {
			t.Errorf("%.120s: %d, path %q, %s", c.body, status, p.Path, text)
		}
	}
}

// Inputs and answers that are kept are named by their hashes, and stay while a job has
// them.
func TestKeptInputs(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	put := func(text string) string {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
		if status, _, answer := s.send(t, http.MethodPut, "/v1/files/"+sum, s.token, []byte(text)); status != 201 {
			t.Fatalf("%d %s", status, answer)
		}
		return sum
	}
	in, out, script := put("1 2\n"), put("3\n"), put("read a b; echo $((a + b))\n")
	a := suite(t, s, object{"policy": "judge", "command": []string{"sh", "add"}, "files": []object{{"path": "add", "sha256": script}},
		"tests": []object{{"stdin_sha256": in, "expect_sha256": out}, {"stdin": "2 2", "expect_sha256": out}}})
	if a.verdicts() != "ok wrong_answer" {
		t.Errorf("%s %+v", a.verdicts(), a.Tests)
	}
	r := s.run(t, object{"policy": "judge", "command": []string{"sh", "-c", "cat /dev/stdin; cat add"}, "stdin_sha256": in, "files": []object{{"path": "add", "sha256": script}}})
	if r.Stdout != "1 2\nread a b; echo $((a + b))\n" {
		t.Errorf("%q %q", r.Stdout, r.Stderr)
	}
	for _, sum := range []string{in, out, script} { // nobody holds them any more
		if status, _, answer := s.send(t, http.MethodDelete, "/v1/files/"+sum, s.token, nil); status != 204 {
			t.Errorf("%d %s", status, answer)
		}
	}
}
