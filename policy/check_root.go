package policy

import (
	"fmt"
	"path"
	"strings"
)

// maxRootDirs keeps a root within what one overlay mount takes and a person can
// review; the kernel itself stops at 500 lowers.
const maxRootDirs = 32

func checkRoot(c *checker) {
	r := &c.policy.Root
	if r.Kind == "" {
		if r.Reason != "" {
			c.add("root.reason", fmt.Sprintf("%q", r.Reason), "nothing without root.kind", "write the kind, or take the reason out")
		}
		return
	}
	if r.Kind != RootHost && r.Kind != RootDirs {
		c.add("root.kind", fmt.Sprintf("%q", r.Kind), RootHost+" or "+RootDirs, "choose one of them")
	}
	c.reason("root", r.Reason)
}

func checkRootDirs(c *checker) {
	if n := len(c.policy.Root.Dirs); n > maxRootDirs {
		c.add("root.dirs", fmt.Sprintf("%d directories", n), fmt.Sprintf("at most %d", maxRootDirs), "merge some of them")
	}
	seen := map[string]bool{}
	for i, d := range c.policy.Root.Dirs {
		field := fmt.Sprintf("root.dirs[%d]", i)
		c.reason(field, d.Reason)
		if allowed := dirProblem(d.Path, c.policy.Root.Kind); allowed != "" {
			c.add(field+".path", quoteOrNothing(d.Path), allowed, "name another directory")
		}
		if seen[d.Path] {
			c.add(field+".path", fmt.Sprintf("%q twice", d.Path), "every directory once", "take one of them out")
		}
		seen[d.Path] = true
	}
}

// kernelDirs are made fresh for each cell; the host's own would show the host.
var kernelDirs = []string{"/proc", "/sys", "/dev"}

// privateDirs hold what belongs to people and services of the host, or are made
// by Cordon for each cell. A host root never shows them.
var privateDirs = []string{"/home", "/root", "/etc", "/run", "/var/run", "/boot", "/tmp", "/work"}

// dirProblem says what is allowed when dir cannot be part of a root of this
// kind, and "" when it can. It looks at the path alone: whether the directory
// exists, and whether a link leads elsewhere, shows when the root is made.
func dirProblem(dir, kind string) string {
	if !path.IsAbs(dir) || path.Clean(dir) != dir {
		return "an absolute path without \".\", \"..\", doubled or trailing slashes"
	}
	if dir == "/" {
		return "a directory below /, because / would show all of the host"
	}
	for _, r := range dir {
		if r == ':' || r < ' ' || r == 0x7f {
			return "a path without colons, which separate directories, and without control characters"
		}
	}
	closed := kernelDirs
	if kind != RootDirs {
		closed = append(kernelDirs[:len(kernelDirs):len(kernelDirs)], privateDirs...)
	}
	for _, k := range closed {
		if dir == k || strings.HasPrefix(dir, k+"/") {
			return "a directory outside " + strings.Join(closed, ", ")
		}
	}
	return ""
}

func checkWritable(c *checker) {
	w := c.policy.Root.Writable
	if w == nil {
		return
	}
	c.reason("root.writable", w.Reason)
	if w.Default && !w.Allowed {
		c.add("root.writable.default", "true", "false, because allowed is false", "allow it, or take the default out")
	}
}

func checkChoice(c *checker) {
	if j := c.policy.Root.JobMayChooseDirs; j != nil {
		c.reason("root.job_may_choose_dirs", j.Reason)
	}
}

func checkRootSet(c *checker) {
	r := &c.policy.Root
	if r.Kind == "" {
		c.add("root.kind", "nothing", RootHost+" or "+RootDirs, "choose one of them")
	}
	if r.Kind == RootDirs && len(r.Dirs) == 0 {
		c.add("root.dirs", "nothing", "at least one directory where kind is "+RootDirs, "name the trees that make the root, topmost first")
	}
	if r.Writable == nil {
		c.add("root.writable", "nothing", "allowed and reason", "say whether jobs may have a writable root")
	}
	if r.JobMayChooseDirs == nil {
		c.add("root.job_may_choose_dirs", "nothing", "allowed and reason", "say whether jobs may choose the directories of their root")
	}
}
