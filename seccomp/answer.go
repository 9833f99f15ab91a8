package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// answer is what the daemon says to a reported call.
type answer struct {
	name  string
	errno unix.Errno
	fatal bool // ends the job
}

const x32Bit = 0x40000000

// answer decides by number and the register arguments alone: memory behind a
// pointer can change after the look (seccomp_unotify(2), NOTES).
func (p *Program) answer(audit uint32, number int, args [6]uint64) answer {
	if audit != p.Arch.Audit {
		return answer{fmt.Sprintf("foreign architecture 0x%x, call %d", audit, number), unix.ENOSYS, true}
	}
	// A number below zero has that bit as well, but no architecture.
	if p.Arch == AMD64 && number >= x32Bit {
		return answer{fmt.Sprintf("foreign architecture x32, call %d", number&^x32Bit), unix.ENOSYS, true}
	}
	name, ok := p.Arch.callName(number)
	switch {
	case !ok:
		return answer{fmt.Sprintf("unknown call %d", number), unix.ENOSYS, false}
	case slices.Contains(absent, name), number > newest:
		return answer{name, unix.ENOSYS, false}
	case (name == "socket" || name == "socketpair") && !oneOf(ways(p.profile, name), args[0]):
		return answer{fmt.Sprintf("%s (address family %d)", name, uint32(args[0])), unix.EAFNOSUPPORT, false}
	case (name == "socket" || name == "socketpair") && otherProtocol(ways(p.profile, name), args):
		// As by a kernel without it: libraries try multipath TCP first.
		return answer{fmt.Sprintf("%s (protocol %d)", name, uint32(args[2])), unix.EPROTONOSUPPORT, false}
	case name == "ioctl":
		return answer{fmt.Sprintf("ioctl (request 0x%x)", uint32(args[1])), unix.ENOTTY, false}
	case name == "fcntl":
		// As by an older kernel: who asks for a newer command goes on without.
		return answer{fmt.Sprintf("fcntl (command %d)", uint32(args[1])), unix.EINVAL, false}
	case name == "prctl":
		return answer{fmt.Sprintf("prctl (option %d)", uint32(args[0])), unix.EINVAL, false}
	}
	return answer{name, unix.EPERM, false}
}

// otherProtocol: some protocol is allowed with this family and type, but not this.
func otherProtocol(ways [][]condition, args [6]uint64) bool {
	usual := slices.DeleteFunc(slices.Clone(ways), func(way []condition) bool {
		return args[0]&way[0].mask != way[0].value || args[1]&way[1].mask != way[1].value
	})
	return len(usual) > 0 && !slices.ContainsFunc(usual, func(way []condition) bool { return args[2]&way[2].mask == way[2].value })
}

// oneOf: the first condition of some way holds for the value.
func oneOf(ways [][]condition, value uint64) bool {
	return slices.ContainsFunc(ways, func(way []condition) bool { return value&way[0].mask == way[0].value })
}
