package testkit

import (
	"bytes"
	"os"
	"testing"
)

// Failpoints says of each trace of failing on purpose (build tag failpoints)
// whether a program has it. The names are put together here, so that this program
// does not have them by naming them.
func Failpoints(tb testing.TB, program string) map[string]bool {
	tb.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]bool{}
	for _, parts := range [][]string{
		{"cordon", "-failpoints: this build fails on purpose"}, // sandbox/cell/fault.c
		{"cordon/sandbox/cell.child", "Fault"},                 // sandbox/cell/faults.go
		{"cordon/sandbox.dis", "arm"},                          // sandbox/faults.go
	} {
		name := bytes.Join([][]byte{[]byte(parts[0]), []byte(parts[1])}, nil)
		out[string(name)] = bytes.Contains(text, name)
	}
	return out
}
