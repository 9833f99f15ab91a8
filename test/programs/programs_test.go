package programs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/languages"
	"cordon/policy"
)

// plainCases are those that end by themselves and so can run without a sandbox.
var plainCases = []string{"hello", "stdin", "threads", "allocation", "compile_error", "syntax_error", "runtime_error", "crash"}

// TestPlain runs the harmless programs as plain processes, so that a wrong
// expectation in the table cannot be blamed on the sandbox.
func TestPlain(t *testing.T) {
	all, ids, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if list := os.Getenv(LanguagesVar); list != "" {
		t.Logf("%s=%s: only %s", LanguagesVar, list, strings.Join(ids, ", "))
	}
	set, err := languages.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Detect(t.Context()); err != nil {
		t.Fatal(err)
	}
	gocache := filepath.Join(t.TempDir(), "go")
	if slices.Contains(ids, "go") {
		if err := languages.PrepareGo(t.Context(), gocache); err != nil {
			t.Fatal(err)
		}
		set.UseGoCache(gocache)
	}
	for _, p := range all {
		if !slices.Contains(plainCases, p.Case) {
			continue
		}
		t.Run(p.Language+"/"+p.Case, func(t *testing.T) {
			t.Parallel()
			plan, err := set.Plan(p.Language)
			if err != nil {
				t.Fatalf("%v; install it, or choose others by %s", err, LanguagesVar)
			}
			runPlain(t, p, plan)
		})
	}
}

func runPlain(t *testing.T, p Program, plan languages.Plan) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, plan.SourceFile), []byte(p.Source), 0o644); err != nil {
		t.Fatal(err)
	}
	limits := policy.Limits{MemoryBytes: 512 << 20, CPUs: 1, StackBytes: 8 << 20}
	if argv := plan.BuildArgs(limits); argv != nil {
		for i, word := range argv { // a cell has a /tmp of its own
			argv[i] = strings.ReplaceAll(word, "/tmp", dir)
		}
		stdout, stderr, err := plainStep(t, dir, argv, plan.BuildEnv(limits), "")
		if p.Expect.Verdict == "build_failed" {
			if err == nil || !regexp.MustCompile(p.Expect.Diagnostic).MatchString(stdout+stderr) {
				t.Errorf("build: %v, no match for %q in %q %q", err, p.Expect.Diagnostic, stdout, stderr)
			}
			return
		}
		if err != nil {
			t.Fatalf("build %q: %v\n%s%s", argv, err, stdout, stderr)
		}
	}
	stdout, stderr, err := plainStep(t, dir, plan.RunArgs(limits), plan.RunEnv(limits), p.Stdin)
	if got := plainVerdict(err); got != p.Expect.Verdict {
		t.Errorf("verdict %s, want %s: %v\n%s", got, p.Expect.Verdict, err, stderr)
	}
	var exit *exec.ExitError
	if p.Expect.ExitCode != nil && errors.As(err, &exit) && exit.ExitCode() != *p.Expect.ExitCode {
		t.Errorf("exit code %d, want %d", exit.ExitCode(), *p.Expect.ExitCode)
	}
	if !regexp.MustCompile(p.Expect.Stdout).MatchString(stdout) {
		t.Errorf("stdout %q does not match %q", stdout, p.Expect.Stdout)
	}
	if !regexp.MustCompile(p.Expect.Stderr).MatchString(stderr) {
		t.Errorf("stderr %q does not match %q", stderr, p.Expect.Stderr)
	}
	for name, want := range p.Outputs {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

func plainVerdict(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		return "signaled"
	case errors.As(err, &exit):
		return "nonzero"
	}
	return err.Error()
}

func plainStep(t *testing.T, dir string, argv, env []string, stdin string) (string, string, error) {
	t.Helper()
	// The time only ends a program that hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// As a job: the first word is looked up in the job's PATH, not in ours.
	cmd := exec.CommandContext(ctx, "/usr/bin/env", append([]string{"--"}, argv...)...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + languages.Path, "HOME=" + dir, "TMPDIR=" + dir, "LANG=C.UTF-8"}, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return stdout.String(), stderr.String(), err
}

func TestChoose(t *testing.T) {
	table, err := decode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		list string
		want int
		fail bool
	}{
		{"", 22, false},
		{"all", 25, false},
		{"c, perl", 2, false},
		{"cobol", 0, true},
	} {
		got, err := table.choose(tt.list)
		if (err != nil) != tt.fail || len(got) != tt.want {
			t.Errorf("%q: %d languages, %v", tt.list, len(got), err)
		}
	}
}

// Every language has every case that it can have.
func TestComplete(t *testing.T) {
	t.Setenv(LanguagesVar, "all")
	all, ids, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, p := range all {
		has[p.Language+"/"+p.Case] = true
	}
	for _, id := range ids {
		for _, c := range []string{"hello", "stdin", "threads", "allocation", "memory", "runtime_error", "loop", "pids", "output"} {
			// Fortran has no way of its own to start a process.
			if !has[id+"/"+c] && !(id == "fortran" && c == "pids") {
				t.Errorf("%s/%s: no program", id, c)
			}
		}
		if has[id+"/compile_error"] == has[id+"/syntax_error"] {
			t.Errorf("%s: wants either compile_error or syntax_error", id)
		}
	}
}
