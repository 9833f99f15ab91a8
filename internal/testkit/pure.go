package testkit

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Pure holds the package in the working directory to the imports that it may have.
// least is how many files it has at least, so that a search which finds none fails.
func Pure(t *testing.T, least int, allowed ...string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		looked++
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if p, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(allowed, p) {
				t.Errorf("%s imports %s; this package is pure, the list is %v", name, p, allowed)
			}
		}
	}
	if looked < least {
		t.Errorf("looked at %d files only", looked)
	}
}
