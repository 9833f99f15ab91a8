package seccomp

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// meanings are what an argument is called and what its values are called, for
// people who read a filter. They decide nothing.
type meaning struct {
	name   string
	values map[uint64]string
}

var (
	familyNames = map[uint64]string{unix.AF_UNIX: "AF_UNIX", unix.AF_INET: "AF_INET", unix.AF_INET6: "AF_INET6", unix.AF_NETLINK: "AF_NETLINK"}
	typeNames   = map[uint64]string{unix.SOCK_STREAM: "SOCK_STREAM", unix.SOCK_DGRAM: "SOCK_DGRAM", unix.SOCK_SEQPACKET: "SOCK_SEQPACKET"}
	fileTypes   = map[uint64]string{0: "0", unix.S_IFREG: "S_IFREG", unix.S_IFIFO: "S_IFIFO", unix.S_IFSOCK: "S_IFSOCK"}
	messageBits = meaning{"flags", map[uint64]string{unix.MSG_OOB: "MSG_OOB"}}
)

var meanings = map[string]map[uint]meaning{
	"clone": {0: {"flags", map[uint64]string{unix.CLONE_NEWNS: "CLONE_NEWNS", unix.CLONE_NEWCGROUP: "CLONE_NEWCGROUP",
		unix.CLONE_NEWUTS: "CLONE_NEWUTS", unix.CLONE_NEWIPC: "CLONE_NEWIPC", unix.CLONE_NEWUSER: "CLONE_NEWUSER",
		unix.CLONE_NEWPID: "CLONE_NEWPID", unix.CLONE_NEWNET: "CLONE_NEWNET"}}},
	"socket":      {0: {"family", familyNames}, 1: {"type", typeNames}, 2: {"protocol", nil}},
	"socketpair":  {0: {"family", familyNames}, 1: {"type", typeNames}, 2: {"protocol", nil}},
	"sendto":      {3: messageBits},
	"recvfrom":    {3: messageBits},
	"sendmsg":     {2: messageBits},
	"recvmsg":     {2: messageBits},
	"sendmmsg":    {3: messageBits},
	"recvmmsg":    {3: messageBits},
	"mknod":       {1: {"mode", fileTypes}},
	"mknodat":     {2: {"mode", fileTypes}},
	"prlimit64":   {0: {"pid", map[uint64]string{0: "0 (the caller)"}}},
	"personality": {0: {"persona", map[uint64]string{0: "PER_LINUX", low: "0xffffffff (only asks)"}}},
	"seccomp": {0: {"operation", map[uint64]string{unix.SECCOMP_SET_MODE_STRICT: "SECCOMP_SET_MODE_STRICT",
		unix.SECCOMP_SET_MODE_FILTER: "SECCOMP_SET_MODE_FILTER", unix.SECCOMP_GET_ACTION_AVAIL: "SECCOMP_GET_ACTION_AVAIL",
		unix.SECCOMP_GET_NOTIF_SIZES: "SECCOMP_GET_NOTIF_SIZES"}},
		1: {"flags", map[uint64]string{unix.SECCOMP_FILTER_FLAG_NEW_LISTENER: "SECCOMP_FILTER_FLAG_NEW_LISTENER"}}},
	"sched_setscheduler": {1: {"policy", map[uint64]string{unix.SCHED_NORMAL: "SCHED_OTHER", unix.SCHED_BATCH: "SCHED_BATCH", unix.SCHED_IDLE: "SCHED_IDLE"}}},
	"ioctl": {1: {"request", map[uint64]string{unix.TCGETS: "TCGETS", unix.TCSETS: "TCSETS", unix.TCSETSW: "TCSETSW",
		unix.TCSETSF: "TCSETSF", unix.TCSBRK: "TCSBRK", unix.TCFLSH: "TCFLSH", unix.TCXONC: "TCXONC", 0x802c542a: "TCGETS2",
		unix.TIOCGWINSZ: "TIOCGWINSZ", unix.TIOCSWINSZ: "TIOCSWINSZ", unix.TIOCGPGRP: "TIOCGPGRP", unix.TIOCSPGRP: "TIOCSPGRP",
		unix.TIOCGSID: "TIOCGSID", unix.TIOCSCTTY: "TIOCSCTTY", unix.TIOCNOTTY: "TIOCNOTTY", unix.TIOCOUTQ: "TIOCOUTQ",
		0x541b: "FIONREAD", 0x5421: "FIONBIO", 0x5452: "FIOASYNC", 0x5451: "FIOCLEX", 0x5450: "FIONCLEX", 0x5460: "FIOQSIZE",
		unix.FICLONE: "FICLONE", unix.FICLONERANGE: "FICLONERANGE", unix.FS_IOC_GETFLAGS & low: "FS_IOC_GETFLAGS", 2: "FIGETBSZ",
		unix.SIOCGIFCONF: "SIOCGIFCONF", unix.SIOCGIFFLAGS: "SIOCGIFFLAGS", unix.SIOCGIFADDR: "SIOCGIFADDR",
		unix.SIOCGIFNETMASK: "SIOCGIFNETMASK", unix.SIOCGIFBRDADDR: "SIOCGIFBRDADDR", unix.SIOCGIFHWADDR: "SIOCGIFHWADDR",
		unix.SIOCGIFINDEX: "SIOCGIFINDEX", unix.SIOCGIFNAME: "SIOCGIFNAME", unix.SIOCGIFMTU: "SIOCGIFMTU", unix.SIOCGIFTXQLEN: "SIOCGIFTXQLEN"}}},
	"fcntl": {1: {"command", map[uint64]string{unix.F_DUPFD: "F_DUPFD", unix.F_DUPFD_CLOEXEC: "F_DUPFD_CLOEXEC",
		unix.F_GETFD: "F_GETFD", unix.F_SETFD: "F_SETFD", unix.F_GETFL: "F_GETFL", unix.F_SETFL: "F_SETFL",
		unix.F_GETPIPE_SZ: "F_GETPIPE_SZ", unix.F_SETPIPE_SZ: "F_SETPIPE_SZ", unix.F_GETOWN: "F_GETOWN", unix.F_SETOWN: "F_SETOWN",
		unix.F_GETOWN_EX: "F_GETOWN_EX", unix.F_SETOWN_EX: "F_SETOWN_EX", unix.F_GETSIG: "F_GETSIG", unix.F_SETSIG: "F_SETSIG",
		unix.F_ADD_SEALS: "F_ADD_SEALS", unix.F_GET_SEALS: "F_GET_SEALS", unix.F_GETLK: "F_GETLK", unix.F_SETLK: "F_SETLK",
		unix.F_SETLKW: "F_SETLKW", unix.F_OFD_GETLK: "F_OFD_GETLK", unix.F_OFD_SETLK: "F_OFD_SETLK", unix.F_OFD_SETLKW: "F_OFD_SETLKW",
		unix.F_DUPFD_QUERY: "F_DUPFD_QUERY", unix.F_CREATED_QUERY: "F_CREATED_QUERY", unix.F_GET_RW_HINT: "F_GET_RW_HINT",
		unix.F_SET_RW_HINT: "F_SET_RW_HINT", unix.F_GET_FILE_RW_HINT: "F_GET_FILE_RW_HINT", unix.F_SET_FILE_RW_HINT: "F_SET_FILE_RW_HINT"}}},
	"prctl": {0: {"option", map[uint64]string{unix.PR_SET_NAME: "PR_SET_NAME", unix.PR_GET_NAME: "PR_GET_NAME",
		unix.PR_SET_PDEATHSIG: "PR_SET_PDEATHSIG", unix.PR_GET_PDEATHSIG: "PR_GET_PDEATHSIG", unix.PR_SET_DUMPABLE: "PR_SET_DUMPABLE",
		unix.PR_GET_DUMPABLE: "PR_GET_DUMPABLE", unix.PR_SET_VMA: "PR_SET_VMA", unix.PR_SET_NO_NEW_PRIVS: "PR_SET_NO_NEW_PRIVS",
		unix.PR_GET_NO_NEW_PRIVS: "PR_GET_NO_NEW_PRIVS", unix.PR_CAPBSET_READ: "PR_CAPBSET_READ", unix.PR_CAP_AMBIENT: "PR_CAP_AMBIENT",
		unix.PR_GET_SECCOMP: "PR_GET_SECCOMP", unix.PR_GET_SECUREBITS: "PR_GET_SECUREBITS", unix.PR_SET_KEEPCAPS: "PR_SET_KEEPCAPS",
		unix.PR_GET_KEEPCAPS: "PR_GET_KEEPCAPS", unix.PR_SET_TIMERSLACK: "PR_SET_TIMERSLACK", unix.PR_GET_TIMERSLACK: "PR_GET_TIMERSLACK",
		unix.PR_SET_CHILD_SUBREAPER: "PR_SET_CHILD_SUBREAPER", unix.PR_GET_CHILD_SUBREAPER: "PR_GET_CHILD_SUBREAPER",
		unix.PR_SET_THP_DISABLE: "PR_SET_THP_DISABLE", unix.PR_GET_THP_DISABLE: "PR_GET_THP_DISABLE", unix.PR_GET_TID_ADDRESS: "PR_GET_TID_ADDRESS",
		unix.PR_GET_TSC: "PR_GET_TSC", unix.PR_GET_SPECULATION_CTRL: "PR_GET_SPECULATION_CTRL", unix.PR_MCE_KILL: "PR_MCE_KILL",
		unix.PR_GET_AUXV: "PR_GET_AUXV", unix.PR_SET_SECCOMP: "PR_SET_SECCOMP"}}},
}

// protocolNames depend on the family: the numbers are used again.
var protocolNames = map[uint64]map[uint64]string{
	unix.AF_UNIX:    {0: "0", unix.AF_UNIX: "PF_UNIX"},
	unix.AF_INET:    {0: "0", unix.IPPROTO_TCP: "IPPROTO_TCP", unix.IPPROTO_UDP: "IPPROTO_UDP", unix.IPPROTO_MPTCP: "IPPROTO_MPTCP"},
	unix.AF_NETLINK: {unix.NETLINK_ROUTE: "NETLINK_ROUTE"},
}

// wayWords says one way in words.
func wayWords(call string, way []condition) string {
	var all []string
	for _, c := range way {
		m := meanings[call][c.arg]
		if m.name == "protocol" {
			m.values = protocolNames[way[0].value]
			if way[0].value == unix.AF_INET6 {
				m.values = protocolNames[unix.AF_INET]
			}
		}
		all = append(all, m.words(c))
	}
	return strings.Join(all, ", ")
}

func (m meaning) words(c condition) string {
	switch {
	case c.value == 0 && m.name == "flags":
		return m.name + " without " + strings.Join(m.bits(c.mask), ", ")
	case c.mask == low:
		return m.name + " " + m.value(c.value)
	}
	return fmt.Sprintf("%s & 0x%x = %s", m.name, c.mask, m.value(c.value))
}

func (m meaning) value(v uint64) string {
	if name, ok := m.values[v]; ok {
		return name
	}
	return fmt.Sprintf("0x%x", v)
}

func (m meaning) bits(mask uint64) []string {
	var out []string
	for bit := range 64 {
		if v := uint64(1) << bit; mask&v != 0 {
			out = append(out, m.value(v))
		}
	}
	return out
}
