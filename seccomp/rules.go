// Package seccomp turns named rules into a classic BPF program, by libseccomp
// and once per set of rules, and reads what the program reports.
//
// The program has three answers. What is on the profile's list is allowed, some
// calls only with certain arguments. A few calls that programs try all the time
// and can do without get an errno at once. Everything else is reported to the
// daemon (seccomp_unotify(2)), which answers with an errno and counts: a denied
// call has a name in the result. A foreign architecture is reported, too, and ends
// the job. Calls for sockets are always reported; the daemon decides by the same
// lists, notes those that are allowed, and lets them, and nothing else, go on. So
// when the daemon is gone every reported call fails with ENOSYS: the failure mode
// is closed.
package seccomp

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules name a base profile and what is added to or taken from it. Names are
// kernel syscall names.
type Rules struct {
	Profile     string   // "default", "strict" or "ci"
	Allow, Deny []string // Deny wins
}

// Profiles lists the base profiles.
func Profiles() []string { return []string{"default", "strict", "ci"} }

// allowed is the set of names that the rules let through, with or without
// conditions on their arguments.
func (r Rules) allowed() (map[string]bool, error) {
	set := map[string]bool{}
	for _, g := range allowGroups {
		if !slices.Contains(g.profiles, r.Profile) {
			continue
		}
		for _, n := range g.names {
			set[n] = true
		}
	}
	if len(set) == 0 {
		return nil, fmt.Errorf("seccomp profile %q given, allowed are %s", r.Profile, strings.Join(Profiles(), ", "))
	}
	for _, n := range slices.Concat(r.Allow, r.Deny) {
		if !Known(n) {
			return nil, fmt.Errorf("seccomp: %q is not a system call; did you mean one of %s?", n, strings.Join(nearest(n), ", "))
		}
	}
	for _, n := range r.Allow {
		set[n] = true
	}
	for _, n := range r.Deny {
		if slices.Contains(needed, n) {
			return nil, fmt.Errorf("seccomp: %s cannot be denied: every job is started with it", n)
		}
		delete(set, n)
	}
	return set, nil
}

// Known says whether a name is a system call of any architecture we serve.
func Known(name string) bool {
	for _, a := range Arches() {
		if _, ok := a.number(name); ok {
			return true
		}
	}
	return false
}

// nearest are known names that share the longest beginning with name.
func nearest(name string) []string {
	all := slices.Sorted(maps.Keys(everyName()))
	for n := min(len(name), 6); n > 0; n-- {
		var close []string
		for _, c := range all {
			if strings.HasPrefix(c, name[:n]) {
				close = append(close, c)
			}
		}
		if len(close) > 0 {
			return close[:min(len(close), 5)]
		}
	}
	return []string{"read", "write"}
}
