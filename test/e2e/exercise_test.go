package e2e

import (
	"testing"

	"cordon/test/programs"
	"cordon/test/programs/exercise"
)

// testExercise runs what every chosen language has in its standard library under
// each policy. The filter denies nothing of it, in the build as well as in the
// run: a denial that nobody meant would show as a strange failure somewhere else.
func testExercise(t *testing.T, s *service) {
	_, ids, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	all, err := exercise.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies {
		for _, id := range ids {
			t.Run(id+"/"+policy, func(t *testing.T) {
				parallel(t)
				p, ok := all[id]
				if !ok {
					t.Fatalf("no exercise; write one, and its row in exercise.yaml")
				}
				runExercise(t, s, p, policy)
			})
		}
	}
}

func runExercise(t *testing.T, s *service, p exercise.Program, policy string) {
	r := s.run(t, object{"policy": policy, "language": p.Language, "source": p.Source, "limits": p.Limits})
	if r.Build != nil {
		wantNoneDenied(t, "build", *r.Build)
	}
	wantNoneDenied(t, "run", r.step)
	r.want(t, "ok")
	if r.out(t) != p.Stdout || r.err(t) != "" {
		t.Errorf("stdout %q, stderr %q; want %q and nothing", r.out(t), r.err(t), p.Stdout)
	}
	for part, reason := range p.Without {
		t.Logf("without %s: %s", part, reason)
	}
}

// wantNoneDenied: the filter stood in nobody's way.
func wantNoneDenied(t *testing.T, name string, s step) {
	t.Helper()
	for _, d := range s.Events.DeniedSyscalls {
		t.Errorf("%s: %s was denied, %d times", name, d.Name, d.Count)
	}
}
