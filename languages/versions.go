package languages

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// version is a further language that is built and run as the one in whose file it
// stands, but for other tools or a few other words.
type version struct {
	ID      string   `yaml:"id"`
	Name    string   `yaml:"name"`
	Aliases []string `yaml:"aliases"`
	// Version is what the tool must say that it is: 3.11 for 3.11.2 as well. A tool
	// of the right name with another version does not count.
	Version string `yaml:"version"`
	// Since is the first version of the tool that knows the words.
	Since string `yaml:"since"`
	// Tools take the places of those with the same name in the file. Only the names
	// and paths under any are looked for.
	Tools []tool `yaml:"tools"`
	// Words take the places of whole words in both commands and their options.
	Words   map[string]string `yaml:"words"`
	Minimum *minimum          `yaml:"minimum"` // where it is another
}

// minimum is what the smallest program was measured to need.
type minimum struct {
	Build *Need `yaml:"build"`
	Run   *Need `yaml:"run"`
}

// Need is the smallest limits under which a step was seen to work.
type Need struct {
	MemoryMiB int64 `yaml:"memory_mib"`
	Pids      int64 `yaml:"pids"`
}

func (m *minimum) check(field string, build bool) error {
	switch {
	case m == nil:
		return nil
	case m.Run == nil:
		return wrong(field+".run", "missing; give memory_mib and pids")
	case build && m.Build == nil:
		return wrong(field+".build", "missing; the language has a build step: give memory_mib and pids")
	case !build && m.Build != nil:
		return wrong(field+".build", "given, but the language has no build step")
	}
	for name, n := range map[string]*Need{"build": m.Build, "run": m.Run} {
		if n != nil && (n.MemoryMiB < 1 || n.Pids < 1) {
			return wrong(field+"."+name, "memory_mib %d and pids %d given, both are at least 1", n.MemoryMiB, n.Pids)
		}
	}
	return nil
}

// expand returns the language and its versions, each as a language of its own.
// The names of the language mean the version that default names, if it does.
func (l *language) expand() ([]*language, error) {
	first := *l
	first.Versions, first.Default = nil, ""
	all := []*language{&first}
	for i, v := range l.Versions {
		made, err := l.with(v)
		if err == nil {
			err = made.check()
		}
		if err != nil {
			return nil, within(at("versions", i), err)
		}
		all = append(all, made)
	}
	if len(l.Versions) > 0 {
		first.Family = l.ID
	}
	if l.Default == "" {
		return all, nil
	}
	i := slices.IndexFunc(all[1:], func(v *language) bool { return v.ID == l.Default })
	if i < 0 {
		return nil, wrong("default", "%q is not the id of one of the versions", l.Default)
	}
	chosen := all[1+i]
	first.Default = chosen.ID
	first.Tools, first.Build, first.Run, first.Minimum = chosen.Tools, chosen.Build, chosen.Run, chosen.Minimum
	first.wanted, first.since = chosen.wanted, chosen.since
	return all, nil
}

// with is the language as this version has it.
func (l *language) with(v version) (*language, error) {
	switch {
	case l.Family != "":
		return nil, wrong("id", "%q is a version of %q, which is itself one of the family %q; a version has no versions", v.ID, l.ID, l.Family)
	case len(v.Tools) == 0 && len(v.Words) == 0:
		return nil, wrong("tools", "neither tools nor words given: %q would differ from %q in nothing", v.ID, l.ID)
	case v.Version != "" && l.Version == nil:
		return nil, wrong("version", "%q is wanted of a language that has no version command", v.Version)
	case v.Since != "" && (l.Version == nil || !versionPattern.MatchString(v.Since)):
		return nil, wrong("since", "%q is not a version such as 1.85, or the language has no version command", v.Since)
	}
	made := *l
	made.ID, made.Name, made.Aliases, made.Family = v.ID, v.Name, v.Aliases, l.ID
	made.wanted, made.since = v.Version, v.Since
	made.Versions, made.Default = nil, ""
	if v.Minimum != nil {
		made.Minimum = v.Minimum
	}
	made.Tools = slices.Clone(l.Tools)
	for i, t := range v.Tools {
		j := slices.IndexFunc(made.Tools, func(o tool) bool { return o.Name == t.Name })
		switch {
		case j < 0:
			return nil, wrong(at("tools", i)+".name", "%q is not a tool of %q", t.Name, l.ID)
		case len(t.Any) == 0:
			return nil, wrong(at("tools", i), "any: empty; give the names or paths of this version's %s", t.Name)
		}
		t.only = true
		made.Tools[j] = t
	}
	unused := maps.Clone(v.Words)
	made.Build, made.Run = l.Build.with(v.Words, unused), l.Run.with(v.Words, unused)
	if len(unused) > 0 {
		left := slices.Collect(maps.Keys(unused))
		sort.Strings(left)
		return nil, wrong("words", "no word of the commands of %q is %q", l.ID, strings.Join(left, ", "))
	}
	return &made, nil
}

// with is the step with other words; those that were found are taken from unused.
func (s *step) with(words, unused map[string]string) *step {
	if s == nil {
		return nil
	}
	change := func(list []string) []string {
		list = slices.Clone(list)
		for i, word := range list {
			if other, ok := words[word]; ok {
				list[i] = other
				delete(unused, word)
			}
		}
		return list
	}
	return &step{Command: change(s.Command), Options: change(s.Options), Env: s.Env}
}

// checkFamilies: each family has its own language, which is in no other family.
func (s *Set) checkFamilies() error {
	for _, l := range s.languages {
		if l.Family == "" || l.Family == l.ID {
			continue
		}
		head := s.byName[l.Family]
		if head == nil || head.ID != l.Family || head.Family != "" && head.Family != head.ID {
			return fmt.Errorf("languages: %s: family: %q given, wanted is the id of a language that is in no other family", l.file, l.Family)
		}
		head.Family = head.ID
	}
	return nil
}

// fits tells why a tool of this version is not the one that is meant, "" if it is.
func (l *language) fits(version string) string {
	switch {
	case l.wanted != "" && version != l.wanted && !strings.HasPrefix(version, l.wanted+"."):
		return "wanted is " + l.wanted
	case l.since != "" && older(version, l.since):
		return "wanted is at least " + l.since
	}
	return ""
}

// older compares versions number by number.
func older(version, than string) bool {
	numbers := func(s string) []int {
		var all []int
		for _, word := range strings.Split(s, ".") {
			n, _ := strconv.Atoi(word) // versionPattern matched, or else 0 is the oldest
			all = append(all, n)
		}
		return all
	}
	return slices.Compare(numbers(version), numbers(than)) < 0
}
