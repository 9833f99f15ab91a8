package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMatchEffort: what patterns may cost is bounded, whatever the names are.
func TestMatchEffort(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.png", "b.png", strings.Repeat("a", 250)} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	work, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer work.Close()
	m := &matcher{work: work, effort: 100_000}
	if names, err := m.match("*.png"); err != nil || !slices.Equal(names, []string{"a.png", "b.png"}) {
		t.Errorf("%v, %v", names, err)
	}
	hostile := "*" + strings.Repeat("[a]", 200) + "b"
	if _, err := m.match(hostile); !errors.Is(err, errEffort) {
		t.Errorf("a pattern of %d bytes over a name of 250: %v", len(hostile), err)
	}
	if names, err := m.match("plain"); err != nil || len(names) != 1 {
		t.Errorf("a plain name costs nothing: %v, %v", names, err)
	}
}
