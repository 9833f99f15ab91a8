package e2e

import (
	"testing"

	"cordon/internal/testkit"
)

// What makes steps fail on purpose is not in the program that is shipped. That
// such a build is told from it is a test of the sandbox's.
func TestShippedHasNoFailpoints(t *testing.T) {
	for name, there := range testkit.Failpoints(t, testkit.Binary(t)) {
		if there {
			t.Errorf("the program has %q", name)
		}
	}
}
