package cell

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flags are those under which the package is built.
func flags(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^// #cgo CFLAGS: (.*)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("doc.go has no line of CFLAGS")
	}
	return strings.Fields(string(m[1]))
}

// more warnings than the build asks for: some compilers that users have find
// things that ours does not, so they do not stop a build, but they stop a test.
var more = []string{"-Wcast-align=strict", "-Wformat=2", "-Wimplicit-fallthrough", "-Wmissing-prototypes", "-Wnull-dereference",
	"-Wpointer-arith", "-Wstrict-prototypes", "-Wundef", "-Wvla", "-Wwrite-strings", "-Wlogical-op", "-Wduplicated-cond",
	"-Wduplicated-branches", "-Wframe-larger-than=16384"}

// Every C file compiles without a warning, also of those that the build does not
// ask for, at each level of optimisation (each sees other things).
func TestCompilesWithoutWarnings(t *testing.T) {
	build := flags(t)
	for _, f := range []string{"-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-fstack-protector-strong"} {
		if !slices.Contains(build, f) {
			t.Errorf("doc.go: the CFLAGS lack %s", f)
		}
	}
	files, err := filepath.Glob("*.c")
	if err != nil || len(files) < 8 {
		t.Fatalf("C files: %v, %v", files, err)
	}
	for _, level := range []string{"-O0", "-O2", "-O3"} {
		args := slices.Concat(build, more, []string{level, "-c", "-o", "/dev/null"})
		if level == "-O0" { // the library checks by the optimiser
			args = slices.DeleteFunc(args, func(f string) bool { return strings.HasPrefix(f, "-D_FORTIFY_SOURCE") })
		}
		for _, f := range files {
			if out, err := exec.Command("gcc", append(slices.Clone(args), f)...).CombinedOutput(); err != nil {
				t.Errorf("gcc %s %s: %v\n%s", level, f, err, out)
			}
		}
	}
}
