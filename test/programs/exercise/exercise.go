// Package exercise holds one program a language that goes through its standard
// library: threads, a child process, sockets on the own loopback, temporary
// files, locale, time zone, a large block of memory. A filter that is right for
// the language denies it nothing.
package exercise

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed exercise.yaml testdata
var files embed.FS

// Program is what one language goes through.
type Program struct {
	Language string
	Source   string
	Stdout   string            // exactly
	Without  map[string]string // part → why the language does not have it
	Limits   map[string]int64  // as in a request: "cpu_ms"
}

type table struct {
	Parts     []string         `yaml:"parts"`
	Limits    map[string]int64 `yaml:"limits"`
	Languages []struct {
		ID        string            `yaml:"id"`
		Extension string            `yaml:"extension"`
		Without   map[string]string `yaml:"without"`
	} `yaml:"languages"`
}

// Load returns every program, by language.
func Load() (map[string]Program, error) {
	text, err := files.ReadFile("exercise.yaml")
	if err != nil {
		return nil, err
	}
	var t table
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&t); err != nil {
		return nil, fmt.Errorf("exercise.yaml: %w", err)
	}
	all := map[string]Program{}
	for _, l := range t.Languages {
		for part, reason := range l.Without {
			if !slices.Contains(t.Parts, part) || reason == "" {
				return nil, fmt.Errorf("exercise.yaml: %s.without: given %q: %q, allowed are %s, each with a reason", l.ID, part, reason, strings.Join(t.Parts, ", "))
			}
		}
		source, err := files.ReadFile("testdata/" + l.ID + "." + l.Extension)
		if err != nil {
			return nil, err
		}
		p := Program{Language: l.ID, Source: string(source), Without: l.Without, Limits: t.Limits}
		for _, part := range t.Parts {
			if l.Without[part] == "" {
				p.Stdout += part + " ok\n"
			}
		}
		all[l.ID] = p
	}
	return all, nil
}
