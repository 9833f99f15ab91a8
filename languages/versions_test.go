package languages

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const family = `
id: x
name: X
aliases: [ex]
source: main.x
tools: [{name: xc, package: xc}]
version: {command: [xc, -v], match: 'x (\d+\.\d+)'}
build: {command: [xc, -std=2, main.x], options: ["-j{{.CPUs}}"]}
run: {command: [./main, -fast]}
minimum: {build: {memory_mib: 9, pids: 3}, run: {memory_mib: 2, pids: 1}}
default: x-2
versions:
  - {id: x-1, name: X 1, aliases: [old], version: "1", tools: [{name: xc, any: [xc-1, ROOT/opt/x-1*/xc], package: xc-1}]}
  - {id: x-2, name: X 2, version: "2", tools: [{name: xc, any: [xc-2], package: xc-2}], minimum: {build: {memory_mib: 20, pids: 4}, run: {memory_mib: 3, pids: 1}}}
  - {id: x-3, name: X 3, version: "3", tools: [{name: xc, any: [xc-3], package: xc-3}]}
  - {id: x3, name: X of standard 3, since: "1.10", words: {-std=2: -std=3, -fast: -slow}}
  - {id: x9, name: X of standard 9, since: "9.1", words: {-std=2: -std=9}}
`

// detected is a set of one file on a machine with these tools.
func detected(t *testing.T, scripts map[string]string) *Set {
	t.Helper()
	for name, text := range scripts { // each run of a tool leaves a trace
		if !strings.HasPrefix(text, "LINK ") {
			scripts[name] = "echo >> $(/usr/bin/readlink -f $0).asked\n" + text
		}
	}
	root, f := machine(t, nil, nil)
	writeTools(t, root, scripts)
	s, err := load(fstest.MapFS{"data/x.yaml": {Data: []byte(strings.ReplaceAll(family, "ROOT", root+"/seen"))}}, "data")
	if err != nil {
		t.Fatal(err)
	}
	s.finder = f
	if err := s.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestVersions: several versions of one tool, side by side.
func TestVersions(t *testing.T) {
	s := detected(t, map[string]string{
		"seen/bin/xc":         "echo x 1.9",
		"seen/opt/x-1.5/xc":   "echo x 1.5",
		"seen/bin/xc-2":       "echo x 2.7",
		"seen/bin/xc-3":       "echo x 4.0", // not what its name says
		"seen/opt/x-2-old/xc": "echo x 2.0",
	})
	infos := map[string]Info{}
	for _, i := range s.List() {
		infos[i.ID] = i
	}
	for _, tt := range []struct {
		id, status, version, missing string
		build, run                   string
		minimum                      int64
	}{
		{"x", StatusOK, "2.7", "", "xc-2 -std=2 main.x", "./main -fast", 20}, // what default says, not what xc is
		{"x-1", StatusOK, "1.5", "", "/opt/x-1.5/xc -std=2 main.x", "./main -fast", 9},
		{"x-2", StatusOK, "2.7", "", "xc-2 -std=2 main.x", "./main -fast", 20},
		{"x-3", StatusMissing, "", "xc-3 -v says version 4.0; wanted is 3 (Debian package: xc-3)", "xc-3 -std=2 main.x", "./main -fast", 9},
		{"x3", StatusMissing, "", "xc -v says version 1.9; wanted is at least 1.10", "xc -std=3 main.x", "./main -slow", 9},
		{"x9", StatusMissing, "", "wanted is at least 9.1", "xc -std=9 main.x", "./main -fast", 9},
	} {
		i := infos[tt.id]
		if i.Status != tt.status || i.Version != tt.version || !strings.Contains(i.Missing, tt.missing) || i.Family != "x" ||
			!strings.HasSuffix(strings.Join(i.Build, " "), tt.build) || strings.Join(i.Run, " ") != tt.run || i.BuildMinimum.MemoryMiB != tt.minimum {
			t.Errorf("%s: %+v", tt.id, i)
		}
	}
	if infos["x"].Default != "x-2" || infos["x-2"].Default != "" {
		t.Errorf("default: %q, %q", infos["x"].Default, infos["x-2"].Default)
	}
	plan, err := s.Plan("old")
	if err != nil || plan.ID != "x-1" {
		t.Errorf("by alias: %+v, %v", plan, err)
	}
	if args := plan.BuildArgs(limits(64, 2, 8)); !strings.HasSuffix(args[0], "/opt/x-1.5/xc") || args[1] != "-j2" || args[2] != "-std=2" {
		t.Errorf("%q", args)
	}
}

// TestDefaultMissing: a family's name never falls back to another version.
func TestDefaultMissing(t *testing.T) {
	s := detected(t, map[string]string{"seen/bin/xc": "echo x 3.0", "seen/bin/xc-1": "echo x 1.0"})
	for _, name := range []string{"x", "ex", "x-2"} {
		if _, err := s.Plan(name); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "xc-2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"x-1", "x3"} {
		if _, err := s.Plan(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAskedOnce: versions that share a tool ask it together.
func TestAskedOnce(t *testing.T) {
	s := detected(t, map[string]string{"seen/bin/xc": "echo x 9.9", "seen/bin/xc-3": "LINK xc"})
	if x3, err := s.Plan("x3"); err != nil || x3.found.version != "9.9" {
		t.Errorf("%+v, %v", x3, err)
	}
	if _, err := s.Plan("x9"); err != nil {
		t.Error(err)
	}
	if _, err := s.Plan("x-3"); err == nil {
		t.Error("xc-3 says that it is 9.9")
	}
	if traces := asked(t, s.finder, "xc"); traces != 1 {
		t.Errorf("asked %d times", traces)
	}
}

func TestOlder(t *testing.T) {
	for _, tt := range []struct {
		version, than string
		want          bool
	}{{"1.9", "1.10", true}, {"1.10", "1.9", false}, {"1.85", "1.85", false}, {"1.85.1", "1.85", false}, {"1", "1.0", true}, {"10.2.1", "9", false}, {"17.0.1+8", "17", false}} {
		if got := older(tt.version, tt.than); got != tt.want {
			t.Errorf("older(%q, %q): %v", tt.version, tt.than, got)
		}
	}
}

func TestFamilyOfItsOwnFile(t *testing.T) {
	member := strings.NewReplacer("id: x\n", "id: x-0\nfamily: x\n", "[ex]", "[]").Replace(good)
	s, err := load(fstest.MapFS{"data/x.yaml": {Data: []byte(good)}, "data/x-0.yaml": {Data: []byte(member)}}, "data")
	if err != nil {
		t.Fatal(err)
	}
	if s.byName["x"].Family != "x" || s.byName["x-0"].Family != "x" {
		t.Errorf("%+v %+v", s.byName["x"], s.byName["x-0"])
	}
	if err := s.Keep([]string{"x"}); err != nil || !slices.Equal(s.ids(), []string{"x", "x-0"}) {
		t.Errorf("%v %v", s.ids(), err)
	}
	for _, other := range []string{"ex", "y", "x-0"} { // an alias, nobody, itself
		text := strings.Replace(member, "family: x\n", "family: "+other+"\n", 1)
		_, err := load(fstest.MapFS{"data/x.yaml": {Data: []byte(good)}, "data/x-0.yaml": {Data: []byte(text)}}, "data")
		if wrong := err == nil || !strings.Contains(err.Error(), "data/x-0.yaml: family"); wrong != (other == "x-0") {
			t.Errorf("family %s: %v", other, err)
		}
	}
}
