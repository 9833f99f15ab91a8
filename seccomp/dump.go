package seccomp

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Dump writes the filter as a table for review: number, name, what happens,
// under which conditions, and why. Calls that are reported and get EPERM because
// they are on no list are named as well: nothing is left out.
func Dump(w io.Writer, r Rules, a Arch) error {
	allowed, err := r.allowed()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "# profile %s, architecture %s\n", r.Profile, a)
	fmt.Fprintf(w, "# foreign architectures: reported, the job ends\n# numbers without a name: reported, ENOSYS\n")
	p := &Program{Arch: a, profile: r.Profile}
	for n := range maxNumber {
		name, ok := a.callName(n)
		if !ok {
			continue
		}
		if _, err := fmt.Fprintf(w, "%3d %-24s %s\n", n, name, describe(p, n, name, allowed)); err != nil {
			return err
		}
	}
	return nil
}

func describe(p *Program, n int, name string, allowed map[string]bool) string {
	if ways := ways(p.profile, name); allowed[name] && len(ways) > 0 {
		text := "allow if "
		if slices.Contains(tellers, name) {
			text = "tell and allow if "
		}
		text += waysText(ways)
		for _, r := range refusals[name] {
			text += ", else " + errnoText(r.errno) + " at once if " + waysText([][]condition{r.way})
		}
		return text + ", else " + reported(p, n, ^uint64(0)) + reason(name)
	}
	if allowed[name] {
		return "allow" + reason(name)
	}
	if errno, ok := atOnce[name]; ok {
		return errnoText(errno) + " at once"
	}
	return reported(p, n, 0)
}

// reported are the errnos of a reported call. They differ where the first
// argument is a family that is allowed and something else is not.
func reported(p *Program, n int, arg uint64) string {
	answer := func(args ...uint64) string {
		var all [6]uint64
		copy(all[:], args)
		return errnoText(p.answer(p.Arch.Audit, n, all).errno)
	}
	first, other := answer(arg, arg), answer(unix.AF_UNIX, arg)
	if other != first {
		first += " (other families), " + answer(unix.AF_UNIX, unix.SOCK_STREAM, arg) + " (other protocols) or " + other
	}
	return first + " reported"
}

func errnoText(e unix.Errno) string {
	if e == 0 {
		return "0"
	}
	return unix.ErrnoName(e)
}

func reason(name string) string { return "  # " + why(name) }

const ownRule = "the policy's own"

// why a call is allowed.
func why(name string) string {
	for _, g := range allowGroups {
		if slices.Contains(g.names, name) {
			return g.reason
		}
	}
	return ownRule
}

func waysText(ways [][]condition) string {
	var out []string
	for _, way := range ways {
		var all []string
		for _, c := range way {
			all = append(all, fmt.Sprintf("arg%d & 0x%x == 0x%x", c.arg, c.mask, c.value))
		}
		out = append(out, strings.Join(all, " and "))
	}
	return strings.Join(out, " or ")
}
