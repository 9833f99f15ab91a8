package e2e

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
	"cordon/test/programs"
	"cordon/test/programs/exercise"
)

// Names of the variables by which the whole table runs on an image that is there already:
// a state directory, and an image of its store.
const (
	imageStateVar = "CORDON_TEST_IMAGE_STATE"
	imageNameVar  = "CORDON_TEST_IMAGE"
)

// TestImageDebian runs the table of languages on a Debian system that the test makes: of
// some languages, as many as there is time for, or of those that an image has that was made
// before. On the one that it makes, environments are built.
func TestImageDebian(t *testing.T) {
	given := os.Getenv(imageNameVar) != ""
	state, name := os.Getenv(imageStateVar), os.Getenv(imageNameVar)
	_, ids, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !given {
		state, name, ids = filepath.Join(t.TempDir(), "state"), "some:1", []string{"python", "bash", "sh"}
		t.Cleanup(func() {
			for _, n := range []string{name, "suffix:1", "greet:1"} {
				images(t, state, "remove", n)
			}
			images(t, state, "prune")
		})
		_, told, status := images(t, state, "bootstrap", "debian", "--variant", "extract", "--include", "python3,dash,bash,coreutils,libc-bin,tzdata,base-files,dpkg,tar,diffutils,sed,grep,python3-pip-whl", "--name", name)
		if status != 0 && strings.Contains(told, "cannot be had from") {
			t.Skipf("no archive of Debian can be reached: %s", told)
		}
		if status != 0 {
			t.Fatal(told)
		}
	}
	d := testkit.StartDaemonIn(t, state, "--languages", strings.Join(ids, ","))
	s := newService(d.URL, d.Token)
	s.image = name
	all, _, err := programs.Load()
	if err != nil {
		t.Fatal(err)
	}
	more, err := exercise.Load()
	if err != nil {
		t.Fatal(err)
	}
	if !given {
		t.Run("packages", func(t *testing.T) { testPackages(t, s, state) })
	}
	t.Run("table", func(t *testing.T) { // which ends when all of it has
		for _, p := range all {
			if slices.Contains(ids, p.Language) {
				t.Run(p.Language+"/"+p.Case, func(t *testing.T) { parallel(t); runProgram(t, s, p, "judge") })
			}
		}
		for _, id := range ids {
			if p, ok := more[id]; ok {
				t.Run(id+"/exercise", func(t *testing.T) { parallel(t); runExercise(t, s, p, "judge") })
			}
		}
	})
}

// testPackages builds environments of packages: of Debian, and of a wheel that the test
// makes. Those of npm want a registry; what is brought of them is tried in package recipe.
func testPackages(t *testing.T, s *service, state string) {
	wheels := t.TempDir()
	pip, err := filepath.Glob(filepath.Join(state, "images/layers/*/fs/usr/share/python-wheels/pip-*.whl"))
	if err != nil || len(pip) != 1 {
		t.Fatal(pip, err)
	}
	text, err := os.ReadFile(pip[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(wheels, filepath.Base(pip[0])), text, 0o644), os.WriteFile(filepath.Join(wheels, "greet-1.0-py3-none-any.whl"), wheel(t, "greet", ""), 0o644)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PIP_NO_INDEX", "1") // pip's own setting: it looks here alone
	t.Setenv("PIP_FIND_LINKS", wheels)
	for _, e := range []struct{ name, packages, program, want string }{
		{"suffix:1", "apt: [publicsuffix]", "import os; print(os.path.getsize('/usr/share/publicsuffix/public_suffix_list.dat') > 10000, os.path.exists('/usr/sbin/policy-rc.d'), os.listdir('/work'))", "True False []\n"},
		{"greet:1", "pip: [greet==1.0]", "import greet; print(greet.hello())", "hello from a wheel\n"},
	} {
		file := environment(t, "base: some:1\npackages: {"+e.packages+"}\n")
		for _, how := range []string{" made: ", " there: "} {
			if out, told, status := images(t, state, "build", file, "--name", e.name); status != 0 || !strings.Contains(out, how) {
				t.Fatalf("%s: status %d: %s%s, want it%s", e.name, status, out, told, how)
			}
		}
		for name, ok := range map[string]bool{e.name: true, "some:1": false} {
			got := cordon(t, &testkit.Daemon{State: state}, "", "", "run", "--quiet", "--state", state, "--image", name, "--", "python3", "-c", e.program)
			if (got.status == 0 && got.out == e.want) != ok {
				t.Errorf("%s on %s: %+v", e.packages, name, got)
			}
		}
	}
	// A wheel that wants a source at an address: what is in that runs nowhere but in cells.
	ran := filepath.Join(wheels, "ran")
	source := filepath.Join(wheels, "evil-1.0.tar")
	packed := testkit.Archive(t, testkit.Dir("evil-1.0", 0o755, 0), testkit.Regular("evil-1.0/setup.py", 0o644, 0, "open('"+ran+"', 'w')\nfrom setuptools import setup\nsetup(name='evil', version='1.0')\n"),
		testkit.Regular("evil-1.0/PKG-INFO", 0o644, 0, "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n"))
	if err := errors.Join(os.WriteFile(source, packed, 0o644), os.WriteFile(filepath.Join(wheels, "lure-1.0-py3-none-any.whl"), wheel(t, "lure", "Requires-Dist: evil @ file://"+source+"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if out, told, status := images(t, state, "build", environment(t, "base: some:1\npackages: {pip: [lure==1.0]}\n"), "--name", "greet:1"); status != 125 || !strings.Contains(told, "only wheels") {
		t.Errorf("a source: status %d: %s%s", status, out, told)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("what was brought ran outside")
	}
	bare := exec.CommandContext(t.Context(), "python3", "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", t.TempDir(), "lure")
	_ = bare.Run() // the control: pip by itself does run it, whatever comes of that
	if _, err := os.Stat(ran); err != nil {
		t.Errorf("pip by itself does not run it either: that we do not shows nothing: %v", err)
	}
	if out, told, status := images(t, state, "build", environment(t, "base: some:1\npackages: {pip: [greet==2.0]}\n"), "--name", "greet:1"); status != 125 || !strings.Contains(told, "greet==2.0") {
		t.Errorf("a version that is not there: status %d: %s%s", status, out, told)
	}
}

// wheel is a package of Python's.
func wheel(t *testing.T, name, more string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	info := name + "-1.0.dist-info/"
	for _, f := range [][2]string{{name + ".py", "def hello():\n    return 'hello from a wheel'\n"}, {info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n" + more},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
		{info + "RECORD", name + ".py,,\n" + info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"}} {
		part, err := w.Create(f[0])
		if err == nil {
			_, err = part.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
