package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
	"cordon/test/programs"
	"cordon/test/programs/exercise"
)

// Names of the variables by which the whole table runs on an image that is there already:
// a state directory, and an image of its store.
const (
	imageStateVar = "CORDON_TEST_IMAGE_STATE"
	imageNameVar  = "CORDON_TEST_IMAGE"
)

// TestImageLanguages runs the table of languages on a Debian system that the test makes:
// of some languages, as many as there is time for, or of those that an image has that was
// made before.
func TestImageLanguages(t *testing.T) {
	state, name := os.Getenv(imageStateVar), os.Getenv(imageNameVar)
	_, ids, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	if name == "" {
		state, name, ids = filepath.Join(t.TempDir(), "state"), "some:1", []string{"c", "python", "perl"}
		t.Cleanup(func() { images(t, state, "remove", name) })
		_, told, status := images(t, state, "bootstrap", "debian", "--variant", "extract", "--include", "gcc,libc6-dev,python3,perl,dash,bash,coreutils,libc-bin,tzdata", "--name", name)
		if status != 0 && strings.Contains(told, "cannot be had from") {
			t.Skipf("no archive of Debian can be reached: %s", told)
		}
		if status != 0 {
			t.Fatal(told)
		}
	}
	d := testkit.StartDaemonIn(t, state, "--languages", strings.Join(ids, ","))
	s := newService(d.URL, d.Token)
	s.image = name
	all, _, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	more, err := exercise.Load()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("table", func(t *testing.T) { // which ends when all of it has
		for _, p := range all {
			if slices.Contains(ids, p.Language) {
				t.Run(p.Language+"/"+p.Case, func(t *testing.T) { parallel(t); runProgram(t, s, p, "judge") })
			}
		}
		for _, id := range ids {
			if p, ok := more[id]; ok {
				t.Run(id+"/exercise", func(t *testing.T) { parallel(t); runExercise(t, s, p, "judge") })
			}
		}
	})
}
