// Package languages knows how a source text in a language becomes a running
// program: file name, build command, run command, and the settings that make a
// runtime respect the limits of its job. Each language is a data file below
// data/, or in an operator's directory; adding one needs no code.
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
	finder    finder

	detect   sync.Mutex // held while Detect runs
	detected bool

	mu      sync.RWMutex       // guards what follows
	found   map[string]finding // by id, filled by Detect
	goCache string             // set by UseGoCache
	onRoots map[string]finding // of images, see PlanOn
}

// Load reads the embedded data files, and then those of the operator's
// directories.
func Load(dirs ...string) (*Set, error) {
	s, err := load(data, "data")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := s.addDir(dir); err != nil {
			return nil, err
		}
	}
	return s, s.finish()
}

func load(fsys fs.FS, dir string) (*Set, error) {
	names, err := fs.Glob(fsys, dir+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("languages: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("languages: no data file in %s", dir)
	}
	s := &Set{byName: map[string]*language{}, found: map[string]finding{}, finder: newFinder()}
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
		if l.Replace {
			return nil, fmt.Errorf("languages: %s: replace: for an operator's file only", name)
		}
		l.file = name
		if err := s.add(l); err != nil {
			return nil, fmt.Errorf("languages: %s: %w", name, placed(text, err))
		}
	}
	return s, s.finish()
}

// finish does what can be done when every file is read.
func (s *Set) finish() error {
	slices.SortFunc(s.languages, func(a, b *language) int { return strings.Compare(a.ID, b.ID) })
	return s.checkFamilies()
}

// add takes in the language and its versions.
func (s *Set) add(file *language) error {
	all, err := file.expand()
	if err != nil {
		return err
	}
	for i, l := range all {
		prefix := ""
		if i > 0 {
			prefix = at("versions", i-1) + "."
		}
		for j, name := range append([]string{l.ID}, l.Aliases...) {
			if other := s.byName[name]; other != nil {
				field := prefix + "id"
				if j > 0 {
					field = at(prefix+"aliases", j-1)
				}
				return wrong(field, "%q is already a name of %s in %s", name, other.ID, other.file)
			}
			s.byName[name] = l
		}
		s.languages = append(s.languages, l)
	}
	return nil
}

// Info is one row of the list of languages.
type Info struct {
	ID         string
	Name       string
	Family     string // id of the language that this is a version of, or that has versions; "" when there are none
	Default    string // of a family's own language: id of the version that it means; "" for the tools of its own file
	Aliases    []string
	Version    string // "" when missing, or when the tool cannot tell
	Status     string // StatusOK or StatusMissing
	Missing    string // what is missing and how to get it; "" when ok
	SourceFile string
	Build      []string // empty: no build step
	Run        []string
	// What the smallest program was measured to need; nil without a measurement, and
	// without a build step.
	BuildMinimum, RunMinimum *Need
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
			ID: l.ID, Name: l.Name, Family: l.Family, Default: l.Default, Aliases: slices.Clone(l.Aliases), SourceFile: l.Source,
			Version: f.version, Status: StatusOK, Run: f.command(l.Run.Command),
		}
		if l.Minimum != nil {
			info.BuildMinimum, info.RunMinimum = l.Minimum.Build, l.Minimum.Run
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
	if l.ID == goID && !l.own { // the cache is made with the shipped file's tool
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
