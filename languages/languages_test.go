package languages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"

	"cordon/policy"
)

func TestLoad(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"c", "cpp", "go", "rust", "java", "javascript", "typescript", "python", "perl", "bash", "tcl"} {
		if s.byName[id] == nil {
			t.Errorf("%s: no data file", id)
		}
	}
	for alias, id := range map[string]string{"c++": "cpp", "js": "javascript", "node": "javascript", "golang": "go", "c#": "csharp"} {
		if l := s.byName[alias]; l == nil || l.ID != id {
			t.Errorf("alias %s does not lead to %s", alias, id)
		}
	}
	if l := s.byName["java"]; l.Source != "Main.java" {
		t.Errorf("java: source %s", l.Source)
	}
}

func TestKeep(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.ids())
	if err := s.Keep([]string{"c", "cobol"}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"cobol"`) || len(s.ids()) != before {
		t.Errorf("an unknown name: %v, %d of %d left", err, len(s.ids()), before)
	}
	if err := s.Keep([]string{"C++", "sh"}); err != nil || !slices.Contains(s.ids(), "cpp20") || !slices.Contains(s.ids(), "cpp-gcc-12") || slices.Contains(s.ids(), "c11") {
		t.Errorf("a family and one alone: %v, %v", err, s.ids())
	}
	if err := s.Keep([]string{"cpp20", "sh"}); err != nil || !slices.Equal(s.ids(), []string{"cpp20", "sh"}) {
		t.Errorf("a version alone: %v, %v", err, s.ids())
	}
	if err := s.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan("python"); !errors.Is(err, ErrUnknown) {
		t.Errorf("one that was not kept: %v", err)
	}
}

// The page that people read lists every language with its file name.
func TestDocumented(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/languages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range s.languages {
		row := fmt.Sprintf("| `%s` | %s | %s |", l.ID, strings.Join(l.Aliases, ", "), l.Source)
		row = strings.Replace(row, "|  |", "| |", 1)
		if l.Family != "" && l.Family != l.ID { // a version shares its row with others
			row = "`" + l.ID + "`"
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/languages.md has no row with %q", row)
		}
		checkMinimumDocumented(t, l, string(page))
	}
}

// checkMinimumDocumented: the table of the least limits says what the data file says.
func checkMinimumDocumented(t *testing.T, l *language, page string) {
	row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(l.ID) + "` \\| [^|]*\\| ((?:\\d+ MiB|–) \\| (?:\\d+|–)) \\| [^|]*\\| (\\d+ MiB \\| \\d+) \\|").FindStringSubmatch(page)
	switch {
	case l.Minimum == nil && row != nil:
		t.Errorf("%s: docs/languages.md has least limits, the data file has none", l.ID)
	case l.Minimum == nil:
	case row == nil && (l.Family == "" || l.Family == l.ID): // a version may have those of its family
		t.Errorf("%s: docs/languages.md has no row in the table of the least limits", l.ID)
	case row != nil:
		build, cells := "– | –", func(n *Need) string { return fmt.Sprintf("%d MiB | %d", n.MemoryMiB, n.Pids) }
		if l.Minimum.Build != nil {
			build = cells(l.Minimum.Build)
		}
		if run := cells(l.Minimum.Run); row[1] != build || row[2] != run {
			t.Errorf("%s: docs/languages.md has %q and %q, the data file %q and %q", l.ID, row[1], row[2], build, run)
		}
	}
}

const good = `
id: x
name: X
aliases: [ex]
source: main.x
tools: [{name: xc, package: xc}]
version: {command: [xc, -v], match: 'x (\d+)'}
build: {command: [xc, main.x]}
run: {command: [./main], options: ["-m{{.MemoryMiB 50}}"], env: ["N={{.CPUs}}"]}
`

func TestDecodeRefuses(t *testing.T) {
	if _, err := decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"unknown key", "name: X", "name: X\nnmae: Y", "nmae"},
		{"duplicate key", "name: X", "name: X\nname: Y", "name"},
		{"trailing document", "env: [\"N={{.CPUs}}\"]}", "env: []}\n---\nid: y\n", "more than one document"},
		{"wrong type", "aliases: [ex]", "aliases: {a: b}", "aliases"},
		{"id", "id: x", "id: X+", "id"},
		{"no name", "name: X", "name: \"\"", "name"},
		{"path as source", "source: main.x", "source: ../main.x", "source"},
		{"dots as source", "source: main.x", "source: \"..\"", "source"},
		{"no tool", "tools: [{name: xc, package: xc}]", "tools: []", "tools"},
		{"tool without package", "{name: xc, package: xc}", "{name: xc}", "package"},
		{"upper-case alias", "[ex]", "[EX]", "aliases"},
		{"bad pattern", `x (\d+)`, `x (\d+`, "version.match"},
		{"pattern without group", `x (\d+)`, `x \d+`, "0 groups"},
		{"empty version command", "[xc, -v]", "[]", "version.command"},
		{"empty build", "[xc, main.x]", "[]", "build.command"},
		{"empty run", "[./main]", "[]", "run.command"},
		{"env without name", `"N={{.CPUs}}"`, `"={{.CPUs}}"`, "run.env"},
		{"unknown setting", "{{.CPUs}}", "{{.Cores}}", "Cores"},
		{"open template", "{{.CPUs}}", "{{.CPUs", "run.env"},
		{"etc elsewhere", "id: x", "id: x\netc: [/root/x]", "etc"},
		{"etc that climbs", "id: x", "id: x\netc: [/etc/../root]", "etc"},
		{"minimum without run", "id: x", "id: x\nminimum: {build: {memory_mib: 1, pids: 1}}", "minimum.run"},
		{"minimum without build", "id: x", "id: x\nminimum: {run: {memory_mib: 1, pids: 1}}", "minimum.build"},
		{"minimum of nothing", "id: x", "id: x\nminimum: {build: {memory_mib: 1, pids: 1}, run: {memory_mib: 0, pids: 1}}", "minimum.run"},
		{"broken path pattern", "{name: xc, package: xc}", "{name: xc, any: ['/opt/[x'], package: xc}", "tools[0].any[0]"},
		{"default of no version", "id: x", "id: x\ndefault: y", "default"},
		{"version of nothing", "id: x", "id: x\nversions: [{id: x-1, name: X1}]", "versions[0].tools"},
		{"version without name", "id: x", "id: x\nversions: [{id: x-1, words: {main.x: main.x}}]", "versions[0].name"},
		{"version of another tool", "id: x", "id: x\nversions: [{id: x-1, name: X1, tools: [{name: y, any: [z], package: z}]}]", "versions[0].tools[0].name"},
		{"version's tool without place", "id: x", "id: x\nversions: [{id: x-1, name: X1, tools: [{name: xc, package: z}]}]", "versions[0].tools[0]"},
		{"word that is nowhere", "id: x", "id: x\nversions: [{id: x-1, name: X1, words: {nowhere: there}}]", "versions[0].words"},
		{"since what", "id: x", "id: x\nversions: [{id: x-1, name: X1, since: new, words: {main.x: y}}]", "versions[0].since"},
		{"version of a version", "id: x", "id: x\nfamily: y\nversions: [{id: x-1, name: X1, words: {main.x: y}}]", "versions[0].id"},
	} {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if text == good {
			t.Fatalf("%s: nothing replaced", tt.name)
		}
		_, err := decode([]byte(text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one that names %q", tt.name, err, tt.want)
		}
		if err != nil && tt.name != "trailing document" && !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%s: no line in %v", tt.name, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"no file", fstest.MapFS{}, "no data file"},
		{"file name", fstest.MapFS{"data/y.yaml": {Data: []byte(good)}}, "the file must be data/x.yaml"},
		{"name taken twice", fstest.MapFS{
			"data/x.yaml":  {Data: []byte(good)},
			"data/ex.yaml": {Data: []byte(strings.Replace(good, "id: x", "id: ex", 1))},
		}, "already a name"},
	} {
		if _, err := load(tt.files, "data"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	names, _ := data.ReadDir("data")
	for _, n := range names {
		text, err := data.ReadFile("data/" + n.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := decode(text)
		if err != nil {
			if l != nil || err.Error() == "" {
				t.Errorf("%q: %+v with the error %v", text, l, err)
			}
			return
		}
		// What was taken means the same when it is written and read again.
		once, err := yaml.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decode(once)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, once, err)
		}
		if twice, err := yaml.Marshal(back); err != nil || string(twice) != string(once) {
			t.Fatalf("%q became %q, and then %q: %v", text, once, twice, err)
		}
		// What was taken must give plans without a panic.
		p := Plan{language: l, found: finding{tools: map[string]string{}}}
		if len(p.RunArgs(limits(64, 1, 8))) == 0 {
			t.Error("no run command")
		}
		p.BuildArgs(limits(64, 1, 8))
		p.RunEnv(limits(64, 1, 8))
		p.BuildEnv(limits(64, 1, 8))
	})
}

func limits(memoryMiB int64, cpus float64, stackMiB int64) policy.Limits {
	return policy.Limits{MemoryBytes: memoryMiB << 20, CPUs: cpus, StackBytes: stackMiB << 20}
}

func TestPlanFollowsLimits(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range s.languages {
		s.found[l.ID] = finding{ok: true}
	}
	for _, tt := range []struct {
		id     string
		limits policy.Limits
		want   []string
		not    []string
	}{
		{"java", limits(256, 1, 8), []string{"-Xmx184m", "-XX:ActiveProcessorCount=1", "-XX:+UseSerialGC", "-Xss8192k"}, []string{"-XX:+UseParallelGC"}},
		{"java", limits(64, 1.5, 8), []string{"-Xmx32m", "-XX:ActiveProcessorCount=2", "-XX:+UseParallelGC"}, []string{"-XX:+UseSerialGC"}},
		{"java", limits(4096, 1, 2048), []string{"-Xmx4024m", "-Xss1040384k"}, nil},
		{"javascript", limits(256, 1, 8), []string{"--max-old-space-size=160", "--stack-size=6144", "--v8-pool-size=1"}, nil},
		{"javascript", limits(256, 1, 1), []string{"--stack-size=984"}, nil},
		{"go", limits(256, 0.5, 8), []string{"GOMAXPROCS=1", "GOMEMLIMIT=217MiB"}, nil},
		{"go", limits(256, 4, 8), []string{"GOMAXPROCS=4"}, nil},
		{"python", limits(256, 2, 8), []string{"OMP_NUM_THREADS=2"}, nil},
	} {
		p, err := s.Plan(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		got := append(p.RunArgs(tt.limits), p.RunEnv(tt.limits)...)
		for _, w := range tt.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: no %q in %q", tt.id, w, got)
			}
		}
		for _, n := range tt.not {
			if slices.Contains(got, n) {
				t.Errorf("%s: %q in %q", tt.id, n, got)
			}
		}
		if slices.Contains(got, "") {
			t.Errorf("%s: an empty word in %q", tt.id, got)
		}
	}
}

func TestPlanGoCache(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	s.found["go"] = finding{ok: true}
	without, _ := s.Plan("go")
	if env := without.BuildEnv(limits(256, 1, 8)); !slices.Contains(env, "GOCACHE=/tmp/go-build") || slices.Contains(env, "GODEBUG=goindex=0") {
		t.Errorf("without a cache: %q", env)
	}
	s.UseGoCache("/cache")
	with, _ := s.Plan("golang")
	if env := with.BuildEnv(limits(256, 1, 8)); !slices.Contains(env, "GOCACHE=/cache") || !slices.Contains(env, "GODEBUG=goindex=0") {
		t.Errorf("with a cache: %q", env)
	}
}

func TestPlanErrors(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan("cobol"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "python") {
		t.Errorf("unknown: %v", err)
	}
	if _, err := s.Plan("c"); !errors.Is(err, ErrMissing) {
		t.Errorf("before Detect: %v", err)
	}
	s.found["c"] = finding{missing: "gcc: not found"}
	if _, err := s.Plan("C"); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "gcc") {
		t.Errorf("missing: %v", err)
	}
}

func TestDetectHere(t *testing.T) {
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Detect(gone); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if err := s.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := s.List()
	if len(list) != len(s.languages) {
		t.Fatalf("%d of %d listed", len(list), len(s.languages))
	}
	for _, info := range list {
		if (info.Status == StatusOK) == (info.Missing != "") {
			t.Errorf("%s: %s, missing %q", info.ID, info.Status, info.Missing)
		}
		if len(info.Run) == 0 {
			t.Errorf("%s: no run command listed", info.ID)
		}
	}
	// gcc builds this module, so C must have been found.
	i := slices.IndexFunc(list, func(i Info) bool { return i.ID == "c" })
	if c := list[i]; c.Status != StatusOK || c.Version == "" || c.Build[0] == "" {
		t.Errorf("c: %+v", c)
	}
}
