package languages

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Path is the PATH that every job has; tools are looked up in it.
const Path = "/usr/local/bin:/usr/local/go/bin:/usr/bin:/bin"

// visible are the directories of the host that a job's root shows. A tool that
// lies, or is linked through, elsewhere would be found here and missing there.
var visible = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix", "/etc/alternatives"}

// maxLinks is the kernel's limit of links in one path, path_resolution(7).
const maxLinks = 40

// finder looks for tools. Its first fields are the machine's layout, so that a
// test can give another one.
type finder struct {
	path    []string
	visible []string
	asked   *answers // nil: every probe is run
}

func newFinder() finder {
	return finder{path: filepath.SplitList(Path), visible: visible}
}

// names are those under which the tool is looked for, in order.
func (t tool) names() []string {
	if t.only {
		return t.Any
	}
	return append([]string{t.Name}, t.Any...)
}

// tool returns the name to run: a plain one when PATH finds it, else a path.
func (f finder) tool(t tool) (string, error) {
	var elsewhere string
	names := t.names()
	for _, name := range names {
		for _, c := range f.candidates(name) {
			if !executable(c) {
				continue
			}
			if hidden := f.hidden(c); hidden != "" {
				elsewhere = fmt.Sprintf("%s leads to %s", c, hidden)
				continue
			}
			if filepath.IsAbs(name) { // a pattern becomes the path that it found
				return c, nil
			}
			return name, nil
		}
	}
	fix := "Debian package: " + t.Package
	if elsewhere == "" {
		if p, err := exec.LookPath(names[0]); err == nil {
			elsewhere = "there is " + p
		}
	}
	if elsewhere != "" {
		return "", fmt.Errorf("%s: %s, but jobs see only %s; install it there (%s)",
			names[0], elsewhere, strings.Join(f.visible, ", "), fix)
	}
	return "", fmt.Errorf("%s: not found in %s (%s)", names[0], strings.Join(f.path, ":"), fix)
}

// candidates are the paths that a tool of this name may have.
func (f finder) candidates(name string) []string {
	if filepath.IsAbs(name) {
		// The pattern was checked when the file was decoded: Glob cannot fail. A path
		// without pattern is its own only match.
		paths, _ := filepath.Glob(name)
		return paths
	}
	paths := make([]string, 0, len(f.path))
	for _, dir := range f.path {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

func executable(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0
}

// hidden follows the links of path and returns the first step that no job sees.
func (f finder) hidden(path string) string {
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil || !f.sees(path) || !f.sees(filepath.Join(dir, filepath.Base(path))) {
			return path
		}
		target, err := os.Readlink(path)
		if errors.Is(err, syscall.EINVAL) { // not a link: the end
			return ""
		}
		if err != nil {
			return path
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = filepath.Clean(target)
	}
	return path
}

func (f finder) sees(path string) bool {
	return slices.ContainsFunc(f.visible, func(dir string) bool { return strings.HasPrefix(path, dir+"/") })
}

func (f finder) resolve(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	for _, dir := range f.path {
		if p := filepath.Join(dir, name); executable(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: not found in %s", name, strings.Join(f.path, ":"))
}
