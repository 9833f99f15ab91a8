package recipe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cordon/image"
	"cordon/imageroots"
	"cordon/internal/testkit"
	"cordon/policy"
)

// TestBaseByDigest: the policy is asked about the base by all that it is known as: it may
// list a digest alone.
func TestBaseByDigest(t *testing.T) {
	s, err := image.Open(image.Config{Dir: filepath.Join(t.TempDir(), "images")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file := filepath.Join(t.TempDir(), "saved.tar")
	if err := os.WriteFile(file, testkit.Saved(t, "a:1", nil, testkit.Archive(t, testkit.Regular("f", 0o644, 0, "x"))), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := s.Import(context.Background(), file, nil, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	images, id := imageroots.Store{Images: s}, all[0].ID
	known, err := images.Find(id)
	if err != nil {
		t.Fatal(err)
	}
	errEnough := errors.New("enough")
	var asked *policy.Image
	b := &Builder{Store: s, Images: images, Policy: "ci", Resolve: func(_ string, q policy.Request) (*policy.Grant, error) {
		asked = q.Image
		return nil, errEnough
	}}
	if _, err := b.Build(t.Context(), &Recipe{Base: "a:1", Steps: []string{"true"}}, "b:1"); !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	for _, name := range append([]string{"a:1", id}, known.Names...) {
		if !slices.Contains(asked.Names, name) {
			t.Errorf("asked about %q, without %s", asked.Names, name)
		}
	}
}
