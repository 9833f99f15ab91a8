package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"cordon/judge/problem"
	"cordon/languages"
	"cordon/sandbox"
)

// judgeFile is a file of the package; it is read when a cell needs it.
type judgeFile struct {
	problem *problem.Problem
	name    string
	size    int64
}

// Open opens it.
func (f judgeFile) Open() (*os.File, error) { return f.problem.Open(f.name) }

// Bytes is its size.
func (f judgeFile) Bytes() int64 { return f.size }

func (f judgeFile) content() sandbox.Content { return sandbox.Content{Kept: f} }

func (j *judging) file(name string) (judgeFile, error) {
	f, err := j.problem.Open(name)
	if err != nil {
		return judgeFile{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return judgeFile{}, err
	}
	return judgeFile{j.problem, name, info.Size()}, nil
}

// takesAll are the languages whose compiler wants to be told of every source. The
// others find them by name.
var takesAll = []string{"c", "cpp", "csharp", "d", "go", "kotlin"}

// program is one with its files, as its language's plan wants them to lie.
type program struct {
	plan   languages.Plan
	files  []sandbox.File
	size   int64 // of all files
	source []string
	class  string // that is run, where it is not the plan's; "": the plan's
}

// program reads one of the package's. Where it begins gets the name that its
// language's plan has for it.
func (j *judging) program(p *problem.Program) (*program, error) {
	plan, err := j.plan(p.Language)
	if err != nil {
		return nil, err
	}
	out := &program{plan: plan}
	main := path.Join(path.Dir(p.Main), plan.SourceFile)
	texts := map[string][]byte{}
	for _, name := range p.Files {
		f, err := j.problem.Open(path.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		texts[name] = text
		out.size += int64(len(text))
	}
	if p.Language == "java" {
		main, out.class = javaMain(p.Main, texts[p.Main])
	}
	if main != p.Main && slices.Contains(p.Files, main) {
		return nil, fmt.Errorf("%s: begins in %s, and has %s, too, which is the name of the source that it begins in; rename one", p.Name, p.Main, main)
	}
	out.source = []string{main}
	for _, name := range p.Files {
		text := texts[name]
		switch {
		case name == p.Main:
			name = main
		case slices.Contains(takesAll, p.Language) && slices.Contains(p.Sources, name):
			out.source = append(out.source, name)
		}
		out.files = append(out.files, sandbox.File{Path: name, Mode: 0o644, Data: text})
	}
	return out, nil
}

// words puts a program's own names into a plan's command.
func (p *program) words(command []string) []string {
	var out []string
	for _, w := range command {
		switch {
		case w == p.plan.SourceFile:
			out = append(out, p.source...)
		case p.class != "" && w == strings.TrimSuffix(p.plan.SourceFile, ".java"):
			out = append(out, p.class)
		default:
			out = append(out, w)
		}
	}
	return out
}

var (
	javaPackage = regexp.MustCompile(`(?m)^\s*package\s+([\w.]+)\s*;`)
	javaPublic  = regexp.MustCompile(`(?m)^\s*public\s+(?:(?:final|abstract|strictfp|sealed)\s+)*(?:class|enum|record|interface)\s+(\w+)`)
)

// javaMain: a public class has to be in a file of its name. Without one, the file's
// name is that of the class.
func javaMain(name string, text []byte) (file, class string) {
	class = strings.TrimSuffix(path.Base(name), ".java")
	if m := javaPublic.FindSubmatch(text); m != nil {
		class = string(m[1])
	}
	file = path.Join(path.Dir(name), class+".java")
	if m := javaPackage.FindSubmatch(text); m != nil {
		class = string(m[1]) + "." + class
	}
	return file, class
}

func uniqueLanguages(programs []*problem.Program) []string {
	var out []string
	for _, p := range programs {
		out = append(out, p.Language)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
