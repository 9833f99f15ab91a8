package policies

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// operator writes a directory of policy files.
func operator(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func child(name, parent, more string) string {
	return "name: " + name + "\ndescription: d\nextends: " + parent + "\n" + more
}

const fewPids = "limits:\n  pids: {default: 3, max: 7, reason: few}\n"

func TestLoadOperator(t *testing.T) {
	dir := operator(t, map[string]string{
		"own.yaml":        child("own", "judge", fewPids),
		"grandchild.yml":  child("grandchild", "own", ""),
		"judge.yaml":      child("judge", "judge", "limits:\n  cpu_ms: {max: 20000, reason: slow}\n"),
		"default.yaml":    child("default", "default", "caps:\n  env_vars: {max: 3, reason: few}\n"),
		".hidden.yaml":    "broken",
		"notes.txt":       "broken",
		"judge.yaml.orig": "broken",
	})
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(set.Names(), " "), "ci default dev grandchild judge own playground"; got != want {
		t.Fatalf("names %s, want %s", got, want)
	}
	for name, want := range map[string]struct{ pids, cpu int64 }{
		"own":        {7, 20000},      // extends the operator's judge
		"grandchild": {7, 20000},      // and so does this, by own
		"judge":      {512, 20000},    // replaces the shipped one and extends it
		"ci":         {8192, 7200000}, // shipped, so over the shipped default
		"playground": {128, 10000},
	} {
		p, err := set.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if *p.Limits.Pids.Max != want.pids || *p.Limits.CPUMillis.Max != want.cpu {
			t.Errorf("%s: pids %d, cpu_ms %d, want %+v", name, *p.Limits.Pids.Max, *p.Limits.CPUMillis.Max, want)
		}
	}
	// The operator's default replaces the shipped one for jobs, not as the
	// parent of the shipped policies.
	for name, want := range map[string]int64{"default": 3, "playground": 16, "judge": 64} {
		if p, _ := set.Get(name); p.Caps.EnvVars.Max != want {
			t.Errorf("%s: env_vars %d, want %d", name, p.Caps.EnvVars.Max, want)
		}
	}
	for _, i := range set.List() {
		if want := filepath.Join(dir, "judge.yaml"); i.Name == "judge" && (i.Source != want || i.Extends != "judge") {
			t.Errorf("%+v, want source %s", i, want)
		}
	}
	if _, err := set.Get("nobody"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "playground") {
		t.Errorf("Get of an unknown policy: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // in the error
	}{
		"parent missing": {map[string]string{"a.yaml": child("a", "nobody", "")}, []string{"a.yaml:3:10: extends", "nobody"}},
		"own name":       {map[string]string{"a.yaml": child("a", "a", "")}, []string{"a.yaml:3:10: extends", "a → a"}},
		"circle": {map[string]string{"a.yaml": child("a", "b", ""), "b.yaml": child("b", "a", "")},
			[]string{"a.yaml:3:10: extends", "b.yaml:3:10: extends", "a → b → a"}},
		"name twice":    {map[string]string{"a.yaml": child("a", "judge", ""), "b.yaml": child("a", "ci", "")}, []string{"b.yaml:1:7: name", "a.yaml has already"}},
		"broken parent": {map[string]string{"a.yaml": child("a", "b", ""), "b.yaml": child("b", "judge", "x: 1\n")}, []string{"a.yaml:3:10: extends", "b.yaml:4:1: x"}},
		"not whole":     {map[string]string{"a.yaml": "name: a\ndescription: d\n" + fewPids}, []string{"a.yaml:3:1: limits.cpu_ms.default", "require_subuid", "seccomp.profile"}},
		"default above the new max": {map[string]string{"a.yaml": child("a", "default", "limits:\n  pids: {max: 5, reason: few}\n")},
			[]string{"a.yaml:5:3: limits.pids.default: given 128, allowed: at most max, 5"}},
		"allows what the parent denies": {map[string]string{
			"a.yaml": child("a", "b", "seccomp:\n  allow:\n    - {syscalls: [tee], reason: r}\n"),
			"b.yaml": child("b", "judge", "seccomp:\n  deny:\n    - {syscalls: [tee], reason: r}\n"),
		}, []string{"a.yaml:6:19: seccomp.allow[0].syscalls[0]"}},
		"dirs without directories": {map[string]string{"a.yaml": child("a", "judge", "root: {kind: dirs, reason: r}\n")}, []string{"a.yaml:4:1: root.dirs"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := operator(t, c.files)
			set, err := Load(dir)
			if err == nil || set != nil {
				t.Fatalf("set %v, error %v", set, err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in:\n%v", w, err)
				}
			}
		})
	}
}

func TestLoadCannotRead(t *testing.T) {
	dir := operator(t, map[string]string{"a.yaml": child("a", "judge", "")})
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "b.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a directory named like a policy: %v", err)
	}
}

func TestCheckFiles(t *testing.T) {
	dir := operator(t, map[string]string{"base.yaml": child("base", "judge", fewPids)})
	files := operator(t, map[string]string{"good.yaml": child("good", "base", ""), "bad.yaml": child("bad", "nobody", "")})
	good, bad := filepath.Join(files, "good.yaml"), filepath.Join(files, "bad.yaml")
	reports, err := CheckFiles(dir, []string{bad, good, filepath.Join(dir, "base.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	if r := reports[0]; r.File != bad || r.Err == nil || r.Policy != nil {
		t.Errorf("bad: %+v", r)
	}
	if r := reports[1]; r.Err != nil || *r.Policy.Limits.Pids.Max != 7 {
		t.Errorf("good: %+v", r)
	}
	if r := reports[2]; r.Err != nil || r.Policy.Name != "base" {
		t.Errorf("a file of the directory itself: %+v", r)
	}
	if _, err := CheckFiles("", []string{filepath.Join(files, "none.yaml")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := CheckFiles("", []string{good}); err != nil {
		t.Errorf("without the directory: %v", err)
	}
}
