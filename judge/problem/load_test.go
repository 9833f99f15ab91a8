package problem

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cordon/languages"
)

// minimal is a package with nothing but what it needs.
var minimal = map[string]string{
	"problem.yaml":              "name: Sum\n",
	"data/secret/1.in":          "1 2\n",
	"data/secret/1.ans":         "3\n",
	"submissions/accepted/a.py": "print(sum(map(int, input().split())))\n",
}

// tree makes a package of the minimal one and some files more. A text of "-"
// takes a file away.
func tree(change map[string]string) fstest.MapFS {
	all := maps.Clone(minimal)
	maps.Copy(all, change)
	out := fstest.MapFS{}
	for name, text := range all {
		if text != "-" {
			out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
	}
	return out
}

func loadTree(tree fs.FS) (*Problem, error) {
	p := &Problem{Name: "folder"}
	return p, load(p, tree)
}

func mustLoad(t *testing.T, change map[string]string) *Problem {
	t.Helper()
	p, err := loadTree(tree(change))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMinimal(t *testing.T) {
	p := mustLoad(t, nil)
	if p.Name != "Sum" || p.Validation != Default || p.TimeLimit != 0 || p.MemoryBytes != 0 || len(p.Validators) != 0 || len(p.Ignored) != 0 {
		t.Errorf("%+v", p)
	}
	if len(p.Cases) != 1 || p.Cases[0].Name != "secret/1" || p.Cases[0].Sample || p.Cases[0].Input != "data/secret/1.in" || p.Cases[0].Answer != "data/secret/1.ans" {
		t.Errorf("%+v", p.Cases)
	}
	if len(p.Submissions) != 1 || p.Submissions[0].Language != "python" || p.Submissions[0].Main != "a.py" || !slices.Equal(p.Submissions[0].Sources, []string{"a.py"}) || !slices.Equal(p.Submissions[0].Expected, []Expect{Accepted}) {
		t.Errorf("%+v", p.Submissions)
	}
}

func TestLimits(t *testing.T) {
	p := mustLoad(t, map[string]string{"problem.yaml": "limits: {time_limit: 1.5, memory: 256, output: 8, code: 128, compilation_time: 60,\n" +
		"  compilation_memory: 2048, validation_time: 30, validation_memory: 1024, validation_output: 4}\n"})
	if p.TimeLimit != 1500*time.Millisecond || p.MemoryBytes != 256<<20 || p.OutputBytes != 8<<20 || p.SourceBytes != 128<<10 || p.CompileTime != time.Minute ||
		p.CompileMemoryBytes != 2<<30 || p.ValidationTime != 30*time.Second || p.ValidationMemoryBytes != 1<<30 || p.ValidationOutputBytes != 4<<20 || p.Name != "folder" {
		t.Errorf("%+v", p)
	}
	for _, change := range []map[string]string{
		{".timelimit": "2\n"},
		{"domjudge-problem.ini": "name = \"From the ini\"\ntimelimit='2' ; seconds\ncolor=#ff0000\n"},
		{"problem.yaml": "-", "domjudge-problem.ini": "timelimit = 2\n"},
		{".timelimit": "2.0", "domjudge-problem.ini": "timelimit=2", "problem.yaml": "limits: {time_limit: 2e0}"},
	} {
		if p := mustLoad(t, change); p.TimeLimit != 2*time.Second || p.Name == "From the ini" {
			t.Errorf("%v: %v %s", change, p.TimeLimit, p.Name)
		}
	}
}

func TestName(t *testing.T) {
	for yaml, want := range map[string]string{
		"name: {sv: Summa, en: Sum, de: Summe}": "Sum", "name: {de: Summe, sv: Summa}": "Summe", "name: {sv: S, en-GB: G}": "G", "name: 7": "7",
		"name:": "ini", "": "ini", "# only a comment\n": "ini",
	} {
		if p := mustLoad(t, map[string]string{"problem.yaml": yaml, "domjudge-problem.ini": "name=ini"}); p.Name != want {
			t.Errorf("%q: %q, want %q", yaml, p.Name, want)
		}
	}
}

// The samples come first; in each part the names are in order, and a folder's
// cases stay together.
func TestOrderOfCases(t *testing.T) {
	change := map[string]string{"data/secret/1.in": "-", "data/secret/1.ans": "-"}
	for _, base := range []string{"secret/b", "secret/a-1/2", "secret/a/2", "secret/a/10", "secret/a/z/1", "secret/10", "secret/2", "sample/2", "sample/1"} {
		change["data/"+base+".in"], change["data/"+base+".ans"] = "x\n", "x\n"
	}
	var got []string
	for _, c := range mustLoad(t, change).Cases {
		got = append(got, c.Name)
		if c.Sample != strings.HasPrefix(c.Name, "sample/") {
			t.Errorf("%+v", c)
		}
	}
	want := "sample/1 sample/2 secret/10 secret/2 secret/a/10 secret/a/2 secret/a/z/1 secret/a-1/2 secret/b"
	if strings.Join(got, " ") != want {
		t.Errorf("%s, want %s", strings.Join(got, " "), want)
	}
}

// A case has the flags of problem.yaml, and behind them those of the nearest
// group around it that has some, or its own.
func TestFlagsOfGroups(t *testing.T) {
	p := mustLoad(t, map[string]string{
		"problem.yaml":       "validator_flags: case_sensitive",
		"data/testdata.yaml": "output_validator_flags: float_tolerance 1e-4\non_reject: continue\n",
		"data/secret/g/1.in": "", "data/secret/g/1.ans": "",
		"data/secret/g/2.in": "", "data/secret/g/2.ans": "", "data/secret/g/2.yaml": "output_validator_args: []\ndescription: exact\n",
		"data/secret/g/test_group.yaml": "output_validator_args: [float_absolute_tolerance, 1e-6]\nrange: -inf +inf\n",
	})
	want := []string{"case_sensitive float_tolerance 1e-4", "case_sensitive float_absolute_tolerance 1e-6", "case_sensitive"}
	for i, c := range p.Cases {
		if got := strings.Join(c.Flags, " "); got != want[i] || !c.Compare.CaseSensitive {
			t.Errorf("%s: %q %+v, want %q", c.Name, got, c.Compare, want[i])
		}
	}
	if c := p.Cases[1].Compare; !c.Floats || c.Absolute != 1e-6 || c.Relative != 0 {
		t.Errorf("%+v", c)
	}
	if c := p.Cases[2].Compare; c.Floats {
		t.Errorf("%+v", c)
	}
	if told := strings.Join(p.Ignored, "\n"); !strings.Contains(told, "on_reject") || !strings.Contains(told, "range") {
		t.Error(told)
	}
	p = mustLoad(t, map[string]string{"problem.yaml": "validation: custom\nvalidator_flags: -x \"a b\"", "output_validators/v.py": "x"})
	if got := p.Cases[0].Flags; !slices.Equal(got, []string{"-x", `"a`, `b"`}) {
		t.Errorf("%q", got)
	}
}

func TestValidators(t *testing.T) {
	for _, tt := range []struct {
		yaml string
		v    map[string]string
		want Validation
		main string // of the validators
	}{
		{"validation: custom", map[string]string{"output_validators/v.py": "x"}, Custom, "v.py"},
		{"validation: custom  interactive", map[string]string{"output_validators/v/v.cc": "x", "output_validators/v/v.h": "x"}, Interactive, "v.cc"},
		{"validation: custom", map[string]string{"output_validators/a.py": "x", "output_validators/b.cpp": "x"}, Custom, "a.py b.cpp"},
		{"type: interactive", map[string]string{"output_validator/v.py": "x", "output_validator/data.txt": "x"}, Interactive, "v.py"},
		{"type: [pass-fail, interactive]", map[string]string{"output_validator/inner/v.py": "x"}, Interactive, "v.py"},
		{"type: pass-fail interactive\nvalidation: custom interactive", map[string]string{"output_validators/v.py": "x"}, Interactive, "v.py"},
		{"validation: default", map[string]string{"output_validators/v.py": "x"}, Default, ""},
		{"problem_format_version: 2025-09\ntype: pass-fail", nil, Default, ""},
	} {
		change := map[string]string{"problem.yaml": tt.yaml}
		maps.Copy(change, tt.v)
		p := mustLoad(t, change)
		var mains []string
		for _, v := range p.Validators {
			mains = append(mains, v.Main)
		}
		if p.Validation != tt.want || strings.Join(mains, " ") != tt.main {
			t.Errorf("%q: %q %q", tt.yaml, p.Validation, mains)
		}
	}
}

// In 2025-09 a validator is in use because it is there.
func TestValidatorOfTheNewFormat(t *testing.T) {
	p := mustLoad(t, map[string]string{"problem.yaml": "problem_format_version: 2025-09\nname: N", "output_validator/v.py": "x"})
	if p.Validation != Custom || len(p.Validators) != 1 {
		t.Errorf("%q %+v", p.Validation, p.Validators)
	}
}

func TestExpected(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"wrong_answer/a.c", "int main() {}", "wrong_answer"},
		{"time_limit_exceeded/a.c", "x", "time_limit_exceeded"},
		{"run_time_error/a.c", "x", "run_time_error"},
		{"run-error/a.c", "x", "run_time_error"},
		{"compiler_error/a.c", "x", "compiler_error"},
		{"no_output/a.c", "x", "no_output"},
		{"output_limit/a.c", "x", "output_limit"},
		{"rejected/a.c", "x", "wrong_answer time_limit_exceeded run_time_error no_output output_limit memory_limit"},
		{"brute_force/a.c", "x", "time_limit_exceeded run_time_error memory_limit"},
		{"rejected/a.c", "// @EXPECTED_RESULTS@: TIMELIMIT", "time_limit_exceeded"},
		{"mixed/a.c", "/* @EXPECTED_RESULTS@: CORRECT, WRONG-ANSWER */\n", "accepted wrong_answer"},
		{"mixed/a.c", "// @expected_results@: memory-limit,RUN_TIME_ERROR\r\n", "memory_limit run_time_error"},
		{"wrong_answer/a.c", "// @EXPECTED_RESULTS@: WRONG-ANSWER, TIMELIMIT\n", "wrong_answer"},
	} {
		p := mustLoad(t, map[string]string{"submissions/" + tt.name: tt.text})
		s := p.Submissions[slices.IndexFunc(p.Submissions, func(s Submission) bool { return s.Main == "a.c" })]
		var got []string
		for _, e := range s.Expected {
			got = append(got, string(e))
		}
		if strings.Join(got, " ") != tt.want || s.Name != "submissions/"+tt.name || s.Language != "c" {
			t.Errorf("%s %q: %+v", tt.name, tt.text, s)
		}
	}
}

func TestPrograms(t *testing.T) {
	for _, tt := range []struct {
		files          map[string]string
		language, main string
	}{
		{map[string]string{"Main.java": "x", "A.java": "public static void main("}, "java", "Main.java"},
		{map[string]string{"B.java": "class B {}", "A.java": "public static void main(String[] a)"}, "java", "A.java"},
		{map[string]string{"main.py": "x", "util.py": "x", "words.txt": "x"}, "python", "main.py"},
		{map[string]string{"__main__.py": "x", "main.py": "x"}, "python", "__main__.py"},
		{map[string]string{"z.cc": "int main() {}", "a.cpp": "void f() {}", "a.hpp": "void f();"}, "cpp", "z.cc"},
		{map[string]string{"sub/main.rs": "fn main() {}", "lib.rs": "x"}, "rust", "sub/main.rs"},
		{map[string]string{"only.C": "x"}, "cpp", "only.C"},
	} {
		change := map[string]string{}
		for name, text := range tt.files {
			change["submissions/wrong_answer/w/"+name] = text
		}
		p := mustLoad(t, change).Submissions[1]
		if p.Language != tt.language || p.Main != tt.main || p.Name != "submissions/wrong_answer/w" || p.Dir != p.Name || !slices.Equal(p.Files, slices.Sorted(maps.Keys(tt.files))) {
			t.Errorf("%v: %+v", tt.files, p)
		}
	}
}

// Every language of the table is one that can be built.
func TestLanguagesExist(t *testing.T) {
	set, err := languages.Load()
	if err != nil {
		t.Fatal(err)
	}
	for ending, id := range languageOf {
		if !slices.ContainsFunc(set.List(), func(i languages.Info) bool { return i.ID == id }) {
			t.Errorf("%s: there is no language %q", ending, id)
		}
	}
}

func TestIgnoredIsTold(t *testing.T) {
	p := mustLoad(t, map[string]string{
		"problem_statement/problem.en.md": "x", "README.md": "x", ".gitignore": "x", "include/.keep": "-", "data/invalid_input/1.in": "x",
		"data/secret/1.desc": "x", "data/secret/notes.txt": "x", "data/secret/.hidden": "x", "submissions/wrong_answer/a~.py": "x", "submissions/submissions.yaml": "x",
		"problem.yaml": "languages: all\nlimits: {time_multiplier: 3}\ngrading: {objective: max}\nauthor:\nlicense: cc0\n",
	})
	told := strings.Join(p.Ignored, "\n")
	for _, want := range []string{"problem_statement:", `"README.md":`, "data/invalid_input:", "*.desc (1)", "data/secret/notes.txt", ".hidden", "a~.py", "submissions.yaml",
		"problem.yaml:1: languages", "problem.yaml:2: limits.time_multiplier", "problem.yaml:3: grading", "submissions/wrong_answer: empty"} {
		if !strings.Contains(told, want) {
			t.Errorf("nothing is told of %s in\n%s", want, told)
		}
	}
	if strings.Contains(told, "gitignore") || strings.Contains(told, "license") {
		t.Error(told)
	}
}

// Every mistake is told at once, and at most so many.
func TestAllMistakesAtOnce(t *testing.T) {
	_, err := loadTree(tree(map[string]string{
		"problem.yaml":     "nmae: x\nlimits:\n  memory: lots\nvalidation: costum\n",
		".timelimit":       "soon",
		"data/secret/2.in": "x", "data/secret/3.ans": "x",
		"submissions/accepted/b.xyz": "x", "submissions/odd/a.c": "x",
	}))
	if !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	for _, want := range []string{`problem.yaml:1: "nmae"`, `problem.yaml:3: limits.memory is the text "lots"`, `problem.yaml:4: validation is the text "costum"`,
		`.timelimit: "soon"`, "data/secret/2.in: without 2.ans", "data/secret/3.ans: without 3.in", "submissions/accepted/b.xyz: of no known language", "submissions/odd/a.c: in a folder"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in\n%v", want, err)
		}
	}
	many := ""
	for i := range 80 {
		many += "k" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ": 1\n"
	}
	_, err = loadTree(tree(map[string]string{"problem.yaml": many}))
	if n := strings.Count(err.Error(), "\n"); n != maxMistakes || !strings.HasSuffix(err.Error(), "30 more mistakes") {
		t.Errorf("%d lines: %v", n, err)
	}
}
