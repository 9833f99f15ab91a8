package image

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTarFormats: archives of GNU tar in each of its formats, with long names, links and
// files with holes, come to the same tree and are told again as they were.
func TestTarFormats(t *testing.T) {
	from := t.TempDir()
	long := strings.Repeat("long-name-", 12) + "/" + strings.Repeat("part-", 30)
	holes, err := os.Create(filepath.Join(from, "holes"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = holes.WriteAt([]byte("in the middle"), 1<<20)
	if err := errors.Join(err, holes.Truncate(3<<20), holes.Close(), os.MkdirAll(filepath.Join(from, filepath.Dir(long)), 0o755), os.WriteFile(filepath.Join(from, long), []byte("x"), 0o600),
		os.Symlink(long, filepath.Join(from, "s")), os.Link(filepath.Join(from, long), filepath.Join(from, "l"))); err != nil {
		t.Fatal(err)
	}
	want := listing(t, from)[1:]
	for _, format := range [][]string{{"--format=gnu"}, {"--format=gnu", "-S"}, {"--format=posix"}, {"--format=posix", "-S"}, {"--format=posix", "-S", "--sparse-version=0.0"}, {"--format=posix", "-S", "--sparse-version=0.1"}, {"--format=oldgnu", "-S"}} {
		text, err := exec.CommandContext(t.Context(), "tar", slices.Concat(format, []string{"-C", from, "-cf", "-", "."})...).Output()
		if err != nil {
			t.Fatal(err)
		}
		o := open(t, Limits{})
		a, err := o.Build(context.Background(), "-", bytes.NewReader(text), BuildOptions{Name: "x:1"})
		if err != nil {
			t.Errorf("%q: %v", format, err)
			continue
		}
		if a.Layers[0].DiffID != digestOf(text) {
			t.Errorf("%q: another digest", format)
		}
		if got := o.listed(t, a.Layers[0].DiffID)[1:]; !slices.Equal(got, want) {
			t.Errorf("%q: another tree", format)
		}
		if room := blocksOf(t, filepath.Join(o.Layers(), layerID(digestOf(text)), treeDir, "holes")); slices.Contains(format, "-S") && room > 64 {
			t.Errorf("%q: %d blocks", format, room)
		}
		o.verified(t, a.Image)
		var again bytes.Buffer
		if err := o.ExportLayout(context.Background(), Ref{Name: "x:1"}, &again); err != nil {
			t.Errorf("%q: %v", format, err)
		}
	}
}
