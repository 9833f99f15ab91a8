package problem

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// versions of the format whose packages are read. They differ in names and in
// where flags stand, and a package may mix them, as DOMjudge lets it.
var versions = []string{"legacy", "legacy-icpc", "2023-07-draft", "2023-07", "2025-09", "2025-09-draft", "draft"}

// meta is what is needed of problem.yaml further on.
type meta struct {
	newer      bool     // than legacy: a validator is in use because it is there
	validation string   // "" when nothing said it
	flags      []string // validator_flags
	flagsLine  int
	time       limitSource
}

// limitSource is the time limit, and the file that gave it.
type limitSource struct {
	file string
	text string
}

// metadata reads problem.yaml, domjudge-problem.ini and .timelimit.
func (r *reader) metadata() {
	yaml, isYAML := r.read("problem.yaml", maxText)
	ini, isINI := r.read("domjudge-problem.ini", maxText)
	limit, isLimit := r.read(".timelimit", 64)
	if !isYAML && !isINI && len(r.mistakes) == 0 {
		r.wrong("problem.yaml", "not there", "a package has problem.yaml or domjudge-problem.ini; is this the directory of a package?")
	}
	if isINI { // first: problem.yaml's name goes over its name
		r.settings(ini)
	}
	if isYAML {
		r.describe(r.document("problem.yaml", yaml))
	}
	if isLimit {
		r.timeLimit(".timelimit", 0, "", strings.TrimSpace(string(limit)))
	}
	if r.meta.newer && r.meta.validation == "" {
		r.meta.validation = string(Default)
		if !r.empty("output_validator") || !r.empty("output_validators") {
			r.meta.validation = string(Custom)
		}
	}
	r.p.Validation = Default
	if r.meta.validation != "" {
		r.p.Validation = Validation(r.meta.validation)
	}
}

// timeLimit takes one from one of three places; two that differ are a mistake.
func (r *reader) timeLimit(file string, line int, field, text string) {
	d, ok := seconds(text)
	switch had := r.meta.time; {
	case !ok:
		r.mistake(Mistake{File: file, Line: line, Field: field, Given: shown(text), Wanted: wantSeconds})
	case had.file != "" && r.p.TimeLimit != d:
		r.mistake(Mistake{File: file, Line: line, Field: field, Given: shown(text) + " seconds",
			Wanted: fmt.Sprintf("%s says %s; let both say the same, or remove one", had.file, had.text)})
	default:
		r.p.TimeLimit, r.meta.time = d, limitSource{file, text}
	}
}

const wantSeconds = "write a number of seconds from 0.001 to 3600"

func seconds(text string) (time.Duration, bool) {
	f, ok := number(text)
	d := time.Duration(math.Round(f * 1e9))
	return d, ok && f <= 3600 && d >= time.Millisecond
}

// describe takes the keys of problem.yaml, of every version.
func (r *reader) describe(m *ast.MappingNode) {
	var types, validation value
	known := map[string]func(value){
		"problem_format_version": r.version,
		"name":                   r.name,
		"type":                   func(v value) { types = v },
		"validation":             func(v value) { validation = v },
		"validator_flags": func(v value) {
			r.meta.flags, _ = v.words()
			r.meta.flagsLine = lineOf(v.node)
		},
		"limits": func(v value) { v.fields(r.limits()) },
		"constants": func(v value) {
			if m, ok := v.node.(*ast.MappingNode); !ok || len(m.Values) > 0 {
				v.mistake("constants are not filled into validators here; write the values where they are used")
			}
		},
		"grading":            r.meansNothing("problems with scores are not judged"),
		"languages":          r.meansNothing("every language of a submission is built"),
		"allow_file_writing": r.meansNothing("a submission may write in its own scratch, and nothing of it is kept"),
		"libraries":          r.meansNothing("every submission has what its language's plan gives it"),
	}
	for _, key := range []string{"author", "credits", "embargo_until", "keywords", "license", "rights_owner", "source", "source_url", "uuid", "version"} {
		known[key] = nil // for people
	}
	r.each("problem.yaml", "", m, known)
	r.mode(types, validation)
}

func (r *reader) meansNothing(why string) func(value) {
	return func(v value) { r.ignore("%s:%d: %s: %s", v.file, lineOf(v.node), v.field, why) }
}

func (r *reader) version(v value) {
	s, ok := v.text()
	if ok && !slices.Contains(versions, s) {
		v.mistake("versions that are read: " + strings.Join(versions, ", "))
	}
	r.meta.newer = !strings.HasPrefix(s, "legacy")
}

// name is one text, or one for each language.
func (r *reader) name(v value) {
	m, ok := v.node.(*ast.MappingNode)
	if !ok {
		if s, ok := v.text(); ok && s != "" {
			r.p.Name = s
		}
		return
	}
	english := false
	for i, pair := range m.Values {
		language := pair.Key.GetToken().Value
		s, ok := value{&r.report, v.file, "name." + shown(language), pair.Value}.text()
		if ok && s != "" && (i == 0 || language == "en" || !english && strings.HasPrefix(language, "en-")) {
			r.p.Name, english = s, english || strings.HasPrefix(language, "en")
		}
	}
}

// mode joins type (of the newer format) and validation (of the older).
func (r *reader) mode(types, validation value) {
	const refused = "problems of this kind are not judged here: pass-fail, with a default, custom or interactive validator, is"
	interactive := false
	if types.node != nil {
		words, _ := types.words()
		for _, w := range words {
			switch w {
			case "pass-fail":
			case "interactive":
				interactive = true
			case "scoring", "multi-pass", "submit-answer":
				types.mistake(refused)
			default:
				types.mistake("known are pass-fail, interactive, scoring, multi-pass and submit-answer")
			}
		}
	}
	if interactive {
		r.meta.validation = string(Interactive)
	}
	if validation.node == nil {
		return
	}
	text, ok := validation.text()
	text = strings.Join(strings.Fields(text), " ")
	switch {
	case !ok:
	case strings.HasPrefix(text, "custom ") && (strings.Contains(text, "score") || strings.Contains(text, "multi-pass")):
		validation.mistake(refused)
	case text != string(Default) && text != string(Custom) && text != string(Interactive):
		validation.mistake("write default, custom, or custom interactive")
	case interactive && text != string(Interactive):
		validation.mistake("type says interactive; write custom interactive")
	default:
		r.meta.validation = text
	}
}

// limits are the keys below limits.
func (r *reader) limits() map[string]func(value) {
	units := func(target *int64, unit int64, name string) func(value) {
		return func(v value) { v.units(target, unit, name) }
	}
	within := func(target *time.Duration) func(value) {
		return func(v value) {
			d, ok := seconds(v.node.GetToken().Value)
			if *target = d; !ok {
				v.mistake(wantSeconds)
			}
		}
	}
	derived := r.meansNothing("no time limit is derived from the submissions")
	return map[string]func(value){
		"time_limit": func(v value) {
			r.timeLimit(v.file, lineOf(v.node), v.field, v.node.GetToken().Value)
		},
		"memory":             units(&r.p.MemoryBytes, 1<<20, "MiB"),
		"output":             units(&r.p.OutputBytes, 1<<20, "MiB"),
		"code":               units(&r.p.SourceBytes, 1<<10, "KiB"),
		"compilation_time":   within(&r.p.CompileTime),
		"compilation_memory": units(&r.p.CompileMemoryBytes, 1<<20, "MiB"),
		"validation_time":    within(&r.p.ValidationTime),
		"validation_memory":  units(&r.p.ValidationMemoryBytes, 1<<20, "MiB"),
		"validation_output":  units(&r.p.ValidationOutputBytes, 1<<20, "MiB"),
		"time_multiplier":    derived, "time_safety_margin": derived, "time_multipliers": derived, "time_resolution": derived,
		"validation_passes": r.meansNothing("only problems of several passes have it"),
	}
}
