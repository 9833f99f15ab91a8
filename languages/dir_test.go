package languages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dirWith makes an operator's directory.
func dirWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOperatorsLanguages(t *testing.T) {
	dir := dirWith(t, map[string]string{
		"x.yaml":        good,
		"cpp-mine.yaml": "id: cpp-mine\nname: C++ (mine)\nfamily: cpp\nsource: main.cpp\ntools: [{name: /opt/mine/g++, package: mine}]\nrun: {command: [./main]}\n",
		"python.yaml":   "id: python\nname: My Python\nreplace: true\naliases: [snake]\nsource: main.py\ntools: [{name: python9, package: python9}]\nrun: {command: [python9, main.py]}\n",
		"README":        "not a language",
		".x.yaml.swp":   "an editor's",
	})
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids := s.ids()
	if !slices.IsSorted(ids) || !slices.Contains(ids, "x") || !slices.Contains(ids, "cpp-mine") || s.byName["cpp-mine"].Family != "cpp" {
		t.Errorf("%v", ids)
	}
	if p := s.byName["snake"]; p == nil || p.Name != "My Python" || s.byName["python"] != p {
		t.Errorf("%+v", p)
	}
	for _, gone := range []string{"python-3.11", "pypy", "py"} {
		if l := s.byName[gone]; l != nil {
			t.Errorf("%s is still there: %+v", gone, l)
		}
	}
	plain, err := Load()
	if err != nil || len(plain.languages) == len(s.languages) || plain.byName["x"] != nil {
		t.Errorf("without a directory: %v, %v", plain.ids(), err)
	}
}

// TestOwnGo: the prepared cache is for the tool that made it.
func TestOwnGo(t *testing.T) {
	text, err := data.ReadFile("data/go.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Load(dirWith(t, map[string]string{"go.yaml": "replace: true\n" + string(text)}))
	if err != nil {
		t.Fatal(err)
	}
	s.UseGoCache("/cache")
	s.found["go"] = finding{ok: true}
	if p, err := s.Plan("go"); err != nil || slices.Contains(p.BuildEnv(limits(64, 1, 8)), "GOCACHE=/cache") {
		t.Errorf("%v, %v", p, err)
	}
}

func TestOperatorsMistakes(t *testing.T) {
	with := func(old, replacement string) string { return strings.Replace(good, old, replacement, 1) }
	for _, tt := range []struct {
		name, file, text string
		want             []string
	}{
		{"unknown field", "x.yaml", with("name: X", "nmae: X"), []string{"line 3", "nmae"}},
		{"doubled field", "x.yaml", with("name: X", "name: X\nname: Y"), []string{"line 4", "name"}},
		{"wrong type", "x.yaml", with("[ex]", "ex"), []string{"line 4", "aliases"}},
		{"wrong type, deep", "x.yaml", with("command: [xc, -v]", "command: {}"), []string{"line 7", "version.command"}},
		{"not YAML", "x.yaml", with("[ex]", "[ex"), []string{"line "}},
		{"template", "x.yaml", with("{{.CPUs}}", "{{.Cores}}"), []string{"line 9", "run", "Cores"}},
		{"no run", "x.yaml", with("run:", "build2:"), []string{"line 9", "build2"}},
		{"empty command", "x.yaml", with("[./main]", "[]"), []string{"line 9", "run.command"}},
		{"shipped id", "python.yaml", with("id: x", "id: python"), []string{"line 2", "id", `"python"`, "replace: true"}},
		{"version's id", "cpp20.yaml", with("id: x", "id: cpp20"), []string{"line 2", "id", `file of "cpp"`}},
		{"shipped alias", "x.yaml", with("[ex]", "[ex, golang]"), []string{"line 4", "aliases[1]", "already a name of go in data/go.yaml"}},
		{"version with a shipped id", "x.yaml", good + "versions:\n  - {id: c, name: C2, words: {main.x: y}}\n", []string{"line 11", "versions[0].id", "already a name of c"}},
		{"replaces nobody", "x.yaml", with("name: X", "name: X\nreplace: true"), []string{"line 4", "replace"}},
		{"file name", "y.yaml", good, []string{"line 2", "id", "x.yaml"}},
		{"suffix", "x.yml", good, []string{"x.yaml"}},
		{"too large", "x.yaml", good + strings.Repeat("# more\n", 10000), []string{"larger than 65536 bytes"}},
		{"empty", "x.yaml", "", []string{"line 1", "id"}},
		{"nobody's family", "x.yaml", with("name: X", "name: X\nfamily: nobody"), []string{"family", `"nobody"`}},
	} {
		dir := dirWith(t, map[string]string{tt.file: tt.text})
		_, err := Load(dir)
		if err == nil {
			t.Errorf("%s: taken", tt.name)
			continue
		}
		for _, want := range append(tt.want, filepath.Join(dir, tt.file)) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %q", tt.name, want, err)
			}
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a directory that is not there was taken")
	}
}
