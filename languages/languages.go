// Package languages knows how a source text in a language becomes a running
// program: file name, build command, run command, and the settings that make a
// runtime respect the limits of its job. Each language is a data file below
// data/; adding one needs no code.
package languages

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// Errors of Plan. The text names what was asked, what exists and what to do.
var (
	ErrUnknown = errors.New("unknown language")
	ErrMissing = errors.New("language not installed")
)

//go:embed data/*.yaml
var data embed.FS

// Set holds every language of the data files and, after Detect, which of them
// this machine offers. It is safe for concurrent use.
type Set struct {
	languages []*language          // ordered by id
	byName    map[string]*language // id and aliases

	detect   sync.Mutex // held while Detect runs
	detected bool

	mu      sync.RWMutex       // guards what follows
	found   map[string]finding // by id, filled by Detect
	goCache string             // set by UseGoCache
}

// Load reads the embedded data files.
func Load() (*Set, error) {
	return load(data, "data")
}

func load(fsys fs.FS, dir string) (*Set, error) {
	names, err := fs.Glob(fsys, dir+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("languages: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("languages: no data file in %s", dir)
	}
	s := &Set{byName: map[string]*language{}, found: map[string]finding{}}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("languages: %w", err)
		}
		l, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("languages: %s: %w", name, err)
		}
		if want := dir + "/" + l.ID + ".yaml"; name != want {
			return nil, fmt.Errorf("languages: %s: id is %q, so the file must be %s", name, l.ID, want)
		}
		if err := s.add(l); err != nil {
			return nil, fmt.Errorf("languages: %s: %w", name, err)
		}
	}
	slices.SortFunc(s.languages, func(a, b *language) int { return strings.Compare(a.ID, b.ID) })
	return s, nil
}

func (s *Set) add(l *language) error {
	for _, name := range append([]string{l.ID}, l.Aliases...) {
		if other := s.byName[name]; other != nil {
			return fmt.Errorf("%q is already a name of %s", name, other.ID)
		}
		s.byName[name] = l
	}
	s.languages = append(s.languages, l)
	return nil
}

// Info is one row of the list of languages.
type Info struct {
	ID         string
	Name       string
	Aliases    []string
	Version    string // "" when missing, or when the tool cannot tell
	Status     string // StatusOK or StatusMissing
	Missing    string // what is missing and how to get it; "" when ok
	SourceFile string
	Build      []string // empty: no build step
	Run        []string
}

// The values of Info.Status.
const (
	StatusOK      = "ok"
	StatusMissing = "missing"
)

// List describes every language, ordered by id. Before Detect has run, each one
// is missing.
func (s *Set) List() []Info {
	s.mu.RLock()
	defer s.mu.RUnlock()
	infos := make([]Info, 0, len(s.languages))
	for _, l := range s.languages {
		f := s.found[l.ID]
		info := Info{
			ID: l.ID, Name: l.Name, Aliases: slices.Clone(l.Aliases), SourceFile: l.Source,
			Version: f.version, Status: StatusOK, Run: f.command(l.Run.Command),
		}
		if l.Build != nil {
			info.Build = f.command(l.Build.Command)
		}
		if !f.ok {
			info.Status, info.Missing = StatusMissing, f.missing
			if info.Missing == "" {
				info.Missing = "the machine has not been searched yet"
			}
		}
		infos = append(infos, info)
	}
	return infos
}

// Plan returns how to build and run a program of the language with this id or
// alias. The error is ErrUnknown or ErrMissing.
func (s *Set) Plan(name string) (Plan, error) {
	l := s.byName[strings.ToLower(name)]
	if l == nil {
		return Plan{}, fmt.Errorf("%w %q; known: %s", ErrUnknown, name, strings.Join(s.ids(), ", "))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	f := s.found[l.ID]
	if !f.ok {
		why := f.missing
		if why == "" {
			why = "the machine has not been searched yet"
		}
		return Plan{}, fmt.Errorf("%w: %s: %s", ErrMissing, l.ID, why)
	}
	p := Plan{ID: l.ID, SourceFile: l.Source, Run: f.command(l.Run.Command), language: l, found: f}
	if l.Build != nil {
		p.Build = f.command(l.Build.Command)
	}
	if l.ID == goID {
		p.cache = s.goCache
	}
	return p, nil
}

func (s *Set) ids() []string {
	ids := make([]string, 0, len(s.languages))
	for _, l := range s.languages {
		ids = append(ids, l.ID)
	}
	return ids
}
