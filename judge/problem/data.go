package problem

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// beside are the endings of files that stand beside an input and are for people.
var beside = []string{".desc", ".hint", ".interaction", ".png", ".jpg", ".jpeg", ".svg", ".gif", ".out",
	".in.statement", ".ans.statement", ".in.download", ".ans.download"}

// configs are the files that set a group's flags.
var configs = []string{"testdata.yaml", "test_group.yaml"}

// data finds the cases.
func (r *reader) data() {
	entries, err := fs.ReadDir(r.fsys, "data")
	if r.stat("data") == nil || err != nil {
		r.wrong("data", "not there", "put the cases into data/secret, and those to show into data/sample")
		return
	}
	for _, e := range entries {
		if name := e.Name(); name != "sample" && name != "secret" && !slices.Contains(configs, name) {
			r.ignore("data/%s: cases are in data/sample and data/secret", strings.Trim(shown(name), `"`))
		}
	}
	d := &gathering{reader: r, besides: map[string]int{}}
	flags := d.group("data", nil)
	for _, kind := range []string{"sample", "secret"} {
		if f := r.list("data/"+kind, 2); f != nil {
			d.folder(f, kind == "sample", flags)
		}
	}
	if len(d.secret) == 0 && !d.broken {
		r.wrong("data/secret", "without a case", "put pairs of NAME.in and NAME.ans there")
	}
	for _, ending := range slices.Sorted(maps.Keys(d.besides)) {
		r.ignore("data: *%s (%d): for people", ending, d.besides[ending])
	}
	for _, cases := range [][]Case{d.sample, d.secret} {
		slices.SortFunc(cases, func(a, b Case) int { return byParts(a.Name, b.Name) })
		r.p.Cases = append(r.p.Cases, cases...)
	}
}

// gathering collects cases.
type gathering struct {
	*reader
	sample, secret []Case
	besides        map[string]int // files for people, by ending
	broken         bool           // a case was found that is none
}

// folder takes the cases of a folder and below it. flags are those of the groups
// around it.
func (d *gathering) folder(f *folder, sample bool, flags []string) {
	flags = d.group(f.name, flags)
	known := map[string]file{}
	for _, file := range f.files {
		known[file.name] = file
	}
	for _, file := range f.files {
		base, ending := split(file.name)
		switch {
		case slices.Contains(configs, path.Base(file.name)):
		case ending == ".in":
			d.pair(file, known[base+".ans"], sample, flags)
		case ending == ".ans":
			if known[base+".in"].name == "" {
				d.broken = true
				d.wrong(file.name, "without "+path.Base(base)+".in", "add the input, or remove the answer")
			}
		case ending == ".yaml" && known[base+".in"].name != "": // read with its case
		case slices.Contains(beside, ending):
			d.besides[ending]++
		default:
			d.ignore("%s: belongs to no case", file.name)
		}
	}
	for _, sub := range f.folders {
		if strings.HasSuffix(sub.name, ".files") {
			d.wrong(sub.name, "a directory of files for a case", "cases have a standard input only; this is not supported")
			continue
		}
		d.folder(sub, sample, flags)
	}
}

// pair is one case.
func (d *gathering) pair(in, ans file, sample bool, flags []string) {
	base := strings.TrimSuffix(in.name, ".in")
	if ans.name == "" {
		d.broken = true
		d.wrong(in.name, "without "+path.Base(base)+".ans", "add the answer; it may be empty when a validator does not need it")
		return
	}
	for _, f := range []file{in, ans} {
		if f.size > maxCaseFile {
			d.wrong(f.name, fmt.Sprintf("%d bytes long", f.size), fmt.Sprintf("at most %d are allowed", maxCaseFile))
		}
	}
	own := d.config(base+".yaml", flags)
	c := Case{Name: strings.TrimPrefix(base, "data/"), Sample: sample, Input: in.name, Answer: ans.name, Flags: slices.Clone(own)}
	if d.p.Validation == Default {
		c.Compare, _ = compareOf(own) // a mistake was told where the flags stand
	}
	if sample {
		d.sample = append(d.sample, c)
	} else {
		d.secret = append(d.secret, c)
	}
}

func split(name string) (base, ending string) {
	for _, e := range append([]string{".in", ".ans", ".yaml"}, beside...) {
		if b, ok := strings.CutSuffix(name, e); ok && path.Base(b) != "" && !strings.HasSuffix(b, "/") {
			return b, e
		}
	}
	return name, path.Ext(name)
}

// group gives the flags of a folder: those of its testdata.yaml or
// test_group.yaml, or of the nearest folder around it that has one with flags.
func (d *gathering) group(dir string, flags []string) []string {
	if dir == "data" { // the outermost: what problem.yaml says holds everywhere
		d.check("problem.yaml", d.meta.flagsLine, "validator_flags", d.meta.flags)
		flags = d.meta.flags
	}
	for _, name := range configs {
		flags = d.config(path.Join(dir, name), flags)
	}
	return flags
}

// config reads a YAML file of a group or of a case, if there is one.
func (d *gathering) config(name string, flags []string) []string {
	text, ok := d.read(name, maxText)
	if !ok {
		return flags
	}
	var unused []string
	args := func(v value) {
		if own, ok := v.words(); ok {
			flags = slices.Concat(d.meta.flags, own)
			d.check(name, lineOf(v.node), v.field, flags)
		}
	}
	refuse := func(harmless func([]string) bool, why string) func(value) {
		return func(v value) {
			if words, ok := v.words(); ok && !harmless(words) {
				v.mistake(why)
			}
		}
	}
	none := func(words []string) bool { return len(words) == 0 }
	known := map[string]func(value){
		"output_validator_flags":  args,
		"output_validator_args":   args,
		"args":                    refuse(none, "arguments for submissions are not supported"),
		"static_validation_score": refuse(none, "validators of sources are not supported"),
		"grading": refuse(func(w []string) bool { return len(w) == 0 || w[0] == "default" },
			"graders are not supported: every case has to be accepted"),
		"grader_flags": refuse(func(w []string) bool {
			return !slices.Contains(w, "always_accept") && !slices.Contains(w, "accept_if_any_accepted")
		}, "groups are not graded: every case has to be accepted"),
		"hint": nil, "description": nil,
	}
	for _, key := range []string{"on_reject", "accept_score", "reject_score", "range", "max_score", "score_aggregation", "require_pass", "full_feedback",
		"input_validator_flags", "input_validator_args", "static_validator_args", "input_visualizer_args", "output_visualizer_args"} {
		known[key] = func(v value) { unused = append(unused, key) }
	}
	d.each(name, "", d.document(name, text), known)
	if len(unused) > 0 {
		d.ignore("%s: %s: groups mean nothing here but for their validator flags", name, strings.Join(unused, ", "))
	}
	return flags
}

// check tells what is wrong with flags for the default validator.
func (d *gathering) check(file string, line int, field string, flags []string) {
	if d.p.Validation != Default {
		return
	}
	if _, err := compareOf(flags); err != nil {
		d.mistake(Mistake{File: file, Line: line, Field: field, Given: shown(strings.Join(flags, " ")), Wanted: err.Error()})
	}
}
