package problem

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

func load(p *Problem, fsys fs.FS) error {
	r := &reader{fsys: fsys, p: p}
	r.top()
	r.metadata()
	r.data()
	r.submissions()
	r.validators()
	if r.input != nil {
		return r.input
	}
	p.Ignored = r.ignored
	return r.err()
}

// What stands at the top of a package. Each name has a note when it means
// nothing to the judging, and a refusal when leaving it out would falsify it.
var (
	read  = []string{"problem.yaml", "domjudge-problem.ini", ".timelimit", "data", "submissions", "output_validators", "output_validator"}
	notes = map[string]string{
		"problem_statement":       "for people",
		"statement":               "for people",
		"solution":                "for people",
		"attachments":             "for people",
		"input_validators":        "inputs are taken as they are; no input validator is run",
		"input_format_validators": "inputs are taken as they are; no input validator is run",
		"generators":              "the cases are taken as they are; no generator is run",
		"input_visualizer":        "nothing is drawn",
		"output_visualizer":       "nothing is drawn",
		"graders":                 "only problems with scores are graded",
	}
	refusals = map[string]string{
		"include":          "files that are added to submissions are not supported; put them into each submission",
		"static_validator": "validators of sources are not supported; remove it",
	}
)

// top looks at the names on the first level.
func (r *reader) top() {
	entries, err := fs.ReadDir(r.fsys, ".")
	if err != nil {
		r.cannot(err)
		return
	}
	for _, e := range entries {
		name := e.Name()
		note := notes[name]
		switch {
		case slices.Contains(read, name):
		case refusals[name] != "":
			if e.IsDir() && !r.empty(name) {
				r.wrong(name, "a directory with files", refusals[name])
			}
		case note != "":
			r.ignore("%s: %s", name, note)
		case strings.HasPrefix(name, "."): // of version control and editors
		case strings.HasPrefix(name, "problem.") && slices.Contains([]string{".pdf", ".html", ".txt", ".md"}, path.Ext(name)):
			r.ignore("%s: for people", name)
		default:
			r.ignore("%s: not a part of the format", shown(name))
		}
	}
}

// empty says whether there is nothing in a directory, or no such directory.
func (r *reader) empty(dir string) bool {
	entries, _ := fs.ReadDir(r.fsys, dir)
	return len(entries) == 0
}
