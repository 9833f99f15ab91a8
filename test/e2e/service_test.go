package e2e

import (
	"testing"

	"cordon/internal/testkit"
)

// slots bounds how many jobs of the suite run at once: the figures of a job are
// worth little when four others press on two cores.
var slots = make(chan struct{}, 2)

func parallel(t *testing.T) {
	t.Parallel()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
}

// TestService starts one daemon and runs every group of tests on it.
func TestService(t *testing.T) {
	t.Parallel() // beside clients that are slow
	d := testkit.StartDaemon(t)
	s := newService(d.URL, d.Token)
	t.Run("languages", func(t *testing.T) { testLanguages(t, s) })
	t.Run("versions", func(t *testing.T) { testVersions(t, s) })
	t.Run("minimum", func(t *testing.T) { testMinimum(t, s) })
	t.Run("below_minimum", func(t *testing.T) { testBelowMinimum(t, s) })
	t.Run("exercise", func(t *testing.T) { testExercise(t, s) })
	t.Run("requests", func(t *testing.T) { testRequests(t, s) })
	t.Run("input", func(t *testing.T) { testInput(t, s) })
	t.Run("endings", func(t *testing.T) { testEndings(t, s) })
	t.Run("output", func(t *testing.T) { testOutput(t, s) })
	t.Run("files", func(t *testing.T) { testFiles(t, s) })
	t.Run("limits", func(t *testing.T) { testLimits(t, s) })
}
