package recipe

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cordon/sandbox"
)

func TestDecode(t *testing.T) {
	r, err := Decode([]byte("base: debian:12\npackages:\n  apt: [python3, g++, 'libc6:amd64', gcc=4:12.2.0-3]\n  pip: [numpy==2.1.0, 'scipy[extra]>=1,<2', six]\n" +
		"  npm: ['@types/node@^20', lodash, 'left-pad@1.3.0']\nsteps:\n  - useradd judge\n  - |\n    echo a\n    echo b\nenv: {B: '2', A: one}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.variables(); !slices.Equal(got, []string{"A=one", "B=2"}) || len(r.phases()) != 4 || r.Steps[1] != "echo a\necho b\n" {
		t.Errorf("%q: %+v", got, r)
	}
	for text, want := range map[string]string{
		"":                                                      "base",
		"base: a":                                               "packages, steps",
		"base: a\nsteps: []":                                    "packages, steps",
		"steps: [true]":                                         "base",
		"base: a\nsteps: ['']":                                  "steps[0]",
		"base: a\nstep: [x]":                                    "unknown field",
		"base: a\nbase: b\nsteps: [x]":                          "base",
		"base: a\nsteps: [x]\n---\nbase: b\n":                   "more than one document",
		"base: &b a\nsteps: [x]":                                "anchors",
		"base: a\nsteps: !!set [x]":                             "tags",
		"base: a\npackages: {gem: [x]}":                         "unknown field",
		"base: a\npackages: {apt: [--force]}":                   "packages.apt[0]",
		"base: a\npackages: {apt: [./x.deb]}":                   "packages.apt[0]",
		"base: a\npackages: {apt: ['x; rm']}":                   "packages.apt[0]",
		"base: a\npackages: {apt: [bash-]}":                     "packages.apt[0]", // apt would take it away
		"base: a\npackages: {apt: ['bash:amd64-']}":             "packages.apt[0]",
		"base: a\npackages: {npm: [-g]}":                        "packages.npm[0]",
		"base: a\npackages: {npm: [--prefix]}":                  "packages.npm[0]",
		"base: a\npackages: {npm: [~x]}":                        "packages.npm[0]",
		"base: a\npackages: {npm: ['x@..']}":                    "packages.npm[0]",
		"base: a\npackages: {npm: ['x@.']}":                     "packages.npm[0]",
		"base: a\npackages: {pip: [six, -r]}":                   "packages.pip[1]",
		"base: a\npackages: {pip: ['git+https://x']}":           "packages.pip[0]",
		"base: a\npackages: {pip: ['a @ http://x']}":            "packages.pip[0]",
		"base: a\npackages: {npm: ['http://x/y.tgz']}":          "packages.npm[0]",
		"base: a\npackages: {npm: ['me/repo']}":                 "packages.npm[0]",
		"base: a\npackages: {npm: ['x@file:/etc']}":             "packages.npm[0]",
		"base: a\npackages: {npm: ['x@npm:y@1']}":               "packages.npm[0]",
		"base: a\npackages: {npm: [../x]}":                      "packages.npm[0]",
		"base: a\nsteps: [x]\nenv: {A-B: c}":                    "env",
		"base: a\nsteps: [x]\nenv: {A: \"b\\nc\"}":              "env",
		"base: a\nsteps: x":                                     "",
		"base: \xff":                                            "UTF-8",
		"base: a\nsteps: [x]\n#" + strings.Repeat("x", fileMax): "bytes",
	} {
		if r, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %+v, %v; want %q", text, r, err, want)
		}
	}
}

// TestKeys: what means the same has the same key, however it is written; all that makes
// another image makes another key.
func TestKeys(t *testing.T) {
	last := func(base, grant, text string) string {
		r, err := Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		k := keys(base, r.variables(), grant, r.phases())
		return k[len(k)-1]
	}
	const text = "base: a\npackages: {apt: [x1, y1], pip: [p]}\nsteps: [one, two]\nenv: {A: b, C: d}"
	first := last("base", "grant", text)
	if again := last("base", "grant", "env:\n  C: d\n  A: b\nbase: a # comment\nsteps:\n- one\n- two\npackages:\n  pip: [p]\n  apt: [y1, x1, y1]\n"); again != first {
		t.Error("the same, written otherwise, has another key")
	}
	seen := map[string]string{first: "the first"}
	for what, key := range map[string]string{
		"base": last("other", "grant", text), "policy": last("base", "other", text), "steps turned": last("base", "grant", strings.Replace(text, "one, two", "two, one", 1)),
		"env": last("base", "grant", strings.Replace(text, "A: b", "A: c", 1)), "kind": last("base", "grant", strings.Replace(text, "pip: [p]", "npm: [p]", 1)),
		"fewer": last("base", "grant", strings.Replace(text, ", y1", "", 1)),
	} {
		if before, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", what, before)
		}
		seen[key] = what
	}
	// What has the same beginning shares it.
	long, _ := Decode([]byte(text))
	short, _ := Decode([]byte("base: a\npackages: {apt: [x1, y1]}\nenv: {A: b, C: d}"))
	if a, b := keys("b", long.variables(), "g", long.phases()), keys("b", short.variables(), "g", short.phases()); len(a) != 3 || a[0] != b[0] {
		t.Errorf("%q, %q", a, b)
	}
}

// TestCleanStatus: apt sees names and versions, in plain letters, and nothing else of what
// an image says.
func TestCleanStatus(t *testing.T) {
	got, err := cleanStatus("Package: a\nStatus: install ok installed\nMaintainer: M\xc3\xbcller\nDescription: some\n \x1b[2Jlines\nDepends: b,\n c (>= 1),\n\td\nConffiles:\n /etc/a 123\n\nPackage: e\n")
	if want := "Package: a\nStatus: install ok installed\nDepends: b, c (>= 1), d\n\nPackage: e\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for _, text := range []string{"Package: a\x00b\n", "Version: \x1b[2J\n", "Depends: " + strings.Repeat("x", 70<<10) + "\n", "Package: \xff\n"} {
		if got, err := cleanStatus(text); err == nil {
			t.Errorf("%.40q came through as %.40q", text, got)
		}
	}
}

// FuzzCleanStatus: what comes through is fields that are wanted, in plain letters, and
// comes through again as it is.
func FuzzCleanStatus(f *testing.F) {
	for _, s := range []string{"Package: a\nDepends: b,\n c\n\nPackage: d\n", "\n\n", " x\n", "Package:", "Status: a\r\n\tb\r\n", "Version: 1\n .\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := cleanStatus(text)
		if err != nil {
			return
		}
		for line := range strings.Lines(got) {
			name, _, _ := strings.Cut(line, ":")
			if line != "\n" && (!wantedFields[name] || !plainValue.MatchString(strings.TrimSuffix(line, "\n"))) {
				t.Fatalf("%q came through", line)
			}
		}
		if again, err := cleanStatus(got); err != nil || strings.TrimRight(again, " \n") != strings.TrimRight(got, " \n") {
			t.Fatalf("%q, then %q, %v", got, again, err)
		}
	})
}

// FuzzDecode: no text crashes it, and what it takes has no word that could be an option,
// an address or a file.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"base: a\nsteps: [x]\n", "base: debian:12\npackages:\n  apt: [python3]\n  pip: [numpy==2]\n  npm: ['@a/b@1']\nenv: {A: b}\n", "base: !!binary x", "a: &b *b", "base: a\nsteps: |\n x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Decode(text)
		if err != nil {
			return
		}
		for _, p := range r.phases() {
			for _, w := range p.Words {
				if w == "" || p.Kind != steps && (strings.HasPrefix(w, "-") && p.Kind != npm || strings.HasPrefix(w, "--") || strings.ContainsAny(w, " \n\t;'\"\\$`:") && p.Kind != apt) {
					t.Fatalf("%s: %q", p.Kind, w)
				}
			}
		}
		if a, b := keys("b", r.variables(), "g", r.phases()), keys("b", r.variables(), "g", r.phases()); !reflect.DeepEqual(a, b) || len(a) == 0 {
			t.Fatal(a, b)
		}
	})
}

func TestPythonArguments(t *testing.T) {
	p := python{Version: "3.11.2", Implementation: "cpython", Machine: "x86_64", Libc: []string{"glibc", "2.36"}}
	args, err := p.arguments()
	for _, want := range []string{"--only-binary=:all:", "--abi=cp311", "--platform=manylinux_2_36_x86_64", "--platform=manylinux2014_x86_64", "--platform=linux_x86_64"} {
		if err != nil || !slices.Contains(args, want) {
			t.Errorf("%v: without %s: %q", err, want, args)
		}
	}
	if slices.Contains(args, "--platform=manylinux_2_37_x86_64") {
		t.Error("wheels for a newer C library than the image has")
	}
	p.Libc = []string{"", ""}
	if args, err = p.arguments(); err != nil || !slices.Contains(args, "--platform=musllinux_1_2_x86_64") || slices.Contains(args, "--platform=linux_x86_64") {
		t.Errorf("%v: %q", err, args)
	}
	for _, change := range []func(*python){func(p *python) { p.Version = "2.7.18" }, func(p *python) { p.Version = "3.11 --index-url=http://x" }, func(p *python) { p.Implementation = "pypy" },
		func(p *python) { p.Machine = "x86_64 --pre" }, func(p *python) { p.Libc = nil }} {
		q := python{Version: "3.11.2", Implementation: "cpython", Machine: "x86_64", Libc: []string{"glibc", "2.36"}}
		change(&q)
		if args, err := q.arguments(); err == nil {
			t.Errorf("%+v: %q", q, args)
		}
	}
}

// TestReadLock: only archives of a registry, each with its digest.
func TestReadLock(t *testing.T) {
	got, err := readLock([]byte(`{"packages": {"": {"name": "x"}, "node_modules/b": {"resolved": "https://r/b.tgz", "integrity": "sha512-x"}, "node_modules/a": {"resolved": "https://r/a.tgz", "integrity": "sha512-y"},
		"node_modules/c/node_modules/a": {"resolved": "https://r/a.tgz", "integrity": "sha512-y"}}}`))
	if err != nil || !slices.Equal(got, []string{"https://r/a.tgz", "https://r/b.tgz"}) {
		t.Error(got, err)
	}
	for _, p := range []string{`"resolved": "git+ssh://x/y", "integrity": "sha512-x"`, `"resolved": "https://r/a.tgz"`, `"resolved": "file:../x", "integrity": "s"`, `"resolved": "https://r/a", "integrity": "s", "link": true`,
		`"integrity": "s"`, `"resolved": "--registry=http://x", "integrity": "s"`} {
		if got, err := readLock([]byte(`{"packages": {"node_modules/a": {` + p + `}}}`)); err == nil {
			t.Errorf("%s: %q", p, got)
		}
	}
	if _, err := readLock([]byte("{")); err == nil {
		t.Error("half a document was taken")
	}
}

func TestStepAt(t *testing.T) {
	words := []string{"one", "two"}
	for data, want := range map[string]string{"2\n": `steps[1] ("two")`, "1": `steps[0] ("one")`, "3\n": "steps", "x": "steps", "": "steps"} {
		if got := stepAt(words, &sandbox.Result{Files: []sandbox.OutputFile{{Path: "step", Data: []byte(data)}}}); got != want {
			t.Errorf("%q: %s; want %s", data, got, want)
		}
	}
}

// TestTail: of much output the end, without what would move a cursor.
func TestTail(t *testing.T) {
	w := &tail{}
	if _, err := w.Write(bytes.Repeat([]byte("x"), 3*tailMax)); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("\x1b[2Jend\r\n"))
	if got := w.String(); len(got) > tailMax || !strings.HasSuffix(got, "[2Jend") || strings.ContainsAny(got, "\x1b\r") {
		t.Errorf("%d bytes, ...%q", len(got), got[len(got)-20:])
	}
}
