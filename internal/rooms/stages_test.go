package rooms

import (
	"go/ast"
	"os"
	"testing"
)

// Every StageError comes from the table of steps in sandbox/steps.go, each of
// which a test makes fail (sandbox/faults_test.go, with the tag failpoints).
func TestStageErrorsComeFromSteps(t *testing.T) {
	found := 0
	for _, s := range parse(t, os.DirFS(top(t))) {
		if !in(s.room, "sandbox", "cmd", "httpapi") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || typeName(literal.Type) != "StageError" {
				return true
			}
			if found++; s.name != "sandbox/steps.go" {
				t.Errorf("%s: a StageError that is no step's: add a step", s.set.Position(n.Pos()))
			}
			return true
		})
	}
	if found != 1 {
		t.Errorf("%d StageErrors are made, want the one of sandbox/steps.go", found)
	}
}

// typeName is the name of a type without its package.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
