package languages

import (
	"fmt"
	"slices"
	"strings"
)

// Keep leaves only the languages with these ids or aliases: the others are
// neither looked for nor offered. The name of a family keeps all its versions, that
// of a version keeps that one alone. It is called before Detect. An unknown name is
// ErrUnknown, and then nothing is changed.
func (s *Set) Keep(names []string) error {
	kept := map[*language]bool{}
	for _, name := range names {
		l := s.byName[strings.ToLower(name)]
		if l == nil {
			return fmt.Errorf("%w %q; known: %s", ErrUnknown, name, strings.Join(s.ids(), ", "))
		}
		kept[l] = true
		for _, v := range s.languages {
			if l.Family == l.ID && v.Family == l.ID {
				kept[v] = true
			}
		}
	}
	s.languages = slices.DeleteFunc(s.languages, func(l *language) bool { return !kept[l] })
	for name, l := range s.byName {
		if !kept[l] {
			delete(s.byName, name)
		}
	}
	return nil
}
