package problem

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// unpack writes the minimal package into a directory.
func unpack(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sum")
	for name, text := range minimal {
		full := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLinks(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("name: stolen\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, target, want string }{
		{"data/secret/2.ans", "1.ans", ""},
		{"data/secret/2.ans", "../../data/secret/1.ans", ""},
		{"data/secret/2.ans", "../../../../secret", "a link out of the package"},
		{"data/secret/2.ans", outside, "a link out of the package"},
		{"data/secret/2.ans", "2.ans", "a link out of the package"}, // to itself
		{"data/secret/2.ans", "nothing", "a link out of the package, or to nothing"},
		{"data/secret/2.ans", "..", "a link to a directory"},
		{"data/secret/2.ans", "/dev/zero", "a link out of the package"},
		{"submissions/accepted/b.py", outside, "a link out of the package"},
		{"domjudge-problem.ini", outside, "a link out of the package"},
		{".timelimit", "/dev/zero", "a link out of the package"},
		{".timelimit", "nothing", "a link out of the package, or to nothing"},
		{"data/sample", "/etc", "data/sample: a link out of the package"},
		{"data/sample", "nothing", "data/sample: a link out of the package, or to nothing"},
		{"data/sample", "1.in", "data/sample: a link out"},
		{"output_validators", "problem.yaml", "output_validators: no directory"},
	} {
		dir := unpack(t)
		if strings.HasSuffix(tt.name, ".ans") {
			if err := os.WriteFile(filepath.Join(dir, "data/secret/2.in"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(tt.target, filepath.Join(dir, tt.name)); err != nil {
			t.Fatal(err)
		}
		// The control: by its plain name the link would be followed.
		if tt.target == outside {
			if text, err := os.ReadFile(filepath.Join(dir, tt.name)); err != nil || string(text) != "name: stolen\n" {
				t.Errorf("%s: %q, %v", tt.name, text, err)
			}
		}
		p, err := Load(dir)
		switch {
		case tt.want == "":
			if err != nil || len(p.Cases) != 2 {
				t.Errorf("%s to %s: %+v, %v", tt.name, tt.target, p, err)
			}
		case err == nil || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want):
			t.Errorf("%s to %s: %v, want %q", tt.name, tt.target, err, tt.want)
		}
	}
}

// What turns into something else after it was read is refused when it is opened,
// without waiting.
func TestOpen(t *testing.T) {
	dir := unpack(t)
	p, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	answer := filepath.Join(dir, p.Cases[0].Answer)
	f, err := p.Open(p.Cases[0].Answer)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for what, change := range map[string]func() error{
		"a pipe":      func() error { return syscall.Mkfifo(answer, 0o644) },
		"a directory": func() error { return os.Mkdir(answer, 0o755) },
		"a link out":  func() error { return os.Symlink("/etc/passwd", answer) },
		"nothing":     func() error { return nil },
	} {
		if err := errors.Join(os.RemoveAll(answer), change()); err != nil {
			t.Fatal(err)
		}
		if f, err := p.Open(p.Cases[0].Answer); err == nil {
			f.Close()
			t.Errorf("%s was opened", what)
		}
	}
	for _, name := range []string{"../sum/problem.yaml", answer, ""} {
		if f, err := p.Open(name); err == nil {
			f.Close()
			t.Errorf("%q was opened", name)
		}
	}
}

func TestLoadOfNoPackage(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "is this the directory of a package?") {
		t.Error(err)
	}
	if _, err := Load(filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "problem.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "problem.yaml: a named pipe; put a plain file here") {
		t.Error(err)
	}
}

// The examples are read whole, and have what they are to show.
func TestExamples(t *testing.T) {
	for name, want := range map[string]struct {
		validation Validation
		flags      string
	}{"ropeferry": {Custom, ""}, "lateecho": {Interactive, "questions 70"}} {
		p, err := Load(filepath.Join("../../examples/problems", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		samples := slices.IndexFunc(p.Cases, func(c Case) bool { return !c.Sample })
		if p.Validation != want.validation || p.TimeLimit == 0 || len(p.Validators) != 1 || samples != 3 || len(p.Cases) < 18 || strings.Join(p.Cases[0].Flags, " ") != want.flags {
			t.Errorf("%s: %+v", name, p)
		}
		for _, folder := range []string{"accepted", "wrong_answer", "time_limit_exceeded", "run_time_error"} {
			if !slices.ContainsFunc(p.Submissions, func(s Submission) bool { return s.Folder == folder }) {
				t.Errorf("%s: nothing in %s", name, folder)
			}
		}
		for _, language := range []string{"cpp", "java", "python"} {
			if !slices.ContainsFunc(p.Submissions, func(s Submission) bool { return s.Folder == "accepted" && s.Language == language }) {
				t.Errorf("%s: nothing accepted in %s", name, language)
			}
		}
	}
}
