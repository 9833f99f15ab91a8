package policy

import (
	"fmt"
	"slices"
)

// merge lays child over parent. The rules, part by part:
//
//   - name and description are the child's.
//   - a limit: the child's default and max each win where written; the reason
//     is the child's as soon as it writes the limit at all.
//   - root.kind, with its reason, and root.dirs: the child's where written. A
//     child that changes the kind does not take over the directories: lowers of
//     one kind mean something else in the other.
//   - root.writable, root.job_may_choose_dirs, each cap, interactive, inspect, require_subuid:
//     the child's where written, whole.
//   - seccomp.profile, with its reason: the child's where written.
//   - seccomp.allow and seccomp.deny: both together. A child may deny what its
//     parent allows; to allow what its parent denies is a problem, because the
//     denial would win without a word.
func merge(parent, child *Policy) (*Policy, []Problem) {
	m := &Policy{Name: child.Name, Description: child.Description}
	m.Limits = mergeLimits(parent.Limits, child.Limits)
	m.BuildLimits = mergeLimits(parent.BuildLimits, child.BuildLimits)
	m.Root = mergeRoot(parent.Root, child.Root)
	m.Caps = child.Caps
	for _, f := range capFields {
		r := f.rule(&m.Caps)
		*r = clone(or(*r, *f.rule(&parent.Caps)))
	}
	m.Interactive = clone(or(child.Interactive, parent.Interactive))
	m.Inspect = clone(or(child.Inspect, parent.Inspect))
	m.RequireSubuid = clone(or(child.RequireSubuid, parent.RequireSubuid))
	var problems []Problem
	m.Seccomp, problems = mergeSeccomp(parent.Seccomp, child.Seccomp)
	return m, problems
}

// mergeLimits takes copies; Rule values themselves are never written to.
func mergeLimits(parent, child LimitRules) LimitRules {
	for _, f := range fields {
		f.merge(&parent, &child)
	}
	return child
}

func mergeRoot(parent, child RootRules) RootRules {
	m := parent
	if child.Kind != "" {
		m.Kind, m.Reason = child.Kind, child.Reason
		if child.Kind != parent.Kind {
			m.Dirs = nil
		}
	}
	if child.Dirs != nil {
		m.Dirs = child.Dirs
	}
	m.Dirs = slices.Clone(m.Dirs)
	m.Writable = clone(or(child.Writable, parent.Writable))
	m.JobMayChooseDirs = clone(or(child.JobMayChooseDirs, parent.JobMayChooseDirs))
	return m
}

func mergeSeccomp(parent, child SeccompRules) (SeccompRules, []Problem) {
	m := SeccompRules{Profile: parent.Profile, Reason: parent.Reason}
	if child.Profile != "" {
		m.Profile, m.Reason = child.Profile, child.Reason
	}
	denied := syscalls(parent.Deny)
	var problems []Problem
	for i, r := range child.Allow {
		for j, name := range r.Syscalls {
			if slices.Contains(denied, name) {
				problems = append(problems, Problem{fmt.Sprintf("seccomp.allow[%d].syscalls[%d]", i, j),
					fmt.Sprintf("%q, which the policy that is extended denies", name), "calls that no parent denies",
					"take the name out, or extend another policy"})
			}
		}
	}
	// What the child denies or states again leaves the parent's lists, so that
	// each name keeps one place and the reason nearest to it.
	own := append(syscalls(child.Deny), syscalls(child.Allow)...)
	m.Allow = append(without(parent.Allow, own), without(child.Allow, nil)...)
	m.Deny = append(without(parent.Deny, own), without(child.Deny, nil)...)
	return m, problems
}

// syscalls are the names of all rules, in order.
func syscalls(rules []SyscallRule) []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.Syscalls...)
	}
	return names
}

// without copies rules, less the names given and the rules they leave empty.
func without(rules []SyscallRule, names []string) []SyscallRule {
	var kept []SyscallRule
	for _, r := range rules {
		left := slices.DeleteFunc(slices.Clone(r.Syscalls), func(s string) bool { return slices.Contains(names, s) })
		if len(left) > 0 || len(r.Syscalls) == 0 {
			kept = append(kept, SyscallRule{left, r.Reason})
		}
	}
	return kept
}

func or[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}
