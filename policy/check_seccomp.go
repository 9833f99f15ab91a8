package policy

import (
	"fmt"
	"slices"
	"strings"
)

func checkProfile(c *checker) {
	s := &c.policy.Seccomp
	if s.Profile == "" {
		if s.Reason != "" {
			c.add("seccomp.reason", fmt.Sprintf("%q", s.Reason), "nothing without seccomp.profile", "write the profile, or take the reason out")
		}
		return
	}
	if !slices.Contains(Profiles(), s.Profile) {
		c.add("seccomp.profile", fmt.Sprintf("%q", s.Profile), strings.Join(Profiles(), ", "), "choose one of them")
	}
	c.reason("seccomp", s.Reason)
}

// checkSyscalls checks both lists. One name stands in one place: a call that is
// both allowed and denied would be denied, which its author did not say.
func checkSyscalls(c *checker) {
	seen := map[string]string{}
	for _, list := range []struct {
		name  string
		rules []SyscallRule
	}{{"seccomp.allow", c.policy.Seccomp.Allow}, {"seccomp.deny", c.policy.Seccomp.Deny}} {
		for i, r := range list.rules {
			field := fmt.Sprintf("%s[%d]", list.name, i)
			c.reason(field, r.Reason)
			if len(r.Syscalls) == 0 {
				c.add(field+".syscalls", "nothing", "at least one name", "name the system calls, or take the rule out")
			}
			for j, name := range r.Syscalls {
				c.syscall(fmt.Sprintf("%s.syscalls[%d]", field, j), name, seen)
			}
		}
	}
}

func (c *checker) syscall(field, name string, seen map[string]string) {
	if !validSyscall(name) || c.known != nil && !c.known(name) {
		c.add(field, quoteOrNothing(name), "the kernel's name of a system call, as in openat",
			"look the name up in syscalls(2)")
		return
	}
	if first := seen[name]; first != "" {
		c.add(field, fmt.Sprintf("%q, which stands in %s already", name, first), "every name once", "take one of them out")
		return
	}
	seen[name] = field
}

func validSyscall(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i, r := range s {
		if (r < 'a' || r > 'z') && r != '_' && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}

func checkSeccompSet(c *checker) {
	if c.policy.Seccomp.Profile == "" {
		c.add("seccomp.profile", "nothing", strings.Join(Profiles(), ", "), "choose one of them")
	}
}
