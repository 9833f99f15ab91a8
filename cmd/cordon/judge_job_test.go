package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"cordon/judge/problem"
	"cordon/sandbox"
)

// jobsOf are the jobs that a package's submissions become, by submission.
func jobsOf(t *testing.T, files map[string]string, f judgeFlags) map[string]*sandbox.Job {
	t.Helper()
	j := testJudging(t, writePackage(t, files), f, nil)
	jobs := map[string]*sandbox.Job{}
	for i := range j.problem.Submissions {
		s := &j.problem.Submissions[i]
		p, err := j.program(&s.Program)
		if err != nil {
			t.Fatal(err)
		}
		var v *problem.Program
		if len(j.problem.Validators) > 0 {
			v = &j.problem.Validators[0]
		}
		job, err := j.job(p, v, j.cases, j.limits.time)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.resolve(job.Policy, job.Request()); err != nil {
			t.Error(err)
		}
		jobs[strings.TrimPrefix(s.Name, "submissions/")] = job
	}
	return jobs
}

func fileNames(files []sandbox.File) string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return strings.Join(out, " ")
}

func TestJobsOfPrograms(t *testing.T) {
	const public = "import java.util.*;\n\npublic final class Sum {\n\tpublic static void main(String[] args) {}\n}\n"
	jobs := jobsOf(t, map[string]string{
		"submissions/accepted/many/solve.cpp":      "int sum(); int main() { return sum(); }\n",
		"submissions/accepted/many/sum.cc":         "#include \"sum.h\"\nint sum() { return 0; }\n",
		"submissions/accepted/many/sum.h":          "",
		"submissions/accepted/Sum.java":            public,
		"submissions/accepted/lower.java":          public,
		"submissions/accepted/in/Start.java":       "package my.sum;\nclass Start { public static void main(String[] a) { Other.go(); } }\n",
		"submissions/accepted/in/Other.java":       "package my.sum;\nclass Other { static void go() {} }\n",
		"submissions/accepted/pack/lib/helper.py":  "",
		"submissions/accepted/pack/__main__.py":    "from lib import helper\n",
		"submissions/accepted/pack/lib/numbers.py": "",
	}, judgeFlags{})
	for name, c := range map[string]struct{ files, build, command string }{
		"accepted/a.py":        {"main.py", "", "python3 main.py"},
		"run_time_error/c.cpp": {"main.cpp", "main.cpp", "./main"},
		"accepted/many":        {"main.cpp sum.cc sum.h", "main.cpp sum.cc", "./main"},
		"accepted/Sum.java":    {"Sum.java", "Sum.java", "Sum"},
		"accepted/lower.java":  {"Sum.java", "Sum.java", "Sum"},
		"accepted/in":          {"Other.java Start.java", "Start.java", "my.sum.Start"},
		"accepted/pack":        {"main.py lib/helper.py lib/numbers.py", "", "python3 main.py"},
	} {
		job := jobs[name]
		if job == nil {
			t.Fatalf("%s: no job", name)
		}
		if fileNames(job.Files) != c.files || (len(job.Build) == 0) != (c.build == "") || !strings.Contains(" "+strings.Join(job.Build, " ")+" ", " "+c.build+" ") {
			t.Errorf("%s: %s, %q", name, fileNames(job.Files), job.Build)
		}
		program := strings.TrimPrefix(strings.Join(job.Command, " "), "/usr/bin/")
		if last := job.Command[len(job.Command)-1]; program != c.command && last != c.command {
			t.Errorf("%s: %q, want %s", name, job.Command, c.command)
		}
	}
}

func TestJobOfCases(t *testing.T) {
	for all, want := range map[bool]bool{false: true, true: false} {
		job := jobsOf(t, nil, judgeFlags{all: all})["accepted/a.py"]
		if job.StopOnFirstFailure != want || job.Checker != nil || *job.Limits.CPUMillis != 2000 || *job.Limits.WallMillis != 5000 || *job.Limits.MemoryBytes != 64<<20 || len(job.Tests) != 3 {
			t.Fatalf("%+v", job)
		}
		var seen []string
		for _, test := range job.Tests {
			for _, c := range []sandbox.Content{test.Stdin, test.Expect.Output} {
				f, err := c.Kept.Open()
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(f)
				f.Close()
				if err != nil || int64(len(text)) != c.Size() {
					t.Errorf("%q, %v", text, err)
				}
				seen = append(seen, strings.TrimSpace(string(text)))
			}
			seen = append(seen, test.Name)
		}
		if !slices.Equal(seen, []string{"1 2", "3", "sample/1", "3 4", "7", "secret/1", "5 5", "10", "secret/2"}) {
			t.Errorf("%q", seen)
		}
	}
	job := jobsOf(t, map[string]string{"problem.yaml": "validation: custom interactive\nlimits: {time_limit: 1}\n", "output_validators/v/main.cpp": "int main() { return 43; }\n", "output_validators/v/x.h": ""}, judgeFlags{})["accepted/a.py"]
	if c := job.Checker; c == nil || !c.Interactive || fileNames(c.Files) != "main.cpp x.h" || len(c.Build) == 0 || *c.Limits.CPUMillis != 15_000 {
		t.Errorf("%+v", job.Checker)
	}
}

// What the package says of programs is held to.
func TestProgramsThatCannotBe(t *testing.T) {
	j := testJudging(t, writePackage(t, map[string]string{
		"problem.yaml":                         "limits: {time_limit: 1, code: 1}\n",
		"submissions/wrong_answer/b.py":        strings.Repeat("#", 1025),
		"submissions/accepted/two/__main__.py": "pass\n",
		"submissions/accepted/two/main.py":     "pass\n",
		"submissions/accepted/k.kt":            "fun main() {}\n",
	}), judgeFlags{}, bySource(map[string]*sandbox.Result{"sum": says(sandbox.OK, sandbox.OK, sandbox.OK), "int main": says(sandbox.Nonzero)}))
	out := outcome(t, j)
	if b := out["b.py"]; b.Verdict != compileError || b.Message != "its files have 1025 bytes, the package allows 1024 (limits.code)" {
		t.Errorf("%+v", b)
	}
	if two := out["two"]; two.Verdict != judgeError || !strings.Contains(two.Message, "begins in __main__.py, and has main.py, too") {
		t.Errorf("%+v", two)
	}
	if k := out["k.kt"]; k.Verdict != judgeError || !strings.Contains(k.Message, "kotlin") || j.report.Status != judgeFailed {
		t.Errorf("%+v", k)
	}
}

func TestProgress(t *testing.T) {
	var plain, line strings.Builder
	p := &judgeProgress{to: &plain}
	show := &judgeProgress{to: &line, terminal: true, columns: 40}
	for _, p := range []*judgeProgress{p, show, {to: &plain, quiet: true}, {to: &line, terminal: true, columns: 40, quiet: true}} {
		p.expect(2)
		p.begin("submissions/accepted/a.py", 2)
		p.ran("submissions/accepted/a.py")
		p.ran("submissions/accepted/a.py")
		p.end(&trial{Name: "submissions/accepted/a.py", Verdict: accepted, Kept: true})
		p.begin("submissions/wrong_answer/with_a_rather_long_name.py", 10)
		p.clear()
	}
	if plain.String() != "[1/2] submissions/accepted/a.py: AC\n" {
		t.Errorf("%q", plain.String())
	}
	const want = "\r\x1b[K[1/2]  accepted/a.py, case 1 of 2" + "\r\x1b[K[1/2]  accepted/a.py, case 2 of 2" + "\r\x1b[K[1/2]  accepted/a.py, case 2 of 2" +
		"\r\x1b[K[2/2]" + "\r\x1b[K[2/2]  wrong_answer/with_a_rather_long_" + "\r\x1b[K"
	if line.String() != want {
		t.Errorf("%q", line.String())
	}
}
