package httpapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"cordon/languages"
	"cordon/sandbox"
)

// TestJobRefuses has every request that is well written and still no job.
func TestJobRefuses(t *testing.T) {
	s := start(t, nil)
	long := strings.Repeat("p", 300)
	for _, c := range []struct {
		name, body string
		code       Code
		path       string
		word       string
	}{
		{"nothing", `{}`, CodeInvalidField, "command", "language with source"},
		{"empty command", `{"command":[]}`, CodeInvalidField, "command", ""},
		{"empty program", `{"command":["","x"]}`, CodeInvalidField, "command[0]", ""},
		{"NUL in an argument", `{"command":["a","b\u0000c"]}`, CodeInvalidField, "command[1]", "NUL"},
		{"empty build", `{"command":["a"],"build":{}}`, CodeInvalidField, "build.command", ""},
		{"empty build command", `{"command":["a"],"build":{"command":[]}}`, CodeInvalidField, "build.command", ""},
		{"empty build program", `{"command":["a"],"build":{"command":[""]}}`, CodeInvalidField, "build.command[0]", ""},
		{"NUL in a build argument", `{"command":["a"],"build":{"command":["a","b","\u0000"]}}`, CodeInvalidField, "build.command[2]", ""},

		{"both inputs", `{"command":["a"],"stdin":"x","stdin_base64":"eA=="}`, CodeInvalidField, "stdin_base64", "one of them"},
		{"input no base64", `{"command":["a"],"stdin_base64":"%"}`, CodeInvalidField, "stdin_base64", "RFC 4648"},
		{"input without padding", `{"command":["a"],"stdin_base64":"eA"}`, CodeInvalidField, "stdin_base64", "padding"},
		{"input of URLs", `{"command":["a"],"stdin_base64":"-_-_"}`, CodeInvalidField, "stdin_base64", ""},

		{"file without content", `{"command":["a"],"files":[{"path":"a"}]}`, CodeInvalidField, "files[0]", "content, base64 or sha256"},
		{"file with both", `{"command":["a"],"files":[{"path":"a","content":""},{"path":"b","content":"","base64":""}]}`, CodeInvalidField, "files[1]", "one of them"},
		{"file no base64", `{"command":["a"],"files":[{"path":"a","base64":"?"}]}`, CodeInvalidField, "files[0].base64", ""},
		{"file without path", `{"command":["a"],"files":[{"content":""}]}`, CodeInvalidField, "files[0].path", "relative"},
		{"output above the scratch", `{"command":["a"],"outputs":["a","../b"]}`, CodeInvalidField, "outputs[1]", "below /work"},
		{"kept outputs of a service without files", `{"command":["a"],"outputs":["a"],"keep_outputs":true}`, CodeInvalidField, "keep_outputs", "--files-bytes 0"},
		{"absolute path", `{"command":["a"],"files":[{"path":"/etc/x","content":""}]}`, CodeInvalidField, "files[0].path", "relative"},
		{"path that climbs", `{"command":["a"],"files":[{"path":"a/../../x","content":""}]}`, CodeInvalidField, "files[0].path", ".."},
		{"path with a dot", `{"command":["a"],"files":[{"path":"./x","content":""}]}`, CodeInvalidField, "files[0].path", ""},
		{"path with two slashes", `{"command":["a"],"files":[{"path":"a//x","content":""}]}`, CodeInvalidField, "files[0].path", ""},
		{"path of a directory", `{"command":["a"],"files":[{"path":"a/","content":""}]}`, CodeInvalidField, "files[0].path", ""},
		{"path with NUL", `{"command":["a"],"files":[{"path":"a\u0000","content":""}]}`, CodeInvalidField, "files[0].path", ""},
		{"path part too long", `{"command":["a"],"files":[{"path":"` + long + `","content":""}]}`, CodeInvalidField, "files[0].path", "255"},
		{"path too long", `{"command":["a"],"files":[{"path":"` + strings.Repeat("p/", 2100) + `p","content":""}]}`, CodeInvalidField, "files[0].path", "4095"},
		{"path twice", `{"command":["a"],"files":[{"path":"a","content":"1"},{"path":"a","content":"2"}]}`, CodeInvalidField, "files[1].path", "twice"},
		{"mode", `{"command":["a"],"files":[{"path":"a","content":"","mode":512}]}`, CodeInvalidField, "files[0].mode", "0777"},
		{"set-user-ID mode", `{"command":["a"],"files":[{"path":"a","content":"","mode":2541}]}`, CodeInvalidField, "files[0].mode", "511"},

		{"variable without a name", `{"command":["a"],"env":{"":"1"}}`, CodeInvalidField, "env.", "name of a variable"},
		{"variable with =", `{"command":["a"],"env":{"A=B":"1"}}`, CodeInvalidField, "env.A=B", ""},
		{"variable with NUL", `{"command":["a"],"env":{"A\u0000":"1"}}`, CodeInvalidField, "env.A\x00", ""},
		{"value with NUL", `{"command":["a"],"env":{"A":"1\u0000"}}`, CodeInvalidField, "env.A", "NUL"},

		{"source alone", `{"source":"x"}`, CodeInvalidField, "language", "GET /v1/languages"},
		{"empty source alone", `{"source":"","command":["a"]}`, CodeInvalidField, "language", ""},
		{"unknown language", `{"language":"cobol-74","source":""}`, CodeUnknownLanguage, "language", "cobol-74"},
		{"missing language", `{"language":"c","source":""}`, CodeMissingLanguage, "language", "not installed"},
		{"missing language by alias", `{"language":"Node","source":""}`, CodeMissingLanguage, "language", "javascript"},
		{"unknown policy", `{"policy":"none-such","command":["a"]}`, CodeUnknownPolicy, "policy", "judge"},
		{"policy in capitals", `{"policy":"Judge","command":["a"]}`, CodeUnknownPolicy, "policy", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.run(t, c.body).wants(t, c.code, c.path)
			if p.Status != 422 || !strings.Contains(p.Detail, c.word) || p.Job != "" {
				t.Errorf("%+v, want 422 with %q", p, c.word)
			}
		})
	}
	if s.runner.count() != 0 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

// TestPolicyDenies: a refusal names field, asked and allowed, for everything that
// is refused.
func TestPolicyDenies(t *testing.T) {
	s := start(t, nil)
	p := s.run(t, `{"policy":"judge","command":["a"],"build":{"command":["make"],"limits":{"wall_ms":-5}},
		"limits":{"memory_bytes":1125899906842624,"pids":0},"writable_root":true,"root_dirs":["/opt/x"]}`).wants(t, CodePolicyDenied, "limits.memory_bytes")
	fields := []string{}
	for _, d := range p.Denials {
		fields = append(fields, d.Field)
		if d.Asked == "" || d.Allowed == "" || d.Hint == "" || !strings.Contains(p.Detail, d.Field) {
			t.Errorf("a part is missing: %+v in %s", d, p.Detail)
		}
	}
	if want := []string{"limits.memory_bytes", "limits.pids", "build.limits.wall_ms", "root_dirs", "writable_root"}; !slices.Equal(fields, want) {
		t.Errorf("fields %q, want %q", fields, want)
	}
	if p.Denials[0].Asked != "1125899906842624" || p.Denials[2].Asked != "-5" {
		t.Errorf("%+v", p.Denials)
	}
	for body, field := range map[string]string{
		`"command":["a"],"build":{"command":["b"],"limits":{"pids":99999999}}`:                                                "build.limits.pids",
		`"command":["a"],"outputs":[` + strings.Repeat(`"a",`, 2000) + `"a"]`:                                                 "outputs",
		`"command":["a"],"env":{` + manyVars(300) + `}`:                                                                       "env",
		`"command":["a"],"files":[` + manyFiles(3000) + `]`:                                                                   "files",
		`"command":["a"],"limits":{"disk_bytes":65536},"files":[{"path":"a","content":"` + strings.Repeat("x", 70000) + `"}]`: "files",
		`"command":["a"],"limits":{"cpus":1e300}`:                                                                             "limits.cpus",
	} {
		s.run(t, `{"policy":"judge",`+body+`}`).wants(t, CodePolicyDenied, field)
	}
	if s.runner.count() != 0 {
		t.Errorf("%d jobs ran", s.runner.count())
	}
}

func manyVars(n int) string {
	var vars []string
	for i := range n {
		vars = append(vars, fmt.Sprintf(`"V%d":"1"`, i))
	}
	return strings.Join(vars, ",")
}

func manyFiles(n int) string {
	var files []string
	for i := range n {
		files = append(files, fmt.Sprintf(`{"path":"f%d","content":""}`, i))
	}
	return strings.Join(files, ",")
}

// TestJobMade: what the request says is what the runner gets.
func TestJobMade(t *testing.T) {
	s := start(t, nil)
	binary := base64.StdEncoding.EncodeToString([]byte{0, 0xff, '\n'})
	r := s.run(t, `{"policy":"dev","command":["./main","a b",""],"build":{"command":["make","-j2"],"limits":{"pids":7}},
		"files":[{"path":"in/a.txt","content":"é\u0000"},{"path":"run.sh","content":"","mode":493},{"path":"b.bin","base64":"`+binary+`","mode":0}],
		"stdin_base64":"`+binary+`","env":{"Z":"1","A":"x=y"},"limits":{"pids":5},"outputs":["*.png"],"writable_root":true}`)
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	j := s.runner.last(t)
	if id, err := uuid.Parse(j.ID); err != nil || id.Version() != 7 {
		t.Errorf("id %q: %v", j.ID, err)
	}
	if j.Policy != "dev" || !slices.Equal(j.Command, []string{"./main", "a b", ""}) || !slices.Equal(j.Build, []string{"make", "-j2"}) ||
		string(j.Stdin.Data) != "\x00\xff\n" || !slices.Equal(j.Env, []string{"A=x=y", "Z=1"}) || *j.Limits.Pids != 5 || *j.BuildLimits.Pids != 7 ||
		!slices.Equal(j.Outputs, []string{"*.png"}) || !j.WritableRoot || j.RunEnv != nil || j.BuildEnv != nil {
		t.Errorf("%+v", j)
	}
	want := []sandbox.File{{Path: "in/a.txt", Mode: 0o644, Data: []byte("é\x00")}, {Path: "run.sh", Mode: 0o755, Data: []byte{}}, {Path: "b.bin", Mode: 0, Data: []byte{0, 0xff, '\n'}}}
	for i, f := range j.Files {
		if f.Path != want[i].Path || f.Mode != want[i].Mode || string(f.Data) != string(want[i].Data) {
			t.Errorf("file %d: %+v, want %+v", i, f, want[i])
		}
	}
	if len(j.Files) != len(want) {
		t.Errorf("%d files", len(j.Files))
	}
	s.run(t, `{"command":["a"],"stdin":"x"}`)
	if next := s.runner.last(t); next.Policy != DefaultPolicy || string(next.Stdin.Data) != "x" || next.ID == j.ID || next.Build != nil {
		t.Errorf("%+v", next)
	}
	if !strings.Contains(string(r.body), j.ID) {
		t.Errorf("the answer lacks the id: %s", r.body)
	}
}

// TestLanguageFillsIn uses the C compiler and the shell, without which Cordon
// cannot be built.
func TestLanguageFillsIn(t *testing.T) {
	set := unsearched(t)
	if err := set.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *Config) { c.Languages = set })
	plan, err := set.Plan("c")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, body  string
		build, run  []string
		source, env string
	}{
		{"all from the language", `{"language":"C","source":"int main;","limits":{"cpus":1}}`, plan.Build, []string{"./main"}, "int main;", "OMP_NUM_THREADS=1"},
		{"empty source", `{"language":"c","source":""}`, plan.Build, []string{"./main"}, "", ""},
		{"own command", `{"language":"c","source":"x","command":["./main","1"]}`, plan.Build, []string{"./main", "1"}, "x", ""},
		{"own build", `{"language":"gcc","source":"x","build":{"command":["make"]}}`, []string{"make"}, []string{"./main"}, "x", ""},
		{"only limits of the build", `{"language":"c","source":"x","build":{"limits":{"pids":9}}}`, plan.Build, []string{"./main"}, "x", ""},
		{"no build", `{"language":"sh","source":"true"}`, nil, []string{"dash", "main.sh"}, "true", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := s.run(t, c.body); r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			j := s.runner.last(t)
			if !slices.Equal(j.Build, c.build) || !slices.Equal(j.Command, c.run) {
				t.Errorf("build %q, run %q", j.Build, j.Command)
			}
			if len(j.Files) != 1 || string(j.Files[0].Data) != c.source || j.Files[0].Mode != 0o644 || !strings.HasPrefix(j.Files[0].Path, "main.") {
				t.Errorf("%+v", j.Files)
			}
			if c.env != "" && !slices.Contains(j.RunEnv, c.env) {
				t.Errorf("RunEnv %q lacks %s", j.RunEnv, c.env)
			}
		})
	}
	s.run(t, `{"language":"sh","source":"true","build":{"limits":{"pids":9}}}`).wants(t, CodeInvalidField, "build.command")
	s.run(t, `{"language":"c","source":"x","files":[{"path":"main.c","content":"y"}]}`).wants(t, CodeInvalidField, "source")
	if r := s.send(t, "GET", "/v1/languages", nil); !strings.Contains(string(r.body), `"status":"ok"`) {
		t.Errorf("no language is there: %.300s", r.body)
	}
}

// brokenLanguages fails in a way that has no name.
type brokenLanguages struct{ Languages }

func (brokenLanguages) Plan(string) (languages.Plan, error) { return languages.Plan{}, os.ErrInvalid }

func (brokenLanguages) PlanOn(string, *languages.Root) (languages.Plan, error) {
	return languages.Plan{}, os.ErrInvalid
}

func TestLanguagesBroken(t *testing.T) {
	s := start(t, func(c *Config) { c.Languages = brokenLanguages{c.Languages} })
	s.run(t, `{"language":"c","source":""}`).wants(t, CodeUnknownLanguage, "language")
	if p := refusal(errors.New("something else")); p != nil {
		t.Errorf("%+v", p)
	}
}
