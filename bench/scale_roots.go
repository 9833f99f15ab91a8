package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"cordon/internal/child"
)

// maxRootDirs is the most that a policy may name.
const maxRootDirs = 32

// scaleRoots: roots made of directories, with ever more files in one, or of ever
// more directories.
func (s *session) scaleRoots(ctx context.Context) error {
	program, err := s.static(ctx)
	if err != nil {
		s.report.missing(err.Error(), "scale_root_files", "scale_root_dirs")
		return nil
	}
	files := millisecondsAgainst("root_files", "Cost of a job against the files of its root", "files in the root")
	dirs := millisecondsAgainst("root_dirs", "Cost of a job against the directories that its root is made of", "directories of the root")
	policies := filepath.Join(s.dir, "root-policies")
	fileCounts := pick(s.o.Effort, []int{10, 100}, []int{10, 100, 1000, 10_000}, []int{10, 100, 1000, 10_000, 100_000})
	dirCounts := pick(s.o.Effort, []int{1, 4}, []int{1, 8, maxRootDirs}, []int{1, 2, 4, 8, 16, maxRootDirs})
	for _, count := range fileCounts {
		root := filepath.Join(s.dir, fmt.Sprintf("root-%d", count))
		if err := tree(root, program, count); err != nil {
			return err
		}
		if err := writePolicy(policies, fmt.Sprintf("files-%d", count), rootPolicy(fmt.Sprintf("files-%d", count), []string{root})); err != nil {
			return err
		}
	}
	for _, count := range dirCounts {
		var all []string
		for i := range count {
			all = append(all, filepath.Join(s.dir, fmt.Sprintf("part-%d-%d", count, i)))
			if err := tree(all[i], program, 1); err != nil {
				return err
			}
		}
		if err := writePolicy(policies, fmt.Sprintf("dirs-%d", count), rootPolicy(fmt.Sprintf("dirs-%d", count), all)); err != nil {
			return err
		}
	}
	return s.with(ctx, []string{"--policies", policies}, func(service *child.Service) error {
		for _, each := range []struct {
			curve  *Curve
			name   string
			counts []int
		}{{&files, "files", fileCounts}, {&dirs, "dirs", dirCounts}} {
			for _, count := range each.counts {
				r, err := s.job(service, map[string]any{"policy": fmt.Sprintf("%s-%d", each.name, count), "command": []string{"/program"}})
				if err != nil {
					return err
				}
				if err := s.point(ctx, each.curve, count, r); err != nil {
					return err
				}
			}
		}
		s.curve("scale_root_files", files)
		s.curve("scale_root_dirs", dirs)
		return nil
	})
}

func rootPolicy(name string, dirs []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ndescription: A root of directories, for cordon bench.\nextends: default\n"+
		"root:\n  kind: dirs\n  reason: It is measured.\n  dirs:\n", name)
	for _, dir := range dirs {
		fmt.Fprintf(&b, "    - path: %s\n      reason: It is measured.\n", dir)
	}
	return b.String()
}

// tree makes a directory with a program and so many files, a hundred in each
// directory below it.
func tree(root string, program []byte, files int) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for i := range files {
		dir := filepath.Join(root, "data", fmt.Sprint(i/100))
		if i%100 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("x"), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "program"), program, 0o755)
}

// static is a program that needs no library.
func (s *session) static(ctx context.Context) ([]byte, error) {
	file := filepath.Join(s.dir, "nothing")
	if err := os.WriteFile(file+".c", []byte("int main(void) { return 0; }\n"), 0o600); err != nil {
		return nil, err
	}
	said, err := exec.CommandContext(ctx, "cc", "-O2", "-static", "-o", file, file+".c").CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New(noCompiler)
	}
	if err != nil {
		return nil, fmt.Errorf("no static program can be made here: %w: %s", err, said)
	}
	return os.ReadFile(file)
}
