package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/judge"
	"cordon/sandbox"
)

// outcome judges with a runner that says what it is told to, by the submission's source.
func outcome(t *testing.T, j *judging) map[string]*trial {
	t.Helper()
	j.judge(t.Context())
	j.report.end(t.Context())
	out := map[string]*trial{}
	for _, s := range j.report.Submissions {
		out[s.Name[strings.LastIndex(s.Name, "/")+1:]] = s
	}
	return out
}

func bySource(answers map[string]*sandbox.Result) func(*sandbox.Job) (*sandbox.Result, error) {
	return func(job *sandbox.Job) (*sandbox.Result, error) {
		for part, r := range answers {
			if bytes.Contains(job.Files[0].Data, []byte(part)) {
				return r, nil
			}
		}
		return nil, errors.New("nobody said what comes of it")
	}
}

func TestTrials(t *testing.T) {
	const ok, wa, rte, skipped = sandbox.OK, sandbox.WrongAnswer, sandbox.Nonzero, sandbox.Skipped
	cpp := &sandbox.Result{Step: sandbox.Step{Verdict: sandbox.BuildFailed}, Build: &sandbox.Step{Verdict: rte, Message: "exit code 1", Stderr: []byte("no\xff;\n")}, Tests: says(skipped, skipped, skipped).Tests, Summary: &sandbox.Summary{}}
	for name, c := range map[string]struct {
		a, b, c *sandbox.Result
		words   string // of a.py, b.py, c.cpp
		status  int
		kept    string
	}{
		"as promised":             {says(ok, ok, ok), says(ok, wa, skipped), says(rte, skipped, skipped), "AC WA RTE", 0, "3 of 3 submissions got what was promised"},
		"the first counts":        {says(ok, ok, ok), says(ok, wa, rte), says(rte, wa, ok), "AC WA RTE", 0, "3 of 3 submissions got what was promised"},
		"a broken promise":        {says(ok, ok, wa), says(ok, ok, ok), says(sandbox.MemoryLimit, wa, ok), "WA AC MLE", 1, "1 of 3 submissions got what was promised, 2 did not"},
		"a failed checker":        {says(ok, ok, ok), says(wa, ok, sandbox.CheckerFailed), says(sandbox.OutputLimit), "AC JE OLE", 3, "2 of 3 submissions got what was promised, 1 not judged"},
		"a build":                 {says(ok, ok, ok), says(sandbox.CPULimit, skipped, skipped), cpp, "AC TLE CE", 1, "1 of 3 submissions got what was promised, 2 did not"},
		"the judge's own failure": {&sandbox.Result{Step: sandbox.Step{Verdict: sandbox.InternalError, Message: "cgroup"}}, says(wa, ok, ok), says(sandbox.InternalError, ok, ok), "JE WA JE", 3, "1 of 3 submissions got what was promised, 2 not judged"},
		"refused":                 {nil, says(wa, ok, ok), says(rte, ok, ok), "JE WA RTE", 3, "2 of 3 submissions got what was promised, 1 not judged"},
		"too few":                 {says(ok, ok, skipped), says(wa, ok, ok), says(rte, ok, ok), " WA RTE", 1, "2 of 3 submissions got what was promised, 1 not judged"},
	} {
		answers := map[string]*sandbox.Result{"print(3)": c.b, "int main": c.c}
		if c.a != nil {
			answers["sum"] = c.a
		}
		j := testJudging(t, writePackage(t, nil), judgeFlags{parallel: 2}, bySource(answers))
		out := outcome(t, j)
		words := string(out["a.py"].Verdict + " " + out["b.py"].Verdict + " " + out["c.cpp"].Verdict)
		if words != c.words || j.report.Status != c.status || j.report.sum(false) != c.kept {
			t.Errorf("%s: %s, %d, %s", name, words, j.report.Status, j.report.sum(false))
		}
		var table bytes.Buffer
		if err := j.table(&table); err != nil || !strings.Contains(table.String(), c.kept+"\n") || strings.ContainsRune(table.String(), '\x1b') {
			t.Errorf("%s: %v\n%s", name, err, table.String())
		}
		if name == "a build" && !strings.Contains(table.String(), "submissions/run_time_error/c.cpp: CE, RTE was promised: the build: exit code 1\n  no?;\n") {
			t.Errorf("%s", table.String())
		}
		if text, err := json.Marshal(&j.report); err != nil || bytes.Contains(text, []byte(":null")) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestTrialAccount(t *testing.T) {
	j := testJudging(t, writePackage(t, nil), judgeFlags{}, bySource(map[string]*sandbox.Result{"sum": says(sandbox.OK, sandbox.OK, sandbox.OK), "print(3)": says(sandbox.OK, sandbox.WrongAnswer, sandbox.Skipped),
		"int main": says(sandbox.Nonzero, sandbox.Skipped, sandbox.Skipped)}))
	out := outcome(t, j)
	if b := out["b.py"]; b.Failing != "b" || b.Message != "said wrong_answer" || b.Sample != (passed{1, 1, 1}) || b.Secret != (passed{0, 1, 2}) || b.CPUNanos != 2e6 || b.MemoryPeak != 2<<10 || b.Silent || !b.Kept {
		t.Errorf("%+v", b)
	}
	text := j.rows(false, true)
	for _, row := range []string{"| accepted/a.py", "| AC  | kept    |               | 0.003 s | 3K     | 1/1    | 2/2    |", "| WA  | kept    | b             | 0.002 s | 2K     | 1/1    | 0/2    |"} {
		if !strings.Contains(text, row) {
			t.Errorf("%q is missing in\n%s", row, text)
		}
	}
	if text := j.rows(true, false); !strings.Contains(text, "\x1b[32mkept\x1b[0m") || !strings.Contains(text, "3/3") || strings.Contains(text, "SAMPLE") {
		t.Errorf("%s", text)
	}
}

// Without a time limit it is measured with the accepted submissions, all of them.
func TestMeasuredTimeLimit(t *testing.T) {
	dir := writePackage(t, map[string]string{"problem.yaml": "name: Sum\n"})
	slow := says(sandbox.OK, sandbox.OK, sandbox.OK)
	slow.Tests[1].Usage.CPUNanos = 600e6
	var mu sync.Mutex
	var limits []int64
	run := func(job *sandbox.Job) (*sandbox.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		limits = append(limits, *job.Limits.CPUMillis)
		return bySource(map[string]*sandbox.Result{"sum": slow, "print(3)": says(sandbox.WrongAnswer)})(job)
	}
	j := testJudging(t, dir, judgeFlags{}, run, "wrong_answer")
	if out := outcome(t, j); len(out) != 1 || out["b.py"].Verdict != wrongAnswer || j.report.TimeMillis != 2000 || j.report.TimeFrom != fromMeasured || !slices.Equal(limits, []int64{15_000, 2000}) {
		t.Errorf("%+v, %v", j.report, limits)
	}
	if want := "time limit 2s (twice the 600ms of the slowest of 1 accepted submissions, in whole seconds), wall 5s"; !strings.Contains(j.heading(), want) {
		t.Errorf("%s", j.heading())
	}
	// One that waited for longer than is allowed then is judged again.
	limits, slow.Tests[2].Usage.WallNanos = nil, int64(6*time.Second)
	j = testJudging(t, dir, judgeFlags{}, run, "accepted")
	if outcome(t, j); !slices.Equal(limits, []int64{15_000, 2000}) {
		t.Errorf("%v", limits)
	}
	// A host that takes three times as long has the same limit: it is enforced three times
	// as long.
	limits, slow.Tests[2].Usage.WallNanos, slow.Tests[1].Usage.CPUNanos = nil, 0, 3*600e6
	j = testJudging(t, dir, judgeFlags{}, run, "wrong_answer")
	if j.scale = 3; len(outcome(t, j)) != 1 || !slices.Equal(limits, []int64{15_000, 2000}) {
		t.Errorf("%v", limits)
	}
	// Without one that is accepted there is none.
	j = testJudging(t, dir, judgeFlags{}, bySource(map[string]*sandbox.Result{"sum": says(sandbox.OK, sandbox.WrongAnswer)}))
	if out := outcome(t, j); out["a.py"].Verdict != wrongAnswer || out["b.py"].Verdict != notJudged || j.report.Status != judgeBroken || !strings.Contains(j.heading(), "no time limit could be measured") {
		t.Errorf("%+v\n%s", j.report, j.heading())
	}
}

const (
	validatorYAML = "name: Sum\nlimits: {time_limit: 2}\nvalidation: custom\nvalidator_flags: a b\n"
	someValidator = "raise SystemExit(42)\n"
)

// Every validator has to accept; each gets the case's flags.
func TestValidators(t *testing.T) {
	dir := writePackage(t, map[string]string{"problem.yaml": validatorYAML, "output_validators/one.py": someValidator, "output_validators/two.py": "# two\n" + someValidator,
		"data/secret/testdata.yaml": "output_validator_flags: c\n"})
	var seen []string
	j := testJudging(t, dir, judgeFlags{}, func(job *sandbox.Job) (*sandbox.Result, error) {
		c := job.Checker
		if c.Style != judge.Kattis || c.Interactive || c.Command[0] == "" || len(c.Build) != 0 {
			t.Errorf("%+v", c)
		}
		seen = append(seen, strings.Join(job.Tests[0].CheckerArgs, " ")+","+strings.Join(job.Tests[1].CheckerArgs, " "))
		if bytes.Contains(c.Files[0].Data, []byte("two")) {
			return says(sandbox.OK, sandbox.WrongAnswer, sandbox.Skipped), nil
		}
		return says(sandbox.OK, sandbox.OK, sandbox.Nonzero), nil
	}, "accepted")
	if a := outcome(t, j)["a.py"]; a.Verdict != wrongAnswer || a.Failing != "b" || a.Cases[2].Verdict != runTimeError {
		t.Errorf("%+v", a)
	}
	if !slices.Equal(seen, []string{"a b,a b c", "a b,a b c"}) {
		t.Errorf("%q", seen)
	}
}
