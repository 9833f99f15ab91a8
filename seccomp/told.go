package seccomp

import (
	"maps"
	"slices"
)

// told is a call that the rules allow in these ways, and that is reported
// nevertheless, so that the daemon knows of it. It then lets the call go on.
type told struct {
	number int
	ways   [][]condition
}

// tell keeps what the daemon has to know to let a told call go on.
func (p *Program) tell(allowed map[string]bool) {
	for _, name := range tellers {
		if n, ok := p.Arch.number(name); ok && allowed[name] {
			p.told = append(p.told, told{n, ways(p.profile, name)})
		}
	}
	p.tells = !slices.ContainsFunc(slices.Collect(maps.Keys(allowed)), func(name string) bool { return why(name) == ownRule })
}

// TellsSockets says whether no process can have come to a socket without a report.
// All profiles are such, and so are policies that add to one what another has: no
// profile's list has a way to a socket, or to another network namespace, past the
// calls that are told. A call beyond the lists may be one, as bpf, io_uring_setup,
// pidfd_getfd, setns and clone3 are.
func (p *Program) TellsSockets() bool { return p.tells }

// lets says whether a reported call is one that the rules allow. What they look at
// are register arguments: see the place where the answer is sent.
func (p *Program) lets(audit uint32, number int, args *[6]uint64) bool {
	if audit != p.Arch.Audit {
		return false
	}
	for i := range p.told {
		if p.told[i].number != number {
			continue
		}
		for _, way := range p.told[i].ways {
			if satisfied(way, args) {
				return true
			}
		}
	}
	return false
}

func satisfied(way []condition, args *[6]uint64) bool {
	for _, c := range way {
		if args[c.arg]&c.mask != c.value {
			return false
		}
	}
	return true
}
