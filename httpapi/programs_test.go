package httpapi

import (
	"strings"
	"testing"
	"unicode/utf8"

	"cordon/sandbox"
)

// Every field of several programs has its wrong values, and each is answered with its path.
func TestProgramsRefused(t *testing.T) {
	s := start(t, nil)
	const two = `"programs":[{"name":"a","command":["x"]},{"name":"b","command":["x"]}]`
	const line = `"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"}]`
	for _, c := range []struct{ body, path, word string }{
		{`"programs":[]`, "programs", "empty"},
		{`"pipes":[]`, "pipes", "empty"},
		{two, "pipes", "none"},
		{line, "pipes[0].to", "no program"},
		{`"cores":"together"`, "pipes", "none"},
		{`"transcript_bytes":1`, "pipes", "none"},
		{two + "," + line + `,"cores":"beside"`, "cores", "apart"},
		{two + "," + line + `,"transcript_bytes":-1`, "transcript_bytes", "1048576"},
		{two + "," + line + `,"transcript_bytes":1048577`, "transcript_bytes", "1048576"},
		{two + "," + line + `,"transcript_bytes":1048576,"tests":[` + strings.Repeat(`{},`, 64) + `{}]`, "transcript_bytes", "65 tests"},
		{two + "," + line + `,"tests":[{}],"keep_output_bytes":99999999`, "keep_output_bytes", "allowed"},
		{`"programs":[` + strings.Repeat(`{"name":"a","command":["x"]},`, 7) + `{"name":"a"}]`, "programs", "0 to 7"},
		{`"programs":[{"name":"a","command":["x"]},{"name":"a","command":["x"]}],` + line, "programs[1].name", "another"},
		{`"programs":[{"command":["x"]}],` + line, "programs[0].name", "lower-case"},
		{`"programs":[{"name":"A","command":["x"]}],` + line, "programs[0].name", "lower-case"},
		{`"programs":[{"name":"interactor","command":["x"]}],` + line, "programs[0].name", "interactor"},
		{`"programs":[{"name":"a"},{"name":"b","same_as":"a"}],` + line, "programs[0].command", "nothing to run"},
		{`"programs":[{"name":"a","command":[]},{"name":"b","same_as":"a"}],` + line, "programs[0].command", "empty"},
		{`"programs":[{"name":"a","command":[""]}],` + line, "programs[0].command[0]", "empty"},
		{`"programs":[{"name":"a","command":["x"],"args":["\u0000"]}],` + line, "programs[0].args[0]", "NUL"},
		{`"programs":[{"name":"a","command":["x"],"build":{}}],` + line, "programs[0].build.command", "empty"},
		{`"programs":[{"name":"a","command":["x"],"build":{"command":[""]}}],` + line, "programs[0].build.command[0]", "empty"},
		{`"programs":[{"name":"a","command":["x"],"files":[{"path":"/x","content":""}]}],` + line, "programs[0].files[0].path", "relative"},
		{`"programs":[{"name":"a","command":["x"],"stdin":"x","stdin_base64":"eA=="}],` + line, "programs[0].stdin_base64", "one of them"},
		{`"programs":[{"name":"a","command":["x"],"stdin_sha256":"x"}],` + line, "programs[0].stdin_sha256", ""},
		{`"programs":[{"name":"a","source":"x"}],` + line, "programs[0].language", "without language"},
		{`"programs":[{"name":"a","same_as":"main","source":"x"}],` + line, "programs[0].same_as", "copy"},
		{`"programs":[{"name":"a","same_as":"main","build":{"command":["x"]}}],` + line, "programs[0].same_as", "copy"},
		{`"programs":[{"name":"a","same_as":"c"},{"name":"b","same_as":"main"}],` + line, "programs[0].same_as", "no program"},
		{`"programs":[{"name":"a","same_as":"b"},{"name":"b","same_as":"main"}],` + line, "programs[0].same_as", "itself"},
		{`"programs":[{"name":"a","command":["x"],"limits":{"cpu_ms":99999999}},{"name":"b","same_as":"a"}],` + line, "programs[0].limits.cpu_ms", "allowed"},
		{`"programs":[{"name":"a","command":["x"]},{"name":"b","same_as":"a","limits":{"pids":0}}],` + line, "programs[1].limits.pids", "allowed"},
		{`"programs":[{"name":"a","command":["x"],"stdin":"x"},{"name":"b","same_as":"a"}],` + line, "programs[0].stdin", "pipe"},
		{two + `,"pipes":[{"from":"main:2","to":"a"}]`, "pipes[0].from", "3 to 18"},
		{two + `,"pipes":[{"from":"main","to":"a:1"}]`, "pipes[0].to", "3 to 18"},
		{two + `,"pipes":[{"from":"main","to":"a:19"}]`, "pipes[0].to", "3 to 18"},
		{two + `,"pipes":[{"from":"","to":"a"}]`, "pipes[0].from", "name of a program"},
		{two + `,"pipes":[{"from":"main"}]`, "pipes[0].to", "name of a program"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"main","to":"b"}]`, "pipes[1].from", "pipes[0]"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"b","to":"nobody"}]`, "pipes[1].to", "nobody"},
		{two + `,"pipes":[{"from":"main","to":"a"}]`, "programs[1]", "no pipe"},
		{two + `,"pipes":[{"from":"main","to":"a"},{"from":"a","to":"b"},{"from":"b","to":"main"}]`, "pipes[2]", "circle"},
		{two + `,"pipes":[{"from":"a","to":"main"},{"from":"a:3","to":"b"}],"stdin":"x"`, "stdin", "pipe"},
		{two + `,"pipes":[{"from":"a","to":"main"},{"from":"a:3","to":"b"}],"tests":[{},{"stdin":"x"}]`, "tests[1].stdin", "pipe"},
		{two + "," + line + `,"expect":"x"`, "expect", "judged"},
		{two + "," + line + `,"tests":[{"expect":"x"}]`, "tests[0].expect", "judged"},
		{two + "," + line + `,"tests":[{}],"checker":{"command":["x"]}`, "checker", "judged"},
		{two + "," + line + `,"interactor":{"command":["x"]}`, "interactor", "no pipe"},
		{two + "," + line + `,"interactor":{}`, "interactor.command", "nothing to run"},
		{two + "," + line + `,"measure":{"pin":true}`, "measure.pin", "cores"},
	} {
		p := s.run(t, `{"policy":"judge","command":["main"],`+c.body+`}`)
		if c.path == "programs[0].limits.cpu_ms" || c.path == "programs[1].limits.pids" {
			p.wants(t, CodePolicyDenied, c.path)
			continue
		}
		if got := p.wants(t, CodeInvalidField, c.path); got.Status != 422 || !strings.Contains(got.Detail, c.word) {
			t.Errorf("%s: %+v, want %q", c.body, got, c.word)
		}
	}
	if n := s.runner.count(); n != 0 {
		t.Errorf("%d jobs ran", n)
	}
}

// What the sandbox is given of several programs.
func TestProgramsOfAJob(t *testing.T) {
	s := start(t, nil)
	s.run(t, `{"command":["main"],"programs":[{"name":"a","command":["x"],"args":["1"],"stdin":"in","build":{"command":["make"]},"limits":{"cpu_ms":7}},{"name":"b","same_as":"a","args":["2"]}],
"pipes":[{"from":"a","to":"b"},{"from":"b","to":"main"},{"from":"b:3","to":"interactor:18"}],"interactor":{"command":["talk"]},"cores":"apart","transcript_bytes":5,"stdin":"input"}`)
	j := s.runner.last(t)
	if len(j.Programs) != 2 || len(j.Pipes) != 3 || j.Cores != sandbox.Apart || j.TranscriptBytes != 5 || !j.Checker.Interactive || string(j.Stdin.Data) != "input" {
		t.Fatalf("%+v", j)
	}
	if a, b := j.Programs[0], j.Programs[1]; a.Command[0] != "x" || a.Args[0] != "1" || string(a.Stdin.Data) != "in" || a.Build[0] != "make" || *a.Limits.CPUMillis != 7 || b.SameAs != "a" || b.Args[0] != "2" || b.Command != nil {
		t.Errorf("%+v %+v", a, b)
	}
	if j.Pipes[2] != (sandbox.Pipe{From: sandbox.End{Program: "b", FD: 3}, To: sandbox.End{Program: "interactor", FD: 18}}) {
		t.Errorf("%+v", j.Pipes)
	}
}

// What it tells comes back, bytes that are no text as base64.
func TestEnsembleResult(t *testing.T) {
	r := NewResult(&sandbox.Result{Fault: []string{"a"}, Programs: []sandbox.ProgramResult{{Name: "main", Step: sandbox.Step{Verdict: sandbox.OK}}, {Name: "a", Step: sandbox.Step{Verdict: sandbox.Nonzero}}},
		Checker: &sandbox.Step{Verdict: sandbox.OK}, Transcript: &sandbox.Transcript{Truncated: true, Entries: []sandbox.Said{
			{From: sandbox.End{Program: "main", FD: 1}, To: sandbox.End{Program: "a", FD: 3}, At: 7, Data: []byte("hello\n")}, {Data: []byte{0xff, 0}}}}})
	e := r.Transcript.Entries
	if len(r.Programs) != 2 || r.Programs[1].Verdict != "nonzero" || r.Account == nil || r.Fault[0] != "a" || !r.Transcript.Truncated ||
		e[0] != (SaidResult{From: "main:1", To: "a:3", At: 7, Text: "hello\n"}) || e[1].Base64 != "/wA=" || !utf8.ValidString(e[1].Text) {
		t.Errorf("%+v", r.EnsembleResult)
	}
	if r := NewResult(&sandbox.Result{}); r.Programs != nil || r.Transcript != nil || r.Account != nil {
		t.Errorf("%+v", r)
	}
}
