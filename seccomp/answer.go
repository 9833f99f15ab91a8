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
	case slices.Contains(absent, name):
		return answer{name, unix.ENOSYS, false}
	case (name == "socket" || name == "socketpair") && !oneOf(conditions[name], args[0]):
		return answer{fmt.Sprintf("%s (address family %d)", name, uint32(args[0])), unix.EAFNOSUPPORT, false}
	case name == "ioctl":
		return answer{fmt.Sprintf("ioctl (request 0x%x)", uint32(args[1])), unix.ENOTTY, false}
	case name == "prctl":
		return answer{fmt.Sprintf("prctl (option %d)", uint32(args[0])), unix.EINVAL, false}
	}
	return answer{name, unix.EPERM, false}
}

// oneOf: the first condition of some way holds for the value.
func oneOf(ways [][]condition, value uint64) bool {
	return slices.ContainsFunc(ways, func(way []condition) bool { return value&way[0].mask == way[0].value })
}
