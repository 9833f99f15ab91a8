package languages

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Root is another root than the machine's own: that of an image, in which a job's tools
// are looked for by their names. Nothing of it is run to find out.
type Root struct {
	ID   string   // the same for the same content
	Path []string // in which the job finds its programs
	Look func(do func(Files) error) error
}

// Files looks names up in a root, through its links.
type Files interface {
	Stat(name string) (fs.FileMode, error)
	Names(dir string) ([]string, error)
}

// mostRoots is how many findings are kept.
const mostRoots = 4096

// PlanOn is Plan on another root. What a version is made of is known there by the tool's
// name alone: python3.11 is one, python3 might be anything.
func (s *Set) PlanOn(name string, root *Root) (Plan, error) {
	if root == nil {
		return s.Plan(name)
	}
	l := s.byName[strings.ToLower(name)]
	if l == nil {
		return Plan{}, fmt.Errorf("%w %q; known: %s", ErrUnknown, name, strings.Join(s.ids(), ", "))
	}
	found, err := s.findOn(l, root)
	if err != nil {
		return Plan{}, err
	}
	if !found.ok {
		return Plan{}, fmt.Errorf("%w: %s: %s", ErrMissing, l.ID, found.missing)
	}
	p := Plan{ID: l.ID, SourceFile: l.Source, Run: found.command(l.Run.Command), language: l, found: found, exists: root.exists}
	if l.Build != nil {
		p.Build = found.command(l.Build.Command)
	}
	return p, nil
}

func (s *Set) findOn(l *language, root *Root) (finding, error) {
	key := fmt.Sprintf("%s %q %s", root.ID, root.Path, l.ID)
	s.mu.RLock()
	found, known := s.onRoots[key]
	s.mu.RUnlock()
	if known {
		return found, nil
	}
	err := root.Look(func(files Files) error {
		found = l.findIn(files, root.Path)
		return nil
	})
	if err != nil {
		return finding{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onRoots == nil || len(s.onRoots) >= mostRoots {
		s.onRoots = map[string]finding{}
	}
	s.onRoots[key] = found
	return found, nil
}

// findIn looks for the tools of a language.
func (l *language) findIn(files Files, dirs []string) finding {
	out := finding{ok: true, tools: map[string]string{}}
	for _, t := range l.Tools {
		name := t.in(files, dirs, l.wanted)
		if name == "" {
			return finding{missing: fmt.Sprintf("%s: not in the image, in %s (Debian package: %s)", strings.Join(t.names(), " or "), strings.Join(dirs, ":"), t.Package)}
		}
		out.tools[t.Name] = name
	}
	return out
}

// in is the name by which the tool is there, "" where it is not.
func (t tool) in(files Files, dirs []string, version string) string {
	for _, name := range t.names() {
		if t.only && version != "" && !strings.Contains(name, version) {
			continue
		}
		candidates := []string{}
		if path.IsAbs(name) {
			candidates = glob(files, "/", strings.Split(name[1:], "/"))
		} else {
			for _, dir := range dirs {
				candidates = append(candidates, path.Join("/", dir, name))
			}
		}
		for _, c := range candidates {
			if mode, err := files.Stat(c); err == nil && mode.IsRegular() && mode&0o111 != 0 {
				if path.IsAbs(name) {
					return c
				}
				return name
			}
		}
	}
	return ""
}

// glob finds what a pattern names.
func glob(files Files, dir string, parts []string) []string {
	if len(parts) == 0 {
		return []string{dir}
	}
	if !strings.ContainsAny(parts[0], `*?[\`) {
		return glob(files, path.Join(dir, parts[0]), parts[1:])
	}
	names, err := files.Names(dir)
	if err != nil {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if ok, _ := path.Match(parts[0], name); ok { // patterns were checked when the file was decoded
			out = append(out, glob(files, path.Join(dir, name), parts[1:])...)
		}
	}
	return out
}

func (r *Root) exists(name string) bool {
	there := false
	err := r.Look(func(files Files) error {
		_, err := files.Stat(name)
		there = err == nil
		return nil
	})
	return err == nil && there
}
