package client

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestGenerated: the types of all clients were made from the document as it is. Whether
// they are what the generators make of it is looked at by clients/generate --check.
func TestGenerated(t *testing.T) {
	document, err := os.ReadFile("../httpapi/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Appendf(nil, "From httpapi/openapi.yaml with the SHA-256 %x.", sha256.Sum256(document))
	for _, name := range []string{"types.go", "../clients/typescript/src/schema.ts", "../clients/python/cordon/models.py"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, want) {
			t.Errorf("%s was made from another httpapi/openapi.yaml; run: make clients", name)
		}
	}
}

// codesOf are the constants of the type Code in a file.
func codesOf(t *testing.T, name string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && fmt.Sprint(spec.Type) == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out[text] = true
		}
		return true
	})
	return out
}

// Each code that has a name here is one that the service gives.
func TestCodes(t *testing.T) {
	given, named := codesOf(t, "../httpapi/problem.go"), codesOf(t, "problem.go")
	for code := range named {
		if !given[code] && Code(code) != ErrNoProblemDocument {
			t.Errorf("the service gives no %s", code)
		}
	}
	if len(named) < 15 || len(given) < 20 {
		t.Errorf("%d codes of %d", len(named), len(given))
	}
}

// Where not there is something else than zero, the types can say both.
func TestAbsentIsNotZero(t *testing.T) {
	zero, empty := int64(0), ""
	body, err := jsonBody(RunRequest{Files: []FileRequest{{Path: "a", Content: &empty}}, Tests: []TestRequest{{Expect: &empty}, {}}, KeepOutputBytes: &zero})
	if err != nil {
		t.Fatal(err)
	}
	r, _, _ := body()
	var text strings.Builder
	if _, err := (r.(*bytes.Reader)).WriteTo(&text); err != nil || text.String() != `{"files":[{"content":"","path":"a"}],"keep_output_bytes":0,"tests":[{"expect":""},{}]}` {
		t.Errorf("%s %v", text.String(), err)
	}
	if (RunResult{}).ExitCode != nil || (RunResult{}).Signal != nil {
		t.Error("a program that has not ended by itself has an exit code")
	}
}
