package languages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"

	"cordon/policy"
)

// language is one data file.
type language struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Aliases []string `yaml:"aliases"`
	Source  string   `yaml:"source"`
	Tools   []tool   `yaml:"tools"`
	Version *probe   `yaml:"version"`
	Build   *step    `yaml:"build"`
	Run     *step    `yaml:"run"`
	// Family is the id of the language that this one is another version of, where
	// that has a file of its own.
	Family string `yaml:"family"`
	// Versions are further languages that differ from this one in a few words.
	Versions []version `yaml:"versions"`
	// Default is the id of the version that this language's own names mean; without
	// it they mean the tools as they stand above.
	Default string   `yaml:"default"`
	Minimum *minimum `yaml:"minimum"`
	// Replace allows an operator's file to take the place of a shipped one.
	Replace bool `yaml:"replace"`
	// Etc are patterns of files below /etc, or below /var/lib, that the tools read
	// and that a job's own root therefore has to offer.
	Etc []string `yaml:"etc"`

	version *regexp.Regexp
	wanted  string // what the probe has to find: this, or this and more behind a dot
	since   string // or at least this
	file    string // where it comes from
	own     bool   // the operator's
}

// tool is an executable that must exist.
type tool struct {
	Name    string   `yaml:"name"`    // as in the commands
	Any     []string `yaml:"any"`     // other names or absolute paths, tried in order after Name; paths may be patterns
	Package string   `yaml:"package"` // Debian package that brings it

	only bool // Name itself is not looked for: a version has names of its own
}

// probe asks a tool for its version.
type probe struct {
	Command []string `yaml:"command"`
	Stdin   string   `yaml:"stdin"`
	Match   string   `yaml:"match"` // regular expression with one group
}

// step is a command and its settings. Options stand behind Command[0]; Options
// and Env are templates over the limits (see settings). Those that come out
// empty are left out.
type step struct {
	Command []string `yaml:"command"`
	Options []string `yaml:"options"`
	Env     []string `yaml:"env"`

	options, env []*template.Template
}

var (
	idPattern  = regexp.MustCompile(`^[a-z][a-z0-9]*([-.][a-z0-9]+)*$`)
	envPattern = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*=`)

	versionPattern = regexp.MustCompile(`^\d+(\.\d+)*$`)
)

// decode reads one data file: unknown and duplicate keys, a second document and
// any rule of check that is broken are errors.
func decode(text []byte) (_ *language, err error) {
	// go-yaml 1.19.2 dereferences nil on a tag that does not fit its value
	// (testdata/fuzz keeps the case): a bad file is an error, not a crash.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not valid YAML: %v", r)
		}
	}()
	var l language
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	switch err = d.Decode(&l); {
	case errors.Is(err, io.EOF):
		return nil, placed(text, wrong("id", "nothing is in the file; begin with id and name"))
	case err != nil:
		return nil, syntax(text, err)
	}
	if err = d.Decode(&language{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document in the file; keep one")
	}
	if err = l.check(); err == nil {
		_, err = l.expand()
	}
	if err != nil {
		return nil, placed(text, err)
	}
	return &l, nil
}

func (l *language) check() error {
	switch {
	case !idPattern.MatchString(l.ID):
		return wrong("id", "%q does not match %s", l.ID, idPattern)
	case l.Name == "":
		return wrong("name", "empty; give the name people know")
	case l.Source == "" || path.Base(l.Source) != l.Source || l.Source == "." || l.Source == "..":
		return wrong("source", "%q is not a plain file name", l.Source)
	case len(l.Tools) == 0:
		return wrong("tools", "none; name the executables that must exist")
	case l.Run == nil:
		return wrong("run", "missing; say how the program is started")
	}
	for i, alias := range l.Aliases {
		if alias == "" || alias != strings.ToLower(alias) {
			return wrong(at("aliases", i), "%q is empty or not in lower case", alias)
		}
	}
	for i, t := range l.Tools {
		if t.Name == "" || t.Package == "" {
			return wrong(at("tools", i), "%q needs name and package", t.Name)
		}
		for j, name := range t.Any {
			if _, err := path.Match(name, ""); err != nil || name == "" {
				return wrong(at(at("tools", i)+".any", j), "%q is neither a name nor a path, with * if need be", name)
			}
		}
	}
	for i, p := range l.Etc {
		if _, err := path.Match(p, ""); err != nil || !strings.HasPrefix(p, "/etc/") && !strings.HasPrefix(p, "/var/lib/") || path.Clean(p) != p {
			return wrong(at("etc", i), "%q is not a clean pattern below /etc or /var/lib", p)
		}
	}
	if err := l.checkProbe(); err != nil {
		return err
	}
	if err := l.Minimum.check("minimum", l.Build != nil); err != nil {
		return err
	}
	if err := l.Run.check("run"); err != nil {
		return err
	}
	if l.Build != nil {
		return l.Build.check("build")
	}
	return nil
}

func (l *language) checkProbe() error {
	if l.Version == nil {
		return nil
	}
	if len(l.Version.Command) == 0 {
		return wrong("version.command", "empty; give the command that prints the version")
	}
	re, err := regexp.Compile(l.Version.Match)
	if err != nil {
		return wrong("version.match", "%w", err)
	}
	if re.NumSubexp() != 1 {
		return wrong("version.match", "%q has %d groups, wanted 1", l.Version.Match, re.NumSubexp())
	}
	l.version = re
	return nil
}

// check parses the templates and tries each once, so that a mistake shows when
// the file is loaded and not when a job runs.
func (s *step) check(field string) error {
	if len(s.Command) == 0 || s.Command[0] == "" {
		return wrong(field+".command", "empty; give the program and its arguments")
	}
	for i, e := range s.Env {
		if !envPattern.MatchString(e) && !strings.HasPrefix(e, "{{if ") {
			return wrong(at(field+".env", i), "%q is not NAME=value", e)
		}
	}
	var err error
	if s.options, err = parseAll(s.Options); err != nil {
		return wrong(field+".options", "%w", err)
	}
	if s.env, err = parseAll(s.Env); err != nil {
		return wrong(field+".env", "%w", err)
	}
	for _, t := range append(s.options[:len(s.options):len(s.options)], s.env...) {
		if err := t.Execute(io.Discard, settings{limits: policy.Limits{}}); err != nil {
			return wrong(field, "%w", err)
		}
	}
	return nil
}

func parseAll(texts []string) ([]*template.Template, error) {
	parsed := make([]*template.Template, 0, len(texts))
	for _, text := range texts {
		t, err := template.New(text).Option("missingkey=error").Parse(text)
		if err != nil {
			return nil, err
		}
		parsed = append(parsed, t)
	}
	return parsed, nil
}
