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
	// Etc are patterns of files below /etc, or below /var/lib, that the tools read
	// and that a job's own root therefore has to offer.
	Etc []string `yaml:"etc"`

	version *regexp.Regexp
}

// tool is an executable that must exist.
type tool struct {
	Name    string   `yaml:"name"`    // as in the commands
	Any     []string `yaml:"any"`     // other names or absolute paths, tried in order after Name
	Package string   `yaml:"package"` // Debian package that brings it
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
	idPattern  = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	envPattern = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*=`)
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
	if err = d.Decode(&l); err != nil {
		return nil, err
	}
	if err = d.Decode(&language{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document in the file; keep one")
	}
	if err = l.check(); err != nil {
		return nil, err
	}
	return &l, nil
}

func (l *language) check() error {
	switch {
	case !idPattern.MatchString(l.ID):
		return fmt.Errorf("id: %q does not match %s", l.ID, idPattern)
	case l.Name == "":
		return errors.New("name: empty; give the name people know")
	case l.Source == "" || path.Base(l.Source) != l.Source || l.Source == "." || l.Source == "..":
		return fmt.Errorf("source: %q is not a plain file name", l.Source)
	case len(l.Tools) == 0:
		return errors.New("tools: none; name the executables that must exist")
	case l.Run == nil:
		return errors.New("run: missing")
	}
	for _, alias := range l.Aliases {
		if alias == "" || alias != strings.ToLower(alias) {
			return fmt.Errorf("aliases: %q is empty or not in lower case", alias)
		}
	}
	for _, t := range l.Tools {
		if t.Name == "" || t.Package == "" {
			return fmt.Errorf("tools: %q needs name and package", t.Name)
		}
	}
	for _, p := range l.Etc {
		if _, err := path.Match(p, ""); err != nil || !strings.HasPrefix(p, "/etc/") && !strings.HasPrefix(p, "/var/lib/") || path.Clean(p) != p {
			return fmt.Errorf("etc: %q is not a clean pattern below /etc or /var/lib", p)
		}
	}
	if err := l.checkProbe(); err != nil {
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
		return errors.New("version.command: empty")
	}
	re, err := regexp.Compile(l.Version.Match)
	if err != nil {
		return fmt.Errorf("version.match: %w", err)
	}
	if re.NumSubexp() != 1 {
		return fmt.Errorf("version.match: %q has %d groups, wanted 1", l.Version.Match, re.NumSubexp())
	}
	l.version = re
	return nil
}

// check parses the templates and tries each once, so that a mistake shows when
// the file is loaded and not when a job runs.
func (s *step) check(field string) error {
	if len(s.Command) == 0 || s.Command[0] == "" {
		return fmt.Errorf("%s.command: empty", field)
	}
	for _, e := range s.Env {
		if !envPattern.MatchString(e) && !strings.HasPrefix(e, "{{if ") {
			return fmt.Errorf("%s.env: %q is not NAME=value", field, e)
		}
	}
	var err error
	if s.options, err = parseAll(s.Options); err != nil {
		return fmt.Errorf("%s.options: %w", field, err)
	}
	if s.env, err = parseAll(s.Env); err != nil {
		return fmt.Errorf("%s.env: %w", field, err)
	}
	for _, t := range append(s.options[:len(s.options):len(s.options)], s.env...) {
		if err := t.Execute(io.Discard, settings{limits: policy.Limits{}}); err != nil {
			return fmt.Errorf("%s: %w", field, err)
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
