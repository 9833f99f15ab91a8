package seccomp

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	lib "github.com/seccomp/libseccomp-golang"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

var arches = Arches()

// each runs f for every profile on every architecture.
func each(t *testing.T, f func(t *testing.T, profile string, a Arch)) {
	for _, profile := range Profiles() {
		for _, a := range arches {
			t.Run(profile+"-"+a.String(), func(t *testing.T) { f(t, profile, a) })
		}
	}
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for _, line := range w {
		if !slices.Contains(g, line) {
			t.Errorf("- %s", line)
		}
	}
	for _, line := range g {
		if !slices.Contains(w, line) {
			t.Errorf("+ %s", line)
		}
	}
	t.Errorf("%s differs; when the change is meant, run: go test ./seccomp -run Golden -update, and review the diff", path)
}

// numbers are the kernel's own names and numbers, from a second source: the
// constants that golang.org/x/sys makes from the kernel's headers.
func numbers(t testing.TB, a Arch) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "numbers-"+a.String()+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for line := range strings.Lines(string(text)) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if out[name], err = strconv.Atoi(number); err != nil || name == "" {
			t.Fatalf("numbers-%s.txt: %q", a, line)
		}
	}
	return out
}

func highest(known map[string]int) int {
	top := 0
	for _, n := range known {
		top = max(top, n)
	}
	return top
}

var constant = regexp.MustCompile(`(?m)^\s*SYS_(\w+)\s*= (\d+)$`)

func writeNumbers(t *testing.T, a Arch) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+a.String()+".go"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, m := range constant.FindAllSubmatch(source, -1) {
		if name := strings.ToLower(string(m[1])); name != "arch_specific_syscall" { // a mark in the header, not a call
			fmt.Fprintf(&out, "%s %s\n", m[2], name)
		}
	}
	if err := os.WriteFile(filepath.Join("testdata", "numbers-"+a.String()+".txt"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGoldenNumbers compares every name and number with the kernel's. A call of
// a newer kernel than the file's may be known to a newer libseccomp.
func TestGoldenNumbers(t *testing.T) {
	for _, a := range arches {
		if *update {
			writeNumbers(t, a)
		}
		known := numbers(t, a)
		if len(known) < 300 {
			t.Errorf("%s: only %d names", a, len(known))
		}
		names := map[int]string{}
		for name, n := range known {
			names[n] = name
			if got, ok := a.number(name); !ok || got != n {
				t.Errorf("%s: %s is %d, got %d, %v", a, name, n, got, ok)
			}
			if !Known(name) {
				t.Errorf("%s is not known", name)
			}
		}
		for n := range highest(known) + 1 {
			if got, _ := a.callName(n); got != names[n] {
				t.Errorf("%s: call %d is %q, got %q", a, n, names[n], got)
			}
		}
	}
}

func dumped(t testing.TB, profile string, a Arch) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Dump(&out, Rules{Profile: profile}, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestGoldenRules holds the whole table of every profile for review. What only
// a newer libseccomp knows is not on it: TestReplay wants that to be reported.
func TestGoldenRules(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		top := highest(numbers(t, a))
		var out bytes.Buffer
		for line := range bytes.Lines(dumped(t, profile, a)) {
			if r, ok := parseRow(string(line)); ok && r.number > top {
				t.Logf("newer than the table: %s", line)
				continue
			}
			out.Write(line)
		}
		golden(t, "rules-"+profile+"-"+a.String()+".txt", out.Bytes())
	})
}

// TestGoldenPrograms holds the digest of every program. Another libseccomp may
// order the same decisions otherwise, so only the version of the file counts;
// TestReplay holds for every version.
func TestGoldenPrograms(t *testing.T) {
	major, minor, micro := lib.GetLibraryVersion()
	version := fmt.Sprintf("libseccomp %d.%d.%d", major, minor, micro)
	out := []byte(version + "\n")
	each(t, func(t *testing.T, profile string, a Arch) {
		p, _ := compiled(t, Rules{Profile: profile}, a)
		out = fmt.Appendf(out, "%s %s %d instructions %s\n", profile, a, p.Instructions(), p.Digest)
	})
	name := filepath.Join("testdata", "programs.txt")
	if old, err := os.ReadFile(name); err == nil && !*update && !bytes.HasPrefix(old, []byte(version+"\n")) {
		t.Logf("%s is of another libseccomp than this machine's %s: digests not compared", name, version)
		return
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	golden(t, "programs.txt", out)
}
