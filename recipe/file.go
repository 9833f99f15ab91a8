package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Recipe is a file as it was read.
type Recipe struct {
	Base     string            `yaml:"base"`
	Packages Packages          `yaml:"packages"`
	Steps    []string          `yaml:"steps"` // of the shell, as root, in order
	Env      map[string]string `yaml:"env"`
}

// Packages are by who brings them.
type Packages struct {
	APT []string `yaml:"apt"`
	Pip []string `yaml:"pip"`
	NPM []string `yaml:"npm"`
}

// Bounds of a file.
const (
	fileMax  = 64 << 10
	wordsMax = 1000 // packages of a kind, and steps
	stepMax  = 16 << 10
)

// What names a package, and nothing else: no option, no file and no address. With a - at its
// end apt would take a package away.
var (
	aptForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9-]*[a-z0-9])?(=[A-Za-z0-9.+~:-]+)?$`)
	pipForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9._,-]+\])?((===?|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!_-]+(,(==|>=|<=|~=|!=|<|>)[A-Za-z0-9.*+!_-]+)*)?$`)
	npmForm = regexp.MustCompile(`^(@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*(@[A-Za-z0-9^~<>=*+_][A-Za-z0-9.^~<>=*+_-]*)?$`)
	envForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// Decode reads a file, strictly: unknown and doubled fields, anchors, aliases, tags and
// further documents are errors.
func Decode(text []byte) (_ *Recipe, err error) {
	// go-yaml 1.19.2 dereferences nil on some tags: a bad file is an error, not a crash.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not valid YAML: %v", r)
		}
	}()
	switch {
	case len(text) > fileMax:
		return nil, fmt.Errorf("the file has more than %d bytes", fileMax)
	case !utf8.Valid(text):
		return nil, errors.New("the file is not UTF-8 text")
	}
	for _, t := range lexer.Tokenize(string(text)) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType:
			return nil, fmt.Errorf("line %d: %q: anchors, aliases and tags are not read here; write it out", t.Position.Line, t.Value)
		}
	}
	var r Recipe
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	switch err := d.Decode(&r); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("base: missing; name the image to begin with")
	case err != nil:
		return nil, errors.New(yaml.FormatError(err, false, true))
	}
	if err := d.Decode(&Recipe{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document in the file; keep one")
	}
	return &r, r.check()
}

func (r *Recipe) check() error {
	if r.Base == "" {
		return errors.New("base: missing; name the image to begin with")
	}
	for _, list := range []struct {
		field string
		words []string
		form  *regexp.Regexp
		want  string
	}{
		{"packages.apt", r.Packages.APT, aptForm, "NAME or NAME=VERSION"},
		{"packages.pip", r.Packages.Pip, pipForm, "NAME, NAME==VERSION or another bound of versions"},
		{"packages.npm", r.Packages.NPM, npmForm, "NAME or NAME@VERSION"},
	} {
		if len(list.words) > wordsMax {
			return fmt.Errorf("%s: %d given, at most %d are allowed", list.field, len(list.words), wordsMax)
		}
		for i, w := range list.words {
			if len(w) > 200 || !list.form.MatchString(w) {
				return fmt.Errorf("%s[%d]: %.200q given; %s is wanted: addresses, files and options are not taken", list.field, i, w, list.want)
			}
		}
	}
	if len(r.Steps) > wordsMax {
		return fmt.Errorf("steps: %d given, at most %d are allowed", len(r.Steps), wordsMax)
	}
	for i, s := range r.Steps {
		if strings.TrimSpace(s) == "" || len(s) > stepMax || strings.ContainsRune(s, 0) {
			return fmt.Errorf("steps[%d]: %.60q given; a command of the shell of at most %d bytes is wanted", i, s, stepMax)
		}
	}
	for name, value := range r.Env {
		if !envForm.MatchString(name) || strings.ContainsAny(value, "\x00\n") {
			return fmt.Errorf("env: %.100q given; NAME: value is wanted, on one line", name+": "+value)
		}
	}
	if len(r.phases()) == 0 {
		return errors.New("packages, steps: neither is given, so the image would be its base; give one of them")
	}
	return nil
}

// variables are those of the image, in order of their names.
func (r *Recipe) variables() []string {
	out := []string{}
	for name, value := range r.Env {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}
