package exercise

import (
	"io/fs"
	"testing"

	"cordon/test/programs"
)

// TestLoad: every language of the suite has an exercise, every source belongs to
// one, and most of them go through everything.
func TestLoad(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(programs.LanguagesVar, "all")
	_, ids, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, id := range ids {
		p, ok := all[id]
		if !ok {
			t.Errorf("%s has no exercise", id)
			continue
		}
		if p.Stdout == "" || p.Limits["memory_bytes"] == 0 {
			t.Errorf("%s: %+v", id, p)
		}
		if len(p.Without) == 0 {
			whole++
		}
	}
	if len(all) != len(ids) {
		t.Errorf("%d exercises of %d languages", len(all), len(ids))
	}
	sources, err := fs.ReadDir(files, "testdata")
	if err != nil || len(sources) != len(all) {
		t.Errorf("%d sources of %d exercises, %v", len(sources), len(all), err)
	}
	if whole < len(all)/2 {
		t.Errorf("only %d of %d languages go through every part", whole, len(all))
	}
}
