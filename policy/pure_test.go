package policy

import (
	"testing"

	"cordon/internal/testkit"
)

// None of these reads a file, starts a process or makes a kernel call for its caller.
func TestPure(t *testing.T) {
	testkit.Pure(t, 10, "errors", "fmt", "path", "slices", "strconv", "strings")
}
