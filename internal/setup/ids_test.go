package setup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseRanges(t *testing.T) {
	for text, want := range map[string][]subRange{
		"":                                    nil,
		"a:100000:65536\n":                    {{"a", 100000, 65536}},
		"a:100000:65536":                      {{"a", 100000, 65536}},
		"a:1:2\n\n# c\nb:3:4\n":               {{"a", 1, 2}, {"b", 3, 4}},
		"1000:5:6\n":                          {{"1000", 5, 6}},
		"a:1\nb:x:2\nc:1:-2\nd:1:2:3\n":       nil,
		"a:4294967295:1\nb:4294967296:1\n":    {{"a", 4294967295, 1}},
		" a:1:2 \n":                           {{"a", 1, 2}},
		"a:100000:65536\na:300000:1000\nb:::": {{"a", 100000, 65536}, {"a", 300000, 1000}},
	} {
		if got := parseRanges(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

// The new range is the same in both files and behind every other in either.
func TestFreeSpan(t *testing.T) {
	for name, c := range map[string]struct{ uids, gids, want string }{
		"nothing":                {"", "", "100000-165535"},
		"one behind the other":   {"a:100000:65536\nb:165536:65536\n", "a:100000:65536\n", "231072-296607"},
		"more groups than users": {"a:100000:65536\n", "a:100000:65536\nb:900000:100\n", "900100-965635"},
		"not in order":           {"b:500000:65536\na:100000:65536\n", "", "565536-631071"},
		"below the usual start":  {"a:1000:10\n", "a:1000:10\n", "100000-165535"},
		"across the usual start": {"a:99999:2\n", "", "100001-165536"},
		"the last that fits":     {"a:4294901757:1\n", "", "4294901758-4294967293"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.put("etc/subuid", c.uids)
			m.put("etc/subgid", c.gids)
			m.must(Options{})
			want := fmt.Sprintf("usermod --add-subuids %s --add-subgids %s cordon", c.want, c.want)
			if !slices.Contains(m.commands, want) {
				t.Errorf("ran %q, want %q", m.commands, want)
			}
			out := m.must(Options{})
			if !strings.Contains(out, "kept         "+idsWhat) {
				t.Errorf("the range is not found again:\n%s", out)
			}
		})
	}
}

func TestNoFreeIDs(t *testing.T) {
	for _, last := range []string{"a:4294901758:1\n", "a:4294901759:65536\n", "a:100000:4294867295\n"} {
		m := newMachine(t)
		m.put("etc/subgid", last)
		_, err := m.setup(Options{})
		if err == nil || !strings.Contains(err.Error(), "/etc/subuid and /etc/subgid") || !strings.Contains(err.Error(), "65536") {
			t.Errorf("%q: %v", last, err)
		}
		if strings.Contains(m.get("etc/cordon/setup.json"), `"ids"`) {
			t.Errorf("%q: ids are recorded and were not given", last)
		}
	}
}

// A range counts when it is large enough, in both files.
func TestOwned(t *testing.T) {
	for name, c := range map[string]struct {
		uids, gids string
		kept       bool
	}{
		"enough in both": {"cordon:200000:65536\n", "cordon:300000:70000\n", true},
		"only users":     {"cordon:200000:65536\n", "", false},
		"only groups":    {"", "cordon:200000:65536\n", false},
		"too few":        {"cordon:200000:65535\n", "cordon:200000:65536\n", false},
		"in two pieces":  {"cordon:200000:40000\ncordon:240000:40000\n", "cordon:200000:65536\n", false},
		"another's":      {"cordonx:200000:65536\n", "cordonx:200000:65536\n", false},
	} {
		m := newMachine(t)
		m.put("etc/passwd", basePasswd+m.user("cordon", "/srv"))
		m.put("etc/subuid", c.uids)
		m.put("etc/subgid", c.gids)
		out := m.must(Options{})
		if kept := strings.Contains(out, "kept         "+idsWhat); kept != c.kept || (len(m.commands) == 0) != c.kept {
			t.Errorf("%s: ran %q\n%s", name, m.commands, out)
		}
	}
}

func FuzzParseRanges(f *testing.F) {
	f.Add("a:100000:65536\nb:165536:65536\n")
	f.Add("a:4294967295:4294967295")
	f.Fuzz(func(t *testing.T, text string) {
		all := parseRanges(text)
		for _, r := range all {
			if strings.ContainsAny(r.owner, ":\n") || r.first > 1<<32-1 || r.size > 1<<32-1 {
				t.Errorf("%q: %+v", text, r)
			}
		}
		first, err := freeRange(all)
		if err != nil {
			return
		}
		if first < firstRange || first+RangeSize > 1<<32-2 {
			t.Errorf("%q: %d is no place for %d ids", text, first, RangeSize)
		}
		for _, r := range all {
			if r.first+r.size > first {
				t.Errorf("%q: %d is within %+v", text, first, r)
			}
		}
	})
}
