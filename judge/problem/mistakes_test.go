package problem

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestMistakes(t *testing.T) {
	yaml := func(text string) map[string]string { return map[string]string{"problem.yaml": text} }
	with := func(name, text string) map[string]string { return map[string]string{name: text} }
	for _, tt := range []struct {
		change map[string]string
		want   string
	}{
		{with("problem.yaml", "-"), "problem.yaml: not there"},
		{yaml("name: x\nname: y\n"), "already defined"},
		{yaml("a: &x 1\n"), "problem.yaml:1: an anchor"},
		{yaml("name: x\n---\nname: y\n"), "problem.yaml:3: a second document"},
		{yaml("- name\n"), "not keys and values"},
		{yaml("name: [\n"), "not YAML"},
		{yaml("name: " + strings.Repeat("[", 40) + strings.Repeat("]", 40)), "nested more than"},
		{yaml("name: \xff"), "not UTF-8"},
		{yaml("#" + strings.Repeat("x", maxText)), "bytes long"},
		{yaml("problem_format_version: 2031-01"), "versions that are read: legacy, legacy-icpc"},
		{yaml("limits: 5"), "limits is \"5\"; write its keys"},
		{yaml("limits: {memory: 0}"), "a whole number of MiB from 1"},
		{yaml("limits: {memory: 1.5}"), "a whole number of MiB"},
		{yaml("limits: {memory: '256'}"), `the text "256"`},
		{yaml("limits: {memory: 0x10}"), "a whole number of MiB"},
		{yaml("limits: {memory: 99999999}"), "to 1048576"},
		{yaml("limits: {memroy: 5}"), `limits."memroy" is not a key of the format; known are code, compilation_memory`},
		{yaml("limits: {time_limit: 0}"), "from 0.001 to 3600"},
		{yaml("limits: {time_limit: -1}"), "from 0.001 to 3600"},
		{yaml("limits: {time_limit: .inf}"), "from 0.001 to 3600"},
		{yaml("limits: {time_limit: 1e9}"), "from 0.001 to 3600"},
		{yaml("limits: {time_limit: [1]}"), "limits.time_limit"},
		{yaml("limits: {compilation_time: {a: 1}}"), "limits.compilation_time"},
		{yaml("validation: custom score"), "not judged here"},
		{yaml("validation: custom multi-pass"), "not judged here"},
		{yaml("validation: interactive"), "default, custom, or custom interactive"},
		{yaml("validation: [custom]"), "validation is a list"},
		{yaml("type: scoring"), "not judged here"},
		{yaml("type: [pass-fail, multi-pass]"), "not judged here"},
		{yaml("type: pas-fail"), "known are pass-fail"},
		{yaml("type: interactive\nvalidation: custom"), "type says interactive"},
		{yaml("validation: custom"), "output_validators: without a program"},
		{yaml("type: interactive"), "output_validators: without a program"},
		{yaml("constants: {n: 5}"), "constants are not filled in"},
		{yaml("validator_flags: float_tolerence 1e-6"), `"float_tolerence" is no flag of the default validator`},
		{with("output_validators/v.py", "x"), "problem.yaml: without validation; there is output_validators"},
		{map[string]string{"problem.yaml": "validation: custom", "output_validators/v.cc": "x", "output_validators/v.h": "x"}, "into a directory of its own"},
		{map[string]string{"problem.yaml": "validation: custom", "output_validators/v/build": "x", "output_validators/v/v.cc": "x"}, "build or run script"},
		{map[string]string{".timelimit": "2", "domjudge-problem.ini": "timelimit=3"}, ".timelimit: \"2\" seconds; domjudge-problem.ini says 3"},
		{map[string]string{"problem.yaml": "limits: {time_limit: 2}", "domjudge-problem.ini": "timelimit=3"}, "problem.yaml:1: limits.time_limit"},
		{with(".timelimit", ""), "number of seconds"},
		{with("domjudge-problem.ini", "timelimt=3"), `domjudge-problem.ini:1: "timelimt" is not a key`},
		{with("domjudge-problem.ini", "points=1\n\ntimelimit"), `domjudge-problem.ini:3: "timelimit"; write key = value`},
		{with("domjudge-problem.ini", "name=a\nname=b"), "domjudge-problem.ini:2: name is there a second time"},
		{with("domjudge-problem.ini", "special_compare=float"), "put it into output_validators"},
		{map[string]string{"data/secret/1.in": "-", "data/secret/1.ans": "-"}, "data: not there"},
		{map[string]string{"data/secret/1.in": "-", "data/secret/1.ans": "-", "data/sample/1.in": "", "data/sample/1.ans": ""}, "data/secret: without a case"},
		{with("data/secret/1.ans", "-"), "data/secret/1.in: without 1.ans"},
		{with("data/secret/1.in", "-"), "data/secret/1.ans: without 1.in"},
		{with("data/secret/1.files/x.txt", "x"), "this is not supported"},
		{with("data/secret/1.yaml", "args: [x]"), "arguments for submissions"},
		{with("data/secret/testdata.yaml", "grading: custom"), "graders are not supported"},
		{with("data/secret/testdata.yaml", "grader_flags: first_error always_accept"), "every case has to be accepted"},
		{with("data/secret/testdata.yaml", "output_validator_flags: {name: v, flags: x}"), "data/secret/testdata.yaml:1: output_validator_flags"},
		{with("data/secret/testdata.yaml", "x: y\noutput_validator_flags: exact"), "data/secret/testdata.yaml:2: output_validator_flags"},
		{with("data/secret/testdata.yaml", "on_rejcet: break"), `"on_rejcet" is not a key`},
		{with("include/cpp/main.cpp", "x"), "not supported; put them into each submission"},
		{with("static_validator/v.py", "x"), "validators of sources"},
		{with("submissions/accepted/a.py", "-"), "submissions: not there"},
		{map[string]string{"submissions/accepted/a.py": "-", "submissions/wrong_answer/a.py": "x"}, "submissions/accepted: without a submission"},
		{with("submissions/a.py", "x"), "not in a folder of a verdict"},
		{with("submissions/accepted/b.py", ""), "1 files of 0 bytes"},
		{with("submissions/accepted/b", "x"), "of no known language"},
		{with("submissions/accepted/b.py", "#!/usr/bin/env python2\n"), "only Python 3"},
		{map[string]string{"submissions/accepted/d/a.c": "x", "submissions/accepted/d/b.py": "x"}, "of several languages: c, python"},
		{map[string]string{"submissions/accepted/d/a.py": "x", "submissions/accepted/d/b.py": "x"}, "none is called main.py"},
		{with("submissions/partially_accepted/a.py", "x"), "problems with scores"},
		{with("submissions/mixed/a.py", "x"), "stands for no verdict"},
		{with("submissions/mixed/a.py", "# @EXPECTED_RESULTS@ CORRECT"), "without a colon"},
		{with("submissions/mixed/a.py", "\n# @EXPECTED_RESULTS@: CORECT"), `submissions/mixed/a.py:2: @EXPECTED_RESULTS@ is "CORECT"; known are CORRECT`},
		{with("submissions/mixed/a.py", "# @EXPECTED_RESULTS@: CORRECT\n# @EXPECTED_RESULTS@: CORRECT"), "there a second time"},
		{map[string]string{"submissions/mixed/d/main.py": "# @EXPECTED_RESULTS@: CORRECT", "submissions/mixed/d/x.txt": "@EXPECTED_RESULTS@: CORRECT"}, "there a second time"},
		{with("submissions/mixed/a.py", "# @EXPECTED_SCORE@: 5"), "scores are not judged"},
		{with("submissions/accepted/b.py", "# @EXPECTED_RESULTS@: WRONG-ANSWER"), "another verdict than its folder's"},
		{with("data/secret/1/2/3/4/5/6/7/8/9/1.in", "x"), "directories deep"},
	} {
		_, err := loadTree(tree(tt.change))
		if err == nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %q", maps.Collect(maps.All(tt.change)), err, tt.want)
		}
	}
}

// A text of the package reaches a terminal quoted.
func TestMistakesAreFitForATerminal(t *testing.T) {
	_, err := loadTree(tree(map[string]string{
		"problem.yaml":            "\"\\e[2J\": 1\nvalidation: \"\\e[2J\"\nname: {\"\\e[2J\": [1]}\n",
		"domjudge-problem.ini":    "\x1b[2J = 1\n",
		"submissions/mixed/a.py":  "@EXPECTED_RESULTS@: \x1b[2J\n",
		".timelimit":              "\x1b[2J",
		"data/secret/\x1b[2J.in":  "x",
		"data/\x1b[2J":            "x",
		"submissions/\x1b[2J/a.c": "x",
	}))
	if err == nil || strings.Contains(err.Error(), "\x1b") || strings.Count(err.Error(), "[2J") < 6 {
		t.Errorf("%q", err)
	}
}
