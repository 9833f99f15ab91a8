package languages

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxSize bounds an operator's file. The shipped ones are under 4 KiB.
const maxSize = 64 << 10

// addDir reads an operator's files: every *.yaml in dir. Other files are left
// alone, but for those that look as if they had been meant.
func (s *Set) addDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("languages: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch ext := filepath.Ext(e.Name()); {
		case strings.HasPrefix(e.Name(), "."):
			continue
		case ext == ".yml":
			return fmt.Errorf("languages: %s: call it %s.yaml", name, strings.TrimSuffix(name, ext))
		case ext != ".yaml":
			continue
		}
		if err := s.addFile(name); err != nil {
			return fmt.Errorf("languages: %s: %w", name, err)
		}
	}
	return nil
}

func (s *Set) addFile(name string) error {
	text, err := readFile(name)
	if err != nil {
		return err
	}
	l, err := decode(text)
	if err != nil {
		return err
	}
	if want := l.ID + ".yaml"; filepath.Base(name) != want {
		return fmt.Errorf("line %d: id: %q given, so the file must be called %s", max(1, lineOf(text, "id")), l.ID, want)
	}
	l.file, l.own = name, true
	if err := s.makeRoom(l); err != nil {
		return placed(text, err)
	}
	return placed(text, s.add(l))
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("larger than %d bytes", maxSize)
	}
	return text, nil
}

// makeRoom takes the shipped language with this id out, versions and all, if the
// file says that it shall be replaced.
func (s *Set) makeRoom(l *language) error {
	i := slices.IndexFunc(s.languages, func(o *language) bool { return o.ID == l.ID })
	switch {
	case i < 0 && l.Replace:
		return wrong("replace", "true given, but there is no shipped language %q; leave it out", l.ID)
	case i < 0:
		return nil
	case s.languages[i].own:
		return wrong("id", "%q is already a language of %s", l.ID, s.languages[i].file)
	case s.languages[i].Family != "" && s.languages[i].Family != l.ID:
		return wrong("id", "%q is a version in the shipped file of %q; replace that, or choose another id", l.ID, s.languages[i].Family)
	case !l.Replace:
		return wrong("id", "%q is the id of a shipped language; choose another, or say replace: true", l.ID)
	}
	gone := func(o *language) bool { return o.ID == l.ID || o.Family == l.ID && !o.own }
	s.languages = slices.DeleteFunc(s.languages, gone)
	for name, o := range s.byName {
		if gone(o) {
			delete(s.byName, name)
		}
	}
	return nil
}
