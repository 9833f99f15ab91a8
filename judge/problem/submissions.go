package problem

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// words are the names of verdicts: the format's and DOMjudge's, in capitals and
// with underscores.
var words = map[string]Expect{
	"ACCEPTED": Accepted, "CORRECT": Accepted, "WRONG_ANSWER": WrongAnswer,
	"TIME_LIMIT_EXCEEDED": TimeLimit, "TIMELIMIT": TimeLimit, "RUN_TIME_ERROR": RunTimeError, "RUN_ERROR": RunTimeError,
	"COMPILER_ERROR": CompilerError, "NO_OUTPUT": NoOutput, "OUTPUT_LIMIT": OutputLimit, "MEMORY_LIMIT": MemoryLimit,
}

// several are the folders that promise one of several verdicts.
var several = map[string][]Expect{
	"rejected":    {WrongAnswer, TimeLimit, RunTimeError, NoOutput, OutputLimit, MemoryLimit},
	"brute_force": {TimeLimit, RunTimeError, MemoryLimit},
}

const (
	tag      = "@EXPECTED_RESULTS@"
	scoreTag = "@EXPECTED_SCORE@"
)

func verdict(word string) Expect {
	return words[strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(word)), "-", "_")]
}

// submissions reads the programs that the package brings for a trial.
func (r *reader) submissions() {
	f := r.list("submissions", 1)
	if f == nil {
		r.wrong("submissions", "not there", "put solutions into submissions/accepted, and wrong ones into the folders of their verdicts")
		return
	}
	for _, file := range f.files {
		switch path.Base(file.name) {
		case "submissions.yaml", "submissions.json":
			r.ignore("%s: what a submission has to get is told by its folder, or by %s", file.name, tag)
		default:
			r.wrong(file.name, "not in a folder of a verdict", "move it to submissions/accepted, or where it belongs")
		}
	}
	before := len(r.mistakes)
	for _, sub := range f.folders {
		programs := r.programs(sub)
		if len(sub.files)+len(sub.folders) == 0 {
			r.ignore("%s: empty", sub.name)
		}
		for _, p := range programs {
			if expected := r.expected(path.Base(sub.name), p); expected != nil {
				r.p.Submissions = append(r.p.Submissions, Submission{p.Program, path.Base(sub.name), expected})
			}
		}
	}
	accepted := func(s Submission) bool { return slices.Equal(s.Expected, []Expect{Accepted}) }
	if len(r.mistakes) == before && !slices.ContainsFunc(r.p.Submissions, accepted) {
		r.wrong("submissions/accepted", "without a submission", "a package needs a solution that is accepted")
	}
}

// expected is what a submission has to get. A folder of one verdict decides;
// in the others the tag does, and then the folder.
func (r *reader) expected(folder string, p program) []Expect {
	tagged, ok := r.tagged(p)
	if !ok {
		return nil
	}
	if v := verdict(folder); v != "" {
		switch {
		case tagged != nil && !slices.Contains(tagged, v):
			r.wrong(p.Name, "tagged "+tag+" with another verdict than its folder's", "move it, or let the tag name "+string(v))
			return nil
		case len(tagged) > 1:
			r.ignore("%s: %s: its folder's verdict alone counts", p.Name, tag)
		}
		return []Expect{v}
	}
	if tagged == nil {
		tagged = several[strings.ToLower(folder)]
	}
	switch {
	case folder == "partially_accepted":
		r.wrong(p.Name, "in a folder for problems with scores", "those are not judged here; move it")
	case tagged == nil:
		r.wrong(p.Name, "in a folder that stands for no verdict", "move it to accepted, wrong_answer, time_limit_exceeded, run_time_error, rejected, brute_force, "+
			"compiler_error, no_output, output_limit or memory_limit, or write \""+tag+": VERDICT, VERDICT\" into it")
	default:
		return tagged
	}
	return nil
}

// tagged are the verdicts of the one tag in a program's files; nil without one.
func (r *reader) tagged(p program) (out []Expect, ok bool) {
	for _, name := range p.Files {
		full := path.Join(p.Dir, name)
		upper := bytes.ToUpper(p.texts[name])
		if at := bytes.Index(upper, []byte(scoreTag)); at >= 0 {
			r.mistake(Mistake{File: full, Line: lineAt(upper, at), Given: scoreTag, Wanted: "scores are not judged here; remove it"})
			return nil, false
		}
		at := bytes.Index(upper, []byte(tag))
		if at < 0 {
			continue
		}
		wrong := func(given, wanted string) ([]Expect, bool) {
			r.mistake(Mistake{File: full, Line: lineAt(upper, at), Field: tag, Given: given, Wanted: wanted})
			return nil, false
		}
		rest := upper[at+len(tag):]
		if out != nil || bytes.Contains(rest, []byte(tag)) {
			return wrong("there a second time", "a submission has one")
		}
		line, _, _ := strings.Cut(string(rest), "\n")
		list, colon := strings.CutPrefix(line, ":")
		if !colon {
			return wrong("without a colon", "write "+tag+": VERDICT, VERDICT")
		}
		list = strings.TrimRight(strings.TrimSpace(list), "*/-> \t") // the end of a comment
		for word := range strings.SplitSeq(list, ",") {
			v := verdict(word)
			if v == "" {
				return wrong(shown(strings.TrimSpace(word)), "known are CORRECT, WRONG-ANSWER, TIMELIMIT, RUN-ERROR, COMPILER-ERROR, NO-OUTPUT, OUTPUT-LIMIT and MEMORY-LIMIT")
			}
			out = append(out, v)
		}
	}
	return out, true
}

func lineAt(text []byte, at int) int { return bytes.Count(text[:at], []byte("\n")) + 1 }
