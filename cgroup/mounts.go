package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hierarchy is one mounted cgroup hierarchy and where this process is in it.
type hierarchy struct {
	version     int      // 1 or 2
	controllers []string // v1: of the mount; v2: none
	mount       string   // mount point
	own         string   // this process's own directory, "" when it is outside the mount
}

// host reads what a process sees. Tests give other files.
type host struct {
	proc    string
	systemd string // is there while systemd runs the machine (sd_booted(3))
}

var realHost = host{proc: "/proc/self", systemd: "/run/systemd/system"}

// booted: systemd runs this machine.
func (h host) booted() bool {
	_, err := os.Stat(h.systemd)
	return err == nil
}

// hierarchies joins /proc/self/cgroup and /proc/self/mountinfo (cgroups(7),
// proc_pid_mountinfo(5)). A mount that shows only a part of a hierarchy, as in a
// cgroup namespace, is taken into account by its root field.
func (h host) hierarchies() ([]hierarchy, error) {
	mounts, err := os.ReadFile(filepath.Join(h.proc, "mountinfo"))
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile(filepath.Join(h.proc, "cgroup"))
	if err != nil {
		return nil, err
	}
	paths, err := parseGroups(string(groups))
	if err != nil {
		return nil, err
	}
	found := parseMounts(string(mounts))
	out := make([]hierarchy, 0, len(found))
	for _, m := range found {
		key := ""
		if m.version == 1 {
			key = strings.Join(m.controllers, ",")
		}
		path, ok := paths[key]
		if !ok && m.version == 1 {
			path, ok = pathOfAny(paths, m.controllers)
		}
		if ok {
			m.own = below(m.mount, m.root, path)
		}
		out = append(out, m.hierarchy)
	}
	return out, nil
}

func pathOfAny(paths map[string]string, controllers []string) (string, bool) {
	for key, path := range paths {
		for _, c := range controllers {
			if hasWord(key, c) {
				return path, true
			}
		}
	}
	return "", false
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// below is the directory of group path in a mount that shows the hierarchy from
// root, or "" when the mount does not show it. A group outside of the reader's
// cgroup namespace has a path that begins with "/.." (cgroup_namespaces(7)).
func below(mount, root, path string) string {
	rest := path
	if root != "/" {
		var ok bool
		if rest, ok = strings.CutPrefix(path, root); !ok || (rest != "" && rest[0] != '/') {
			return ""
		}
	}
	if rest = strings.TrimPrefix(rest, "/"); rest != "" && !filepath.IsLocal(rest) {
		return ""
	}
	return filepath.Join(mount, rest)
}

// parseGroups reads lines "id:controllers:path"; the v2 line has no controllers.
func parseGroups(text string) (map[string]string, error) {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 || !strings.HasPrefix(f[2], "/") {
			return nil, fmt.Errorf("cgroup line %q: id:controllers:path wanted", line)
		}
		out[f[1]] = f[2]
	}
	return out, nil
}

type mountLine struct {
	hierarchy
	root string
}

// parseMounts picks the cgroup mounts. Lines of another shape are passed over:
// the kernel may add fields before the separator.
func parseMounts(text string) []mountLine {
	var out []mountLine
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		f, t := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 6 || len(t) < 3 {
			continue
		}
		m := mountLine{root: unescape(f[3])}
		m.mount = unescape(f[4])
		switch t[0] {
		case "cgroup2":
			m.version = 2
		case "cgroup":
			m.version = 1
			for o := range strings.SplitSeq(t[2], ",") {
				if o != "rw" && o != "ro" {
					m.controllers = append(m.controllers, o)
				}
			}
		default:
			continue
		}
		out = append(out, m)
	}
	return out
}

// unescape undoes the octal escapes of mountinfo (space, tab, newline, backslash).
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
