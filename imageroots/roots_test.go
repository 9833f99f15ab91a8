package imageroots

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/image"
	"cordon/internal/testkit"
	"cordon/rootfs"
)

func store(t *testing.T) Store {
	t.Helper()
	s, err := image.Open(image.Config{Dir: filepath.Join(t.TempDir(), "images")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return Store{s}
}

func (s Store) brings(t *testing.T, name string, config map[string]any, entries ...testkit.Entry) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "saved.tar")
	if err := os.WriteFile(file, testkit.Saved(t, name, config, testkit.Archive(t, entries...)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Images.Import(context.Background(), file, nil, image.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestNames: what a job calls an image, and all that it is known as.
func TestNames(t *testing.T) {
	s := store(t)
	s.brings(t, "tools/cc:12", map[string]any{"User": "u", "WorkingDir": "/w", "Env": []string{"A=b"}, "Entrypoint": []string{"e"}, "Cmd": []string{"c"}}, testkit.Regular("f", 0o644, 0, "x"))
	i, err := s.Find("tools/cc:12")
	if err != nil || i.User != "u" || i.Dir != "/w" || i.Env[0] != "A=b" || i.Entrypoint[0] != "e" || i.Cmd[0] != "c" || i.Layers != 1 || i.Bytes != 1 || i.Asked != "tools/cc:12" {
		t.Fatalf("%+v, %v", i, err)
	}
	for _, name := range append([]string{i.ID, i.ID[7:20]}, i.Names...) {
		if strings.HasPrefix(name, "sha256:") && name != i.ID {
			continue // a manifest's alone is no reference
		}
		if other, err := s.Find(name); err != nil || other.ID != i.ID {
			t.Errorf("%s: %+v, %v", name, other, err)
		}
	}
	for _, name := range []string{"", "tools/cc", "cc:12", "A B", "sha256:00000000"} {
		if i, err := s.Find(name); !errors.Is(err, rootfs.ErrUnknownImage) {
			t.Errorf("%q: %+v, %v", name, i, err)
		}
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0].ID != i.ID {
		t.Errorf("%v, %v", all, err)
	}
	// Whatever a service can name, one that runs no jobs takes, and the names agree.
	e := Elsewhere{Names: func() []string { return append([]string{i.ID, "b:1", "b:1"}, i.Names...) }}
	for _, name := range append([]string{i.ID}, i.Tags...) {
		here, err := s.Find(name)
		there, err2 := e.Find(name)
		if err != nil || err2 != nil || here.Asked != there.Asked || !there.Elsewhere || !slices.Contains(append(here.Names, here.ID), there.Asked) {
			t.Errorf("%s: %+v, %v, %+v, %v", name, here, err, there, err2)
		}
	}
	if _, err := e.Find(i.ID[7:20]); !errors.Is(err, rootfs.ErrUnknownImage) {
		t.Errorf("the beginning of an id: %v", err)
	}
	if all, err := e.List(); err != nil || len(all) != 2 || all[0].Tags[0] != "b:1" || all[1].Tags[0] != "tools/cc:12" {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := e.Hold(i.ID); err == nil {
		t.Error("held elsewhere")
	}
	if e.Look(i.ID, nil) == nil {
		t.Error("looked elsewhere")
	}
}

// TestRoots: what a root is made of. An image's accounts are its own, and what is no file has none.
func TestRoots(t *testing.T) {
	s := store(t)
	s.brings(t, "a:1", nil, testkit.Regular("etc/passwd", 0o644, 0, "root:x:0:0::/:\n"), testkit.Symlink("etc/group", "passwd"))
	s.brings(t, "b:1", nil, testkit.Symlink("etc/passwd", "/etc/passwd"), testkit.Dir("etc/group", 0o755, 0))
	s.brings(t, "c:1", nil, testkit.Regular("etc/passwd", 0o644, 0, strings.Repeat("x", accountsMost+1)))
	for name, want := range map[string]string{"a:1": "root:x:0:0::/:\n", "b:1": "", "c:1": "refused"} {
		i, err := s.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Hold(i.ID)
		if err != nil {
			t.Fatal(err)
		}
		root, err := h.Root()
		switch {
		case want == "refused":
			if err == nil || !strings.Contains(err.Error(), "/etc/passwd") {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || root.Passwd != want || root.Group != want || len(root.Lowers) != 1 || root.Layers != s.Images.Layers():
			t.Errorf("%s: %+v, %v", name, root, err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		err = s.Look(i.ID, func(f rootfs.Files) error {
			_, err := f.Names("/etc")
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
