package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cordon/internal/testkit"
)

// judged is what these tests read of cordon judge --json.
type judged struct {
	TimeLimit     int64  `json:"time_limit_ms"`
	TimeFrom      string `json:"time_limit_from"`
	InterruptedBy string `json:"interrupted_by"`
	Status        int    `json:"status"`
	Submissions   []struct {
		Name, Verdict, Message string
		Kept                   bool   `json:"as_promised"`
		Failing                string `json:"first_failing"`
		BuildOut               string `json:"build_output"`
		CPUNanos               int64  `json:"max_cpu_ns"`
		MemoryPeak             int64  `json:"max_memory_peak_bytes"`
		Cases                  []struct {
			Name, Verdict string
		}
	}
}

// words are the verdicts, in the order of the table.
func (j *judged) words() string {
	var out []string
	for _, s := range j.Submissions {
		out = append(out, s.Verdict)
	}
	return strings.Join(out, " ")
}

// judges runs cordon judge, and wants an exit status.
func judges(t *testing.T, status int, args ...string) *judged {
	t.Helper()
	text, errs := judging(t, status, append([]string{"--json"}, args...)...)
	var j judged
	if err := json.Unmarshal([]byte(text), &j); err != nil || j.Status != status {
		t.Fatalf("status %d, %v: %s%s", j.Status, err, text, errs)
	}
	return &j
}

func judging(t *testing.T, status int, args ...string) (out, errs string) {
	t.Helper()
	cmd := testkit.Command(t, append([]string{"judge"}, args...)...)
	temporary := shortDir(t)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var both strings.Builder
	cmd.Stderr = &both
	text, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != status {
		t.Fatalf("%v, exit status %d is wanted\n%s%s", err, status, text, both.String())
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return string(text), both.String()
}

// shortDir: names of sockets are short, and the directory of a test has a long one.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "judge-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func example(t *testing.T, name string) string {
	return filepath.Join(testkit.Root(t), "examples", "problems", name)
}

// Every program of the example problems gets what its folder promises.
func TestJudgeExamples(t *testing.T) {
	if os.Getenv(slowVar) != "" {
		t.Log("NOT ALL SUBMISSIONS: an emulated processor takes minutes for the others")
		if j := judges(t, 0, "--time-limit", "15s", example(t, "ropeferry"), "table.cpp", "lighter_side.py"); j.words() != "AC WA" {
			t.Errorf("%+v", j)
		}
		if j := judges(t, 0, "--time-limit", "15s", example(t, "lateecho"), "one_after.cpp", "runs_away.cpp", "no_patience.py"); j.words() != "AC RTE WA" {
			t.Errorf("%+v", j)
		}
		return
	}
	t.Run("ropeferry", func(t *testing.T) {
		text, progress := judging(t, 0, example(t, "ropeferry"))
		for _, want := range []string{"Rope Ferry: 3 sample and 16 secret cases", "time limit 4s (as the package says)", "| accepted/Main.java ", "| accepted/bitsets.py ", "| accepted/table.cpp ",
			"10 of 10 submissions got what was promised\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing", want)
			}
		}
		if n := strings.Count(text, " kept "); n != 10 || strings.Contains(text, "\x1b") {
			t.Errorf("%d promises kept\n%s", n, text)
		}
		if n := strings.Count(progress, "\n"); n != 10 || !strings.Contains(progress, "[10/10] submissions/") || !strings.Contains(progress, "; sample/2: lean 9, possible is 6\n") {
			t.Errorf("%d lines of progress: %s", n, progress)
		}
	})
	t.Run("lateecho", func(t *testing.T) {
		j := judges(t, 0, "--parallel", "2", "--time-limit", "3s", example(t, "lateecho"))
		if j.words() != "AC AC AC RTE RTE TLE TLE TLE WA WA WA WA" || j.TimeFrom != "flag" || j.TimeLimit != 3000 {
			t.Errorf("%s, %+v", j.words(), j)
		}
	})
}

// sumsPackage is a package without a validator and without a time limit.
var sumsPackage = map[string]string{
	"problem.yaml":                        "name: Sums\nlimits: {memory: 128, output: 1}\n",
	"data/sample/1.in":                    "1 2\n",
	"data/sample/1.ans":                   "Sum 3\n",
	"data/secret/1.in":                    "3 4\n",
	"data/secret/1.ans":                   "Sum 7\n",
	"data/secret/2.in":                    "5 5\n",
	"data/secret/2.ans":                   "Sum 10\n",
	"submissions/accepted/lower.py":       "print('sum', sum(map(int, input().split())))\n",
	"submissions/accepted/many/first.cpp": "#include <cstdio>\nint sum(int, int);\nint main() { int a, b; if (std::scanf(\"%d %d\", &a, &b) == 2) std::printf(\"SUM\\n%d\\n\", sum(a, b)); }\n",
	"submissions/accepted/many/other.cpp": "int sum(int a, int b) { return a + b; }\n",
	"submissions/compiler_error/no.cpp":   "int main() { return no; }\n",
	"submissions/memory_limit/all.py":     "x = b'x' * (1 << 30)\nprint('Sum 3')\n",
	"submissions/output_limit/all.py":     "while True:\n    print('Sum 3' * 1000)\n",
	"submissions/no_output/says.py":       "input()\n",
	"submissions/rejected/three.py":       "print('Sum', 3)\n",
}

func judgePackage(t *testing.T, changes map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write := func(all map[string]string) {
		for name, text := range all {
			full := filepath.Join(dir, filepath.FromSlash(name))
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(sumsPackage)
	write(changes)
	return dir
}

// All that a package without a validator can promise; its time limit is measured.
func TestJudgeMeasures(t *testing.T) {
	want, names := "AC AC CE MLE WA OLE WA", []string(nil)
	if os.Getenv(slowVar) != "" { // the others come to the time limit before they come to theirs
		want, names = "AC AC CE WA WA", []string{"accepted", "compiler_error", "no_output", "rejected"}
	}
	j := judges(t, 0, append([]string{judgePackage(t, nil)}, names...)...)
	if j.words() != want || j.TimeFrom != "measured" || j.TimeLimit < 1000 || j.TimeLimit%1000 != 0 {
		t.Errorf("%s, %+v", j.words(), j)
	}
	for _, s := range j.Submissions {
		if s.Verdict == "CE" {
			if !strings.Contains(s.BuildOut, "no") || len(s.Cases) != 3 {
				t.Errorf("%+v", s)
			}
		} else if s.CPUNanos <= 0 || s.MemoryPeak <= 0 {
			t.Errorf("%+v", s)
		}
	}
}

// A broken promise is exit status 1, a broken package 2, a failed validator 3.
func TestJudgeStatus(t *testing.T) {
	dir := judgePackage(t, map[string]string{"submissions/accepted/wrong.py": "print('Sum', 3)\n", "submissions/wrong_answer/right.py": sumsPackage["submissions/accepted/lower.py"]})
	j := judges(t, 1, "--all", "--time-limit", "15s", dir, "accepted/wrong.py", "wrong_answer")
	if j.words() != "WA AC" || j.Submissions[0].Failing != "secret/1" || j.Submissions[0].Message != "line 1, token 2: expected 7, got 3" || len(j.Submissions[0].Cases) != 3 || j.Submissions[0].Cases[2].Verdict != "WA" {
		t.Errorf("%+v", j)
	}
	text, _ := judging(t, 1, "-q", "--time-limit", "15s", dir, "wrong.py")
	if !strings.Contains(text, "submissions/accepted/wrong.py: WA, AC was promised; secret/1: line 1, token 2: expected 7, got 3\n0 of 1 submissions got what was promised, 1 did not\n") {
		t.Errorf("%s", text)
	}
	if err := os.Remove(filepath.Join(dir, "data/secret/2.ans")); err != nil {
		t.Fatal(err)
	}
	if _, errs := judging(t, 2, dir); !strings.Contains(errs, "data/secret/2.in: without 2.ans") {
		t.Errorf("%s", errs)
	}
	if _, errs := judging(t, 2, "--nothing", dir); !strings.Contains(errs, "--nothing") {
		t.Errorf("%s", errs)
	}
	dir = judgePackage(t, map[string]string{"problem.yaml": "validation: custom\nlimits: {time_limit: 15}\n", "output_validators/v.py": "raise SystemExit(7)\n"})
	j = judges(t, 3, dir, "lower.py", "three.py")
	if j.words() != "JE JE" || !strings.Contains(j.Submissions[0].Message, "exit status 7") {
		t.Errorf("%+v", j)
	}
}

// Each of two validators has to accept, and gets its flags; what it says to the judges
// is the message.
func TestJudgeValidators(t *testing.T) {
	const validator = `import sys
want = open(sys.argv[2]).read().split()
got = sys.stdin.read().split()
assert sys.argv[4:] == ["flag", "WORD" if sys.argv[1] else ""]
if got[-1:] != want[-1:]:
    print("KIND says no", file=open(sys.argv[3] + "judgemessage.txt", "w"))
    sys.exit(43)
sys.exit(42)
`
	dir := judgePackage(t, map[string]string{
		"problem.yaml":           "validation: custom\nvalidator_flags: flag WORD\nlimits: {time_limit: 15}\n",
		"output_validators/1.py": "import sys\nassert len(sys.argv) == 6\nsys.exit(42 if sys.stdin.read() else 43)\n",
		"output_validators/2.py": strings.ReplaceAll(validator, "KIND", "the second"),
	})
	j := judges(t, 0, dir, "lower.py", "three.py", "says.py")
	if j.words() != "AC WA WA" || j.Submissions[2].Message != "the second says no" || j.Submissions[2].Failing != "secret/1" || j.Submissions[1].Failing != "sample/1" {
		t.Errorf("%s %+v", j.words(), j)
	}
}

// Ctrl-C ends what runs, and what was found is told.
func TestJudgeInterrupted(t *testing.T) {
	dir := judgePackage(t, map[string]string{"submissions/time_limit_exceeded/waits.py": "import time\ntime.sleep(50)\n"})
	temporary := shortDir(t)
	cmd := testkit.Command(t, "judge", "--json", "--time-limit", "15s", dir, "lower.py", "waits.py")
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out strings.Builder
	cmd.Stdout = &out
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(progress)
	var seen []string
	for lines.Scan() {
		if seen = append(seen, lines.Text()); strings.Contains(lines.Text(), "accepted/lower.py: AC") {
			// A terminal sends it to all.
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	var j judged
	if json.Unmarshal([]byte(out.String()), &j) != nil || cmd.ProcessState.ExitCode() != 130 || j.words() != "AC " || j.InterruptedBy != "ended by SIGINT" {
		t.Errorf("%v, %s\n%s", err, out.String(), strings.Join(seen, "\n"))
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
