package problem

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A program is bounded, too.
const (
	maxProgramFiles = 500
	maxProgram      = 8 << 20
)

// languageOf gives the id of package languages for a file's ending. Where the
// format and DOMjudge differ (.sh, .pl), the one that can be run stands here.
var languageOf = map[string]string{
	".awk": "awk", ".bash": "bash", ".sh": "bash", ".c": "c",
	".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp", ".c++": "cpp", ".C": "cpp",
	".cs": "csharp", ".d": "d", ".f90": "fortran", ".f95": "fortran", ".go": "go", ".hs": "haskell",
	".java": "java", ".js": "javascript", ".mjs": "javascript", ".jl": "julia", ".kt": "kotlin", ".lua": "lua", ".nim": "nim",
	".ml": "ocaml", ".pas": "pascal", ".p": "pascal", ".pl": "perl", ".pm": "perl", ".php": "php", ".py": "python", ".py3": "python",
	".R": "r", ".r": "r", ".rb": "ruby", ".rs": "rust", ".scm": "scheme", ".swift": "swift", ".tcl": "tcl", ".ts": "typescript", ".zig": "zig",
}

// entries are the names a program of several files begins in.
var entries = []string{"__main__.py", "main"}

// starts is what a source that a program begins in has, where it has to.
var starts = map[string]*regexp.Regexp{
	"java": regexp.MustCompile(`\bstatic\s+(final\s+)?void\s+main\s*\(`),
	"":     regexp.MustCompile(`\b[mM]ain\s*\(`),
}

var python2 = regexp.MustCompile(`^#!.*python2`)

// program is one under construction: with the texts of its files.
type program struct {
	Program
	texts map[string][]byte
}

// programs are the programs in a folder: each file, and each directory.
func (r *reader) programs(in *folder) (out []program) {
	for _, f := range in.files {
		if p, ok := r.program(f.name, in.name, []file{f}); ok {
			out = append(out, p)
		}
	}
	for _, sub := range in.folders {
		if p, ok := r.program(sub.name, sub.name, sub.all()); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b program) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// program finds out the language, the files and the beginning of one. When it
// cannot, the mistake was told.
func (r *reader) program(name, dir string, files []file) (program, bool) {
	p := program{Program: Program{Name: name, Dir: dir}, texts: map[string][]byte{}}
	var size int64
	for _, f := range files {
		size += f.size
	}
	if len(files) == 0 || len(files) > maxProgramFiles || size > maxProgram || size == 0 {
		r.wrong(name, fmt.Sprintf("%d files of %d bytes", len(files), size),
			fmt.Sprintf("a program has from 1 to %d files, which are not all empty, and at most %d bytes", maxProgramFiles, maxProgram))
		return p, false
	}
	byLanguage := map[string][]string{}
	for _, f := range files {
		inside := strings.TrimPrefix(f.name, dir+"/")
		p.Files = append(p.Files, inside)
		text, ok := r.read(f.name, maxProgram)
		if !ok {
			return p, false
		}
		p.texts[inside] = text
		if language := languageOf[path.Ext(inside)]; language != "" {
			byLanguage[language] = append(byLanguage[language], inside)
		}
	}
	sources, ok := r.language(&p, byLanguage)
	if !ok {
		return p, false
	}
	p.Sources = sources
	if p.Main = begins(p.Language, sources, p.texts); p.Main == "" {
		r.wrong(name, "several sources, of which none is called main"+path.Ext(sources[0]), "name the one so that the program begins in")
		return p, false
	}
	if p.Language == "python" && python2.Match(p.texts[p.Main]) {
		r.wrong(path.Join(dir, p.Main), "Python 2", "only Python 3 is run")
		return p, false
	}
	return p, true
}

// language is the one of all sources; headers and data have none.
func (r *reader) language(p *program, found map[string][]string) ([]string, bool) {
	ids := slices.Sorted(maps.Keys(found))
	script := slices.Contains(p.Files, "build") || slices.Contains(p.Files, "run")
	switch {
	case script:
		r.wrong(p.Name, "with a build or run script", "programs are built by their language alone; leave the script out")
	case len(ids) == 0:
		r.wrong(p.Name, "of no known language", "the file's ending tells it: "+strings.Join(slices.Sorted(maps.Keys(languageOf)), " "))
	case len(ids) > 1:
		r.wrong(p.Name, "of several languages: "+strings.Join(ids, ", "), "a program is of one")
	default:
		p.Language = ids[0]
		return found[ids[0]], true
	}
	return nil, false
}

// begins finds the source that a program begins in: the only one, the one with
// the usual name, or the only one with a function main.
func begins(language string, sources []string, texts map[string][]byte) string {
	if len(sources) == 1 {
		return sources[0]
	}
	for _, entry := range entries {
		for _, s := range sources {
			if s == entry || strings.EqualFold(strings.TrimSuffix(s, path.Ext(s)), entry) {
				return s
			}
		}
	}
	start := starts[language]
	if start == nil {
		start = starts[""]
	}
	var with []string
	for _, s := range sources {
		if start.Match(texts[s]) {
			with = append(with, s)
		}
	}
	if len(with) == 1 {
		return with[0]
	}
	return ""
}

// validators reads the programs that judge outputs.
func (r *reader) validators() {
	const many, one = "output_validators", "output_validator"
	var found []program
	if f := r.list(many, 1); f != nil && len(f.files)+len(f.folders) > 0 {
		if slices.ContainsFunc(f.files, func(f file) bool { return languageOf[path.Ext(f.name)] == "" }) && r.p.Validation != Default {
			r.wrong(many, "with files of no known language", "put a program of several files into a directory of its own")
			return
		}
		found = r.candidates(many, func() []program { return r.programs(f) })
	}
	if f := r.list(one, 1); f != nil && len(f.files)+len(f.folders) > 0 {
		found = append(found, r.candidates(one, func() []program {
			dir, files := f.name, f.all()
			if len(f.files) == 0 && len(f.folders) == 1 {
				dir = f.folders[0].name
			}
			p, ok := r.program(dir, dir, files)
			if !ok {
				return nil
			}
			return []program{p}
		})...)
	}
	for _, p := range found {
		r.p.Validators = append(r.p.Validators, p.Program)
	}
	if r.p.Validation != Default && len(found) == 0 && len(r.mistakes) == 0 {
		r.wrong(many, "without a program", fmt.Sprintf("validation is %s; put the validator there", r.p.Validation))
	}
}

// candidates reads a directory of validators, unless the package says that they
// are not in use. Where it says nothing, the formats differ in what that means.
func (r *reader) candidates(dir string, programs func() []program) []program {
	switch {
	case r.p.Validation != Default:
		return programs()
	case r.meta.validation == "":
		r.wrong("problem.yaml", "without validation", "there is "+dir+"; write validation: custom, custom interactive, or default")
	default:
		r.ignore("%s: validation is default", dir)
	}
	return nil
}
