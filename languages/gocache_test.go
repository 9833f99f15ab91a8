package languages

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func goLanguage(t *testing.T) *language {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s.byName[goID]
}

// A program that imports nothing needs package runtime alone, which keeps this
// test short; what PrepareGo builds differs in number only.
func TestPrepareGo(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "go")
	defer syscall.Umask(syscall.Umask(0o077)) // a strict service user
	if err := prepareGo(t.Context(), dir, goLanguage(t), "runtime"); err != nil {
		t.Fatal(err)
	}
	checkReadable(t, dir)

	before := inode(t, dir)
	if err := prepareGo(t.Context(), dir, goLanguage(t), "runtime"); err != nil {
		t.Fatal(err)
	}
	if inode(t, dir) != before {
		t.Error("the second call made the cache again")
	}
	buildWithCache(t, dir)

	if err := os.WriteFile(filepath.Join(dir, goStamp), []byte("go0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := prepareGo(t.Context(), dir, goLanguage(t), "runtime"); err != nil {
		t.Fatal(err)
	}
	if inode(t, dir) == before {
		t.Error("the cache of another Go was kept")
	}
	left, err := os.ReadDir(base)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Ino
}

func checkReadable(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s: mode %v is not readable by all", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// buildWithCache builds as a job does, with the plan's own settings.
func buildWithCache(t *testing.T, cache string) {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	s.found[goID] = finding{ok: true}
	s.UseGoCache(cache)
	plan, err := s.Plan(goID)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	source := "package main\n\nfunc main() { println(\"built\") }\n"
	if err := os.WriteFile(filepath.Join(work, plan.SourceFile), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	argv := plan.BuildArgs(limits(512, 1, 8))
	cmd := exec.CommandContext(t.Context(), "/usr/bin/env", append([]string{"--", argv[0], argv[1], "-x"}, argv[2:]...)...)
	cmd.Dir = work
	cmd.Env = append([]string{"PATH=" + Path, "HOME=" + work}, plan.BuildEnv(limits(512, 1, 8))...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// -x prints each compiler run: package runtime must not be among them.
	if strings.Contains(string(out), "-p runtime ") {
		t.Errorf("the standard library was compiled again:\n%s", out)
	}
	if out, err := exec.CommandContext(t.Context(), filepath.Join(work, "main")).CombinedOutput(); err != nil || string(out) != "built\n" {
		t.Errorf("the program: %v, %q", err, out)
	}
}

func TestPrepareGoCancelled(t *testing.T) {
	base := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := prepareGo(ctx, filepath.Join(base, "go"), goLanguage(t), "runtime"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(base); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPrepareGoMissing(t *testing.T) {
	l := goLanguage(t)
	l.Tools[0] = tool{Name: "no-such-go", Package: "golang-go"}
	if err := prepareGo(t.Context(), filepath.Join(t.TempDir(), "go"), l, "runtime"); !errors.Is(err, ErrMissing) {
		t.Errorf("error %v", err)
	}
}
