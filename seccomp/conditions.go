package seccomp

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// condition is one way in which a call is allowed: argument index, mask, value.
type condition struct {
	arg   uint
	mask  uint64
	value uint64
}

const (
	low       = 0xffffffff // arguments of type int: the kernel ignores the upper half, and so must a filter (CVE-2019-10063)
	newSpaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
		unix.CLONE_NEWPID | unix.CLONE_NEWNET
	typeMask = 0xf // the rest of a socket's type are flags
	oob      = unix.MSG_OOB
)

// conditions are the ways in which a call is allowed; a call that is not here is
// allowed with any argument. Each way is a list of conditions that must all hold.
var conditions = map[string][][]condition{
	"clone":              {{{0, newSpaces, 0}}}, // CVE-2022-0185 and all that need a user namespace
	"socketpair":         families(unix.AF_UNIX),
	"socket":             families(unix.AF_UNIX, unix.AF_INET, unix.AF_INET6), // not AF_ALG, AF_VSOCK, AF_NETLINK, AF_PACKET, …
	"sendto":             {{{3, oob, 0}}},                                     // CVE-2025-38236 and four before it
	"recvfrom":           {{{3, oob, 0}}},
	"sendmsg":            {{{2, oob, 0}}},
	"recvmsg":            {{{2, oob, 0}}},
	"sendmmsg":           {{{3, oob, 0}}},
	"recvmmsg":           {{{3, oob, 0}}},
	"ioctl":              values(1, ioctls...),
	"fcntl":              values(1, slices.Concat(ownFcntls, sharedFcntls)...),
	"prctl":              values(0, prctls...),
	"personality":        values(0, 0, low),
	"seccomp":            {{{0, low, 0}}, {{0, low, 1}, {1, 1 << 3, 0}}, {{0, low, 2}}, {{0, low, 3}}}, // never a second listener
	"mknod":              types(1),
	"mknodat":            types(2),
	"prlimit64":          {{{0, low, 0}}}, // the caller's own: with a single id, init is the job's user
	"sched_setscheduler": values(1, unix.SCHED_NORMAL, unix.SCHED_BATCH, unix.SCHED_IDLE),
}

// narrowed are the calls that one profile allows in fewer ways than conditions has.
var narrowed = map[string]map[string][][]condition{"strict": {"fcntl": values(1, ownFcntls...)}}

// ways in which a profile allows a call, if it does; none: with any argument.
func ways(profile, name string) [][]condition {
	if fewer, ok := narrowed[profile][name]; ok {
		return fewer
	}
	return conditions[name]
}

// ownFcntls concern the caller's descriptors, pipes and memory files, and nothing
// that another job could see. F_GETOWN_EX is how C libraries ask for F_GETOWN. Not
// F_SETPIPE_SZ: the pipes that a job is given are the service's user's, and longer ones would
// take what all jobs' pipes may have together (fs.pipe-user-pages-soft): others would be short.
var ownFcntls = []uint64{unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETFD, unix.F_SETFD, unix.F_GETFL, unix.F_SETFL,
	unix.F_GETPIPE_SZ, unix.F_GETOWN, unix.F_SETOWN, unix.F_GETOWN_EX, unix.F_ADD_SEALS, unix.F_GET_SEALS}

// sharedFcntls are what strict leaves out: locks, which another job sees on a file
// that both can open, and what few programs use. Never leases, delegations and
// dnotify, which tell who opens the host's files; file servers use them.
var sharedFcntls = []uint64{unix.F_GETLK, unix.F_SETLK, unix.F_SETLKW, unix.F_OFD_GETLK, unix.F_OFD_SETLK, unix.F_OFD_SETLKW,
	unix.F_SETOWN_EX, unix.F_GETSIG, unix.F_SETSIG, unix.F_DUPFD_QUERY, unix.F_CREATED_QUERY,
	unix.F_GET_RW_HINT, unix.F_GET_FILE_RW_HINT, unix.F_SET_FILE_RW_HINT}

// ioctls that work on what a job can own: terminals read-only and settings,
// files, pipes, sockets, interface lists. Never TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD.
var ioctls = []uint64{unix.TCGETS, unix.TCSETS, unix.TCSETSW, unix.TCSETSF, unix.TCSBRK, unix.TCFLSH, unix.TCXONC,
	0x802c542a, // TCGETS2, isatty of newer C libraries
	unix.TIOCGWINSZ, unix.TIOCSWINSZ, unix.TIOCGPGRP, unix.TIOCSPGRP, unix.TIOCGSID, unix.TIOCSCTTY, unix.TIOCNOTTY, unix.TIOCOUTQ,
	0x541b, 0x5421, 0x5452, 0x5451, 0x5450, 0x5460, // FIONREAD FIONBIO FIOASYNC FIOCLEX FIONCLEX FIOQSIZE
	unix.FICLONE, unix.FICLONERANGE, unix.FS_IOC_GETFLAGS, 0x2, /* FIGETBSZ */
	unix.SIOCGIFCONF, unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFNETMASK, unix.SIOCGIFBRDADDR, unix.SIOCGIFHWADDR,
	unix.SIOCGIFINDEX, unix.SIOCGIFNAME, unix.SIOCGIFMTU, unix.SIOCGIFTXQLEN}

var prctls = []uint64{unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_SET_PDEATHSIG, unix.PR_GET_PDEATHSIG, unix.PR_SET_DUMPABLE,
	unix.PR_GET_DUMPABLE, unix.PR_SET_VMA, unix.PR_SET_NO_NEW_PRIVS, unix.PR_GET_NO_NEW_PRIVS, unix.PR_CAPBSET_READ,
	unix.PR_CAP_AMBIENT, unix.PR_GET_SECCOMP, unix.PR_GET_SECUREBITS, unix.PR_SET_KEEPCAPS, unix.PR_GET_KEEPCAPS,
	unix.PR_SET_TIMERSLACK, unix.PR_GET_TIMERSLACK, unix.PR_SET_CHILD_SUBREAPER, unix.PR_GET_CHILD_SUBREAPER,
	unix.PR_SET_THP_DISABLE, unix.PR_GET_THP_DISABLE, unix.PR_GET_TID_ADDRESS, unix.PR_GET_TSC, unix.PR_GET_SPECULATION_CTRL,
	unix.PR_MCE_KILL, unix.PR_GET_AUXV, unix.PR_SET_SECCOMP}

func values(arg uint, allowed ...uint64) [][]condition {
	var out [][]condition
	for _, v := range allowed {
		out = append(out, []condition{{arg, low, v & low}})
	}
	return out
}

// families are sockets that reach no further than the cell. Protocols are the
// usual ones: others have code of their own in the kernel, and some would be
// loaded from disk for it.
func families(domains ...uint64) [][]condition {
	var out [][]condition
	for _, d := range domains {
		for kind, protocols := range map[uint64][]uint64{unix.SOCK_STREAM: {0, unix.IPPROTO_TCP}, unix.SOCK_DGRAM: {0, unix.IPPROTO_UDP}} {
			for _, p := range protocols {
				if d == unix.AF_UNIX && p != 0 {
					p = unix.AF_UNIX // PF_UNIX is its only other protocol
				}
				out = append(out, []condition{{0, low, d}, {1, typeMask, kind}, {2, low, p}})
			}
		}
		if d == unix.AF_UNIX {
			out = append(out, []condition{{0, low, d}, {1, typeMask, unix.SOCK_SEQPACKET}, {2, low, 0}})
		}
	}
	slices.SortFunc(out, func(a, b []condition) int {
		return cmp.Or(cmp.Compare(a[0].value, b[0].value), cmp.Compare(a[1].value, b[1].value), cmp.Compare(a[2].value, b[2].value))
	})
	return out
}

// types: no device nodes, which nothing here could open anyway.
func types(arg uint) [][]condition {
	var out [][]condition
	for _, t := range []uint64{0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK} {
		out = append(out, []condition{{arg, unix.S_IFMT, t}})
	}
	return out
}
