package rooms

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// source is one file of the programs; tests may import what they like.
type source struct {
	name    string // from the top of the tree
	room    string // its folder
	imports []string
	file    *ast.File
	set     *token.FileSet
}

// top is the folder with go.mod.
func top(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

// parse reads every Go file of a tree that is no test.
func parse(t *testing.T, tree fs.FS) []source {
	t.Helper()
	var all []source
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		s := source{name: name, room: path.Dir(name), set: token.NewFileSet()}
		if s.file, err = parser.ParseFile(s.set, name, text, parser.SkipObjectResolution); err != nil {
			return err
		}
		for _, i := range s.file.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, p)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// in says whether a room or an import is, or lies below, one of the places.
func in(name string, places ...string) bool {
	return slices.ContainsFunc(places, func(p string) bool { return name == p || strings.HasPrefix(name, p+"/") })
}

// standard: an import of the standard library has no dot in its first part, and
// is not this module. "C" is cgo.
func standard(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return !strings.Contains(first, ".") && first != module
}

const module = "cordon"

// own strips the module: "cordon/policy" is the room policy.
func own(name string) (string, bool) { return strings.CutPrefix(name, module+"/") }

func TestForbiddenImports(t *testing.T) {
	check(t, parse(t, os.DirFS(top(t))), func(s source, broken string) {
		t.Errorf("%s: %s", s.name, broken)
	})
}

// check holds every file against the rules; a rule about a room that does not
// exist is wrong itself.
func check(t *testing.T, all []source, tell func(source, string)) {
	t.Helper()
	exists := func(room string) bool {
		return slices.ContainsFunc(all, func(s source) bool { return in(s.room, room) })
	}
	for _, r := range forbidden {
		for _, room := range slices.Concat(r.rooms, r.except) {
			if !exists(room) && !in(room, "test", "internal") {
				t.Errorf("the rule %q names the room %s, which does not exist", r.reason, room)
			}
		}
	}
	for _, s := range all {
		for _, i := range s.imports {
			for _, r := range forbidden {
				if r.breaks(s.room, i) {
					tell(s, "imports "+i+": "+r.reason)
				}
			}
			for _, r := range only {
				if s.room == r.room && !r.allows(i) {
					tell(s, "imports "+i+": "+r.reason)
				}
			}
		}
	}
	for _, r := range only {
		if !slices.ContainsFunc(all, func(s source) bool { return s.room == r.room }) {
			t.Errorf("the rule %q names the room %s, which does not exist", r.reason, r.room)
		}
	}
}

// The rules see what they are there for: a file that breaks one is told of.
func TestRulesCanBreak(t *testing.T) {
	for _, r := range forbidden {
		rooms := r.rooms
		if rooms == nil {
			rooms = []string{"made-up"}
		}
		for _, room := range rooms {
			for _, i := range r.imports {
				if !r.breaks(room, i) {
					t.Errorf("%s may import %s, against the rule %q", room, i, r.reason)
				}
				if below := i + "/below"; r.breaks(room, below) == r.exact {
					t.Errorf("%s and %s: exact is %t", room, below, r.exact)
				}
			}
		}
		for _, room := range r.except {
			if r.breaks(room, r.imports[0]) {
				t.Errorf("%s is excepted and may not import %s", room, r.imports[0])
			}
		}
		if len(r.reason) < 20 {
			t.Errorf("%q is no reason", r.reason)
		}
	}
	for _, r := range only {
		for _, i := range []string{"github.com/x/y", "cordon/sandbox", "cordon/policy"} {
			if r.allows(i) {
				t.Errorf("%s may import %s", r.room, i)
			}
		}
	}
	tree := fstest.MapFS{
		"sandbox/bad.go":      {Data: []byte("package sandbox\nimport (\n\t_ \"net/http\"\n\to \"os\"\n)\nfunc f() { o.Exit(1); defer o.Exit(2) }\n")},
		"sandbox/bad_test.go": {Data: []byte("not even Go: tests are left out")},
		"x/testdata/bad.go":   {Data: []byte("nor is this")},
		"x/good.go":           {Data: []byte("package x\nimport \"os\"\ntype os2 struct{}\nfunc (os2) Exit(int) {}\nvar _ = os.Getpid\nfunc f() { var o os2; o.Exit(1) }\n")},
	}
	all := parse(t, tree)
	var told []string
	for _, s := range all {
		for _, i := range s.imports {
			for _, r := range forbidden {
				if r.breaks(s.room, i) {
					told = append(told, s.name+" "+i)
				}
			}
		}
		told = append(told, exits(s)...)
	}
	want := []string{"sandbox/bad.go net/http", "sandbox/bad.go:6:12: o.Exit", "sandbox/bad.go:6:29: o.Exit"}
	if len(all) != 2 || !slices.Equal(told, want) {
		t.Errorf("%d files, told %q, want %q", len(all), told, want)
	}
}

// Every import of another room goes in the direction of the arrows, and every
// room of the plan is in the table.
func TestArrows(t *testing.T) {
	all := parse(t, os.DirFS(top(t)))
	for _, s := range all {
		if in(s.room, "test") {
			continue // suites, not part of the program
		}
		allowed, ok := arrows[s.room]
		if !ok {
			t.Errorf("%s: the room %s is not in the table of arrows; put it there with what it may import", s.name, s.room)
			continue
		}
		for _, i := range s.imports {
			room, ok := own(i)
			if ok && !slices.Contains(allowed, room) && !slices.Contains(allowed, "*") {
				t.Errorf("%s imports %s; the arrows allow %s only %q", s.name, i, s.room, allowed)
			}
		}
	}
	for room, allowed := range arrows {
		for _, r := range append([]string{room}, allowed...) {
			if r != "*" && !slices.ContainsFunc(all, func(s source) bool { return s.room == r }) {
				t.Errorf("the arrows name the room %s, which does not exist", r)
			}
		}
	}
	for room := range arrows {
		if round := cycle(room, nil); round != nil {
			t.Errorf("the arrows go round: %s", strings.Join(round, " → "))
		}
	}
}

// cycle follows the table until it meets a room again.
func cycle(room string, way []string) []string {
	if slices.Contains(way, room) {
		return append(way, room)
	}
	for _, next := range arrows[room] {
		if found := cycle(next, append(way[:len(way):len(way)], room)); found != nil {
			return found
		}
	}
	return nil
}

// Only cmd/cordon ends the program: everywhere else an error goes up, so that
// what was made is taken down.
func TestOnlyTheCommandExits(t *testing.T) {
	seen := false
	for _, s := range parse(t, os.DirFS(top(t))) {
		for _, call := range exits(s) {
			if in(s.room, "cmd/cordon") {
				seen = true
			} else if !in(s.room, "test") { // programs of their own
				t.Errorf("%s: only cmd/cordon ends the program", call)
			}
		}
	}
	if !seen {
		t.Error("cmd/cordon does not exit anywhere: this test does not see what it looks for")
	}
}

// exits are the places that end the program, by any name the package is imported under.
func exits(s source) []string {
	names := map[string]string{}
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		name := path.Base(p)
		if i.Name != nil {
			name = i.Name.Name
		}
		names[name] = p
	}
	var out []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, e := range ending {
			if names[x.Name] == e.pkg && strings.HasPrefix(sel.Sel.Name, e.prefix) {
				out = append(out, s.set.Position(sel.Pos()).String()+": "+x.Name+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return out
}

const logrus = "github.com/sirupsen/logrus"

// ending are the functions that end a program, by package and beginning of the name.
var ending = []struct{ pkg, prefix string }{
	{"os", "Exit"}, {"syscall", "Exit"}, {"golang.org/x/sys/unix", "Exit"}, {"log", "Fatal"}, {"log", "Panic"},
	{logrus, "Fatal"}, {logrus, "Panic"}, {logrus, "Exit"},
}
