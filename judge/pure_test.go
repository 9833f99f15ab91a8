package judge

import (
	"testing"

	"cordon/internal/testkit"
)

// None of these reads a file, starts a process or makes a kernel call for its caller.
func TestPure(t *testing.T) {
	testkit.Pure(t, 8, "bytes", "fmt", "hash/maphash", "math", "math/big", "slices", "strconv", "strings", "unicode", "unicode/utf8")
}
