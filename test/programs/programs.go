// Package programs holds real programs in many languages and what is to be
// expected of each when it runs as a job: the table of the end-to-end suite.
package programs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed programs.yaml testdata
var files embed.FS

// LanguagesVar names the environment variable that replaces the default choice
// of languages: ids with commas between them, or "all".
const LanguagesVar = "CORDON_TEST_LANGUAGES"

// Program is one source text, the limits it runs under and what must come of it.
type Program struct {
	Language string
	Case     string
	Source   string
	Stdin    string
	Limits   map[string]int64  // as in a request: "cpu_ms"
	Outputs  map[string]string // file → content
	Expect   Expect
}

// Expect is what must come of a program. Zero fields are not looked at.
type Expect struct {
	Verdict         string `yaml:"verdict"`
	ExitCode        *int   `yaml:"exit_code"`
	Signal          string `yaml:"signal"`
	Stdout          string `yaml:"stdout"`     // pattern
	Stderr          string `yaml:"stderr"`     // pattern
	Diagnostic      string `yaml:"diagnostic"` // pattern in the build's stdout or stderr
	StdoutTruncated bool   `yaml:"stdout_truncated"`
	PidsHit         bool   `yaml:"pids_hit"` // a process or thread was refused
	CPUMinMillis    int64  `yaml:"cpu_min_ms"`
	MemoryMinMiB    int64  `yaml:"memory_min_mib"`
	MemoryMaxMiB    int64  `yaml:"memory_max_mib"`
}

type table struct {
	Stdin     string     `yaml:"stdin"`
	Cases     []caseRow  `yaml:"cases"`
	Languages []language `yaml:"languages"`
}

type caseRow struct {
	Name    string            `yaml:"name"`
	Limits  map[string]int64  `yaml:"limits"`
	Outputs map[string]string `yaml:"outputs"`
	Expect  Expect            `yaml:"expect"`
}

type language struct {
	ID        string                      `yaml:"id"`
	Extension string                      `yaml:"extension"`
	Extra     bool                        `yaml:"extra"`
	Override  map[string]Expect           `yaml:"override"`
	Limits    map[string]map[string]int64 `yaml:"limits"`   // by case
	Versions  map[string]string           `yaml:"versions"` // id → what the version's program prints, a pattern
}

// Load returns every program of the languages chosen, and those languages. The
// choice is what the environment variable says, else every language that is
// not marked as extra.
func Load() ([]Program, []string, error) {
	t, err := decode()
	if err != nil {
		return nil, nil, err
	}
	chosen, err := t.choose(os.Getenv(LanguagesVar))
	if err != nil {
		return nil, nil, err
	}
	var all []Program
	var ids []string
	for _, l := range chosen {
		programs, err := t.programs(l)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, programs...)
		ids = append(ids, l.ID)
	}
	return all, ids, nil
}

// Version is one version of a language and how a program sees which one it is.
type Version struct {
	Family, ID string
	Source     string // prints the version
	Stdout     string // pattern of what it prints
	Hello      Program
}

// Versions returns the versions of the languages chosen.
func Versions() ([]Version, error) {
	t, err := decode()
	if err != nil {
		return nil, err
	}
	chosen, err := t.choose(os.Getenv(LanguagesVar))
	if err != nil {
		return nil, err
	}
	var all []Version
	for _, l := range chosen {
		if len(l.Versions) == 0 {
			continue
		}
		source, err := files.ReadFile("testdata/" + l.ID + "/version." + l.Extension)
		if err != nil {
			return nil, err
		}
		hello, err := t.hello(l)
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(l.Versions)) {
			p := hello
			p.Language = id
			all = append(all, Version{Family: l.ID, ID: id, Source: string(source), Stdout: l.Versions[id], Hello: p})
		}
	}
	return all, nil
}

// Hello returns the smallest program of every language that has one, chosen or
// not, by id; versions have that of their family.
func Hello() (map[string]Program, error) {
	t, err := decode()
	if err != nil {
		return nil, err
	}
	all := map[string]Program{}
	for _, l := range t.Languages {
		hello, err := t.hello(l)
		if err != nil {
			return nil, err
		}
		for _, id := range append(slices.Collect(maps.Keys(l.Versions)), l.ID) {
			p := hello
			p.Language = id
			all[id] = p
		}
	}
	return all, nil
}

func (t *table) hello(l language) (Program, error) {
	programs, err := t.programs(l)
	if err != nil {
		return Program{}, err
	}
	i := slices.IndexFunc(programs, func(p Program) bool { return p.Case == "hello" })
	if i < 0 {
		return Program{}, fmt.Errorf("testdata/%s: no program hello", l.ID)
	}
	return programs[i], nil
}

func decode() (*table, error) {
	text, err := files.ReadFile("programs.yaml")
	if err != nil {
		return nil, err
	}
	var t table
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&t); err != nil {
		return nil, fmt.Errorf("programs.yaml: %w", err)
	}
	for _, l := range t.Languages {
		for name := range l.Override {
			if !t.has(name) {
				return nil, fmt.Errorf("programs.yaml: %s.override: no case %q", l.ID, name)
			}
		}
		for name := range l.Limits {
			if !t.has(name) {
				return nil, fmt.Errorf("programs.yaml: %s.limits: no case %q", l.ID, name)
			}
		}
	}
	return &t, nil
}

func (t *table) has(name string) bool {
	return slices.ContainsFunc(t.Cases, func(c caseRow) bool { return c.Name == name })
}

func (t *table) choose(list string) ([]language, error) {
	var chosen []language
	switch list {
	case "":
		for _, l := range t.Languages {
			if !l.Extra {
				chosen = append(chosen, l)
			}
		}
	case "all":
		chosen = t.Languages
	default:
		for _, id := range strings.Split(list, ",") {
			i := slices.IndexFunc(t.Languages, func(l language) bool { return l.ID == strings.TrimSpace(id) })
			if i < 0 {
				return nil, fmt.Errorf("%s: no language %q in programs.yaml", LanguagesVar, id)
			}
			chosen = append(chosen, t.Languages[i])
		}
	}
	return chosen, nil
}

func (t *table) programs(l language) ([]Program, error) {
	var out []Program
	for _, c := range t.Cases {
		name := "testdata/" + l.ID + "/" + c.Name + "." + l.Extension
		source, err := files.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p := Program{
			Language: l.ID, Case: c.Name, Source: string(source), Stdin: t.Stdin,
			Limits: c.Limits, Outputs: c.Outputs, Expect: merge(c.Expect, l.Override[c.Name]),
		}
		if own := l.Limits[c.Name]; own != nil {
			p.Limits = own
		}
		if err := p.Expect.check(); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", l.ID, c.Name, err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no program in testdata/%s", l.ID)
	}
	return out, nil
}

// merge lays the fields that over sets on top of base. Another verdict brings
// its own exit code and signal: those of base do not hold then.
func merge(base, over Expect) Expect {
	if over.Verdict != "" && over.Verdict != base.Verdict {
		base.Verdict, base.ExitCode, base.Signal = over.Verdict, nil, ""
	}
	if over.ExitCode != nil {
		base.ExitCode = over.ExitCode
	}
	for _, f := range []struct{ to, from *string }{
		{&base.Signal, &over.Signal}, {&base.Stdout, &over.Stdout},
		{&base.Stderr, &over.Stderr}, {&base.Diagnostic, &over.Diagnostic},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	for _, f := range []struct{ to, from *int64 }{
		{&base.CPUMinMillis, &over.CPUMinMillis},
		{&base.MemoryMinMiB, &over.MemoryMinMiB}, {&base.MemoryMaxMiB, &over.MemoryMaxMiB},
	} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	base.PidsHit = base.PidsHit || over.PidsHit
	base.StdoutTruncated = base.StdoutTruncated || over.StdoutTruncated
	return base
}

func (e Expect) check() error {
	if e.Verdict == "" {
		return errors.New("no verdict")
	}
	for _, p := range []string{e.Stdout, e.Stderr, e.Diagnostic} {
		if _, err := regexp.Compile(p); err != nil {
			return err
		}
	}
	return nil
}
