package seccomp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A call with certain arguments, what the filter must do in the profiles named,
// and what the daemon answers when it is reported. Written by hand from the
// kernel's meaning of the arguments, not from the tables.
type argumentCase struct {
	call   string
	args   [6]uint64
	strict bool       // as in default in strict, too; where not, reported there
	errno  unix.Errno // 0: allowed in default and ci
	atOnce bool       // answered by the kernel alone, where the call is allowed with other arguments
}

const upper = 0xffffffff << 32

var argumentCases = []argumentCase{
	// No new namespace, whatever else is asked; threads and forks as they are.
	{"clone", [6]uint64{uint64(unix.SIGCHLD)}, true, 0, false},
	{"clone", [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, true, 0, false},
	{"clone", [6]uint64{0x3d0f00}, true, 0, false},  // pthread_create
	{"clone", [6]uint64{0x1200011}, true, 0, false}, // fork of glibc
	{"clone", [6]uint64{unix.CLONE_NEWUSER}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWNS | uint64(unix.SIGCHLD)}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWPID}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWNET}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWIPC}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWUTS}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWCGROUP}, true, unix.EPERM, false},
	{"clone", [6]uint64{unix.CLONE_NEWUSER | upper}, true, unix.EPERM, false},
	{"clone", [6]uint64{0x3d0f00 | unix.CLONE_NEWUSER}, true, unix.EPERM, false},

	{"socketpair", [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM}, true, 0, false},
	{"socketpair", [6]uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK}, true, 0, false},
	{"socketpair", [6]uint64{unix.AF_UNIX, unix.SOCK_RAW}, true, unix.EPERM, false},
	{"socketpair", [6]uint64{unix.AF_TIPC, unix.SOCK_STREAM}, true, unix.EAFNOSUPPORT, false},
	{"socketpair", [6]uint64{unix.AF_INET, unix.SOCK_STREAM}, true, unix.EAFNOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_UNIX, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}, false, 0, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM}, false, 0, false},
	{"socket", [6]uint64{unix.AF_INET6, unix.SOCK_DGRAM, 17}, false, 0, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_RAW, 1}, false, unix.EPERM, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_PACKET}, false, unix.EPERM, false},
	{"socket", [6]uint64{unix.AF_INET, 0}, false, unix.EPERM, false},
	{"socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE}, false, unix.EAFNOSUPPORT, true},
	{"socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_DGRAM, unix.NETLINK_KOBJECT_UEVENT}, false, unix.EAFNOSUPPORT, false},
	{"socketpair", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, true, unix.EAFNOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP}, false, 0, false},
	{"socket", [6]uint64{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP}, false, 0, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, false, unix.EPROTONOSUPPORT, true},
	{"socket", [6]uint64{unix.AF_INET6, unix.SOCK_STREAM | unix.SOCK_NONBLOCK, unix.IPPROTO_MPTCP}, false, unix.EPROTONOSUPPORT, true},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_MPTCP}, false, unix.EPROTONOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, false, unix.EPROTONOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, false, unix.EPROTONOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE}, false, unix.EPROTONOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP}, false, unix.EPROTONOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP}, false, unix.EPERM, false},
	{"socket", [6]uint64{unix.AF_NETLINK | upper, unix.SOCK_DGRAM}, false, unix.EAFNOSUPPORT, true},
	{"socket", [6]uint64{unix.AF_PACKET, unix.SOCK_DGRAM}, false, unix.EAFNOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_ALG, unix.SOCK_SEQPACKET}, false, unix.EAFNOSUPPORT, false},
	{"socket", [6]uint64{unix.AF_VSOCK, unix.SOCK_STREAM}, false, unix.EAFNOSUPPORT, false},

	{"sendto", [6]uint64{3, 0, 0, unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT}, true, 0, false},
	{"sendto", [6]uint64{3, 0, 0, unix.MSG_OOB}, true, unix.EPERM, false},
	{"sendto", [6]uint64{3, 0, 0, unix.MSG_OOB | unix.MSG_NOSIGNAL | upper}, true, unix.EPERM, false},
	{"recvfrom", [6]uint64{3, 0, 0, unix.MSG_OOB}, true, unix.EPERM, false},
	{"sendmsg", [6]uint64{3, 0, unix.MSG_OOB}, true, unix.EPERM, false},
	{"recvmsg", [6]uint64{3, 0, unix.MSG_OOB | unix.MSG_PEEK}, true, unix.EPERM, false},
	{"recvmsg", [6]uint64{3, unix.MSG_OOB, unix.MSG_CMSG_CLOEXEC}, true, 0, false},
	{"sendmmsg", [6]uint64{3, 0, 1, unix.MSG_OOB}, false, unix.EPERM, false},
	{"recvmmsg", [6]uint64{3, 0, 1, unix.MSG_OOB}, false, unix.EPERM, false},
	{"recvmmsg", [6]uint64{3, 0, 1, unix.MSG_WAITFORONE}, false, 0, false},

	{"ioctl", [6]uint64{0, unix.TCGETS}, true, 0, false},
	{"ioctl", [6]uint64{0, 0x541b | upper}, true, 0, false}, // FIONREAD
	{"ioctl", [6]uint64{0, 0x5421}, true, 0, false},         // FIONBIO
	{"ioctl", [6]uint64{0, unix.TIOCSTI}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TIOCSTI | upper}, true, unix.ENOTTY, false}, // CVE-2019-10063
	{"ioctl", [6]uint64{0, unix.TIOCSTI | 1<<32}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TIOCLINUX}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TIOCCONS}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TIOCSETD}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TIOCGDEV}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.FS_IOC_SETFLAGS}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.NS_GET_USERNS}, true, unix.ENOTTY, false},
	{"ioctl", [6]uint64{0, unix.TUNSETIFF}, true, unix.ENOTTY, false},

	// The own descriptors everywhere, locks not in strict, and nowhere what tells of others.
	{"fcntl", [6]uint64{3, unix.F_DUPFD_CLOEXEC, 16}, true, 0, false}, // the cell's own
	{"fcntl", [6]uint64{3, unix.F_SETFD | upper, 1}, true, 0, false},
	{"fcntl", [6]uint64{unix.F_SETLEASE, unix.F_GETFL, unix.F_NOTIFY}, true, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SETFL, unix.O_NONBLOCK}, true, 0, false},
	{"fcntl", [6]uint64{3, unix.F_GETOWN_EX}, true, 0, false},
	{"fcntl", [6]uint64{3, unix.F_GETPIPE_SZ}, true, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SETPIPE_SZ, 1 << 16}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_SETPIPE_SZ | upper, 1 << 20}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_ADD_SEALS, unix.F_SEAL_WRITE}, true, 0, false},
	{"fcntl", [6]uint64{3, unix.F_GETLK}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SETLK}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SETLKW | upper}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_OFD_GETLK}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_OFD_SETLK}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_OFD_SETLKW}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SETSIG, 10}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_GET_RW_HINT}, false, 0, false},
	{"fcntl", [6]uint64{3, unix.F_SET_RW_HINT}, true, unix.EINVAL, true},
	{"fcntl", [6]uint64{3, unix.F_SETLEASE, unix.F_RDLCK}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_SETLEASE | upper, unix.F_RDLCK}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_GETLEASE}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_NOTIFY, 1}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_GETDELEG}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, unix.F_SETDELEG}, true, unix.EINVAL, false},
	{"fcntl", [6]uint64{3, 12}, true, unix.EINVAL, false}, // F_GETLK64, of 32-bit architectures
	{"fcntl", [6]uint64{3, 17}, true, unix.EINVAL, false}, // F_GETOWNER_UIDS
	{"fcntl", [6]uint64{3, ^uint64(0)}, true, unix.EINVAL, false},

	{"prctl", [6]uint64{unix.PR_SET_NAME}, true, 0, false},
	{"prctl", [6]uint64{unix.PR_SET_VMA | upper}, true, 0, false},
	{"prctl", [6]uint64{unix.PR_SET_NO_NEW_PRIVS, 1}, true, 0, false},
	{"prctl", [6]uint64{unix.PR_SET_PTRACER}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_SET_MM}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_SCHED_CORE}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_CAPBSET_DROP}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_SET_SECUREBITS}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_SET_SPECULATION_CTRL}, true, unix.EINVAL, false},
	{"prctl", [6]uint64{unix.PR_SET_IO_FLUSHER}, true, unix.EINVAL, false},

	{"personality", [6]uint64{0}, true, 0, false},
	{"personality", [6]uint64{0xffffffff}, true, 0, false},
	{"personality", [6]uint64{^uint64(0)}, true, 0, false},
	{"personality", [6]uint64{0x0040000}, true, unix.EPERM, false}, // ADDR_NO_RANDOMIZE
	{"personality", [6]uint64{0x0400000}, true, unix.EPERM, false}, // READ_IMPLIES_EXEC
	{"personality", [6]uint64{0x8}, true, unix.EPERM, false},       // PER_LINUX32

	{"seccomp", [6]uint64{unix.SECCOMP_SET_MODE_STRICT}, true, 0, false},
	{"seccomp", [6]uint64{unix.SECCOMP_SET_MODE_FILTER}, true, 0, false},
	{"seccomp", [6]uint64{unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG}, true, 0, false},
	{"seccomp", [6]uint64{unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, true, unix.EPERM, false},
	{"seccomp", [6]uint64{unix.SECCOMP_SET_MODE_FILTER | upper, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | upper}, true, unix.EPERM, false},
	{"seccomp", [6]uint64{unix.SECCOMP_GET_ACTION_AVAIL, 0xff}, true, 0, false},
	{"seccomp", [6]uint64{unix.SECCOMP_GET_NOTIF_SIZES}, true, 0, false},
	{"seccomp", [6]uint64{4}, true, unix.EPERM, false},

	{"mknodat", [6]uint64{3, 0, unix.S_IFREG | 0o644}, true, 0, false},
	{"mknodat", [6]uint64{3, 0, 0o600}, true, 0, false},
	{"mknodat", [6]uint64{3, 0, unix.S_IFIFO | 0o644}, true, 0, false},
	{"mknodat", [6]uint64{3, 0, unix.S_IFSOCK}, true, 0, false},
	{"mknodat", [6]uint64{3, 0, unix.S_IFCHR | 0o644}, true, unix.EPERM, false},
	{"mknodat", [6]uint64{3, 0, unix.S_IFBLK}, true, unix.EPERM, false},
	{"mknodat", [6]uint64{3, unix.S_IFCHR, unix.S_IFREG}, true, 0, false},
	{"mknodat", [6]uint64{3, 0, unix.S_IFCHR | upper}, true, unix.EPERM, false},
	{"mknod", [6]uint64{0, unix.S_IFIFO}, true, 0, false},
	{"mknod", [6]uint64{0, unix.S_IFCHR}, true, unix.EPERM, false},

	{"sched_setscheduler", [6]uint64{0, unix.SCHED_BATCH}, false, 0, false},
	{"sched_setscheduler", [6]uint64{0, unix.SCHED_FIFO}, false, unix.EPERM, false},
	{"sched_setscheduler", [6]uint64{0, unix.SCHED_RR | upper}, false, unix.EPERM, false},
	{"sched_setscheduler", [6]uint64{0, unix.SCHED_DEADLINE}, false, unix.EPERM, false},
}

func TestArguments(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		known := numbers(t, a)
		for _, c := range argumentCases {
			n, ok := known[c.call]
			if !ok {
				if a == AMD64 || c.call != "mknod" { // arm64 has only the calls with "at"
					t.Errorf("%s is no call", c.call)
				}
				continue
			}
			want := uint32(actAllow)
			if c.call == "socket" || c.call == "socketpair" {
				want = actTold
			}
			switch {
			case profile == "strict" && !c.strict:
				want = actReport
			case c.atOnce:
				want = actErrno | uint32(c.errno)
			case c.errno != 0:
				want = actReport
			}
			d := data{nr: uint32(n), arch: a.Audit, args: c.args}
			if got := m.must(t, p, d); got != want {
				t.Errorf("%s %x: %s, want %s", c.call, c.args, actText(got), actText(want))
			}
			if got := p.answer(a.Audit, n, c.args); c.errno != 0 && (got.errno != c.errno || got.fatal) {
				t.Errorf("%s %x: answered %+v, want %v", c.call, c.args, got, c.errno)
			}
		}
	})
}

// TestFamilies tries every address family with every type of socket.
func TestFamilies(t *testing.T) {
	fine := map[uint64]bool{unix.AF_UNIX: true, unix.AF_INET: true, unix.AF_INET6: true}
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		known := numbers(t, a)
		for family := range uint64(64) {
			for kind := range uint64(16) {
				usual := kind == unix.SOCK_STREAM || kind == unix.SOCK_DGRAM || kind == unix.SOCK_SEQPACKET
				for call, want := range map[string]bool{
					"socket":     profile != "strict" && fine[family] && usual && (kind != unix.SOCK_SEQPACKET || family == unix.AF_UNIX),
					"socketpair": family == unix.AF_UNIX && usual,
				} {
					args := [6]uint64{family, kind | unix.SOCK_CLOEXEC}
					if family == unix.AF_NETLINK {
						args[2] = unix.NETLINK_GENERIC // routing has an answer of its own
					}
					got := m.must(t, p, data{nr: uint32(known[call]), arch: a.Audit, args: args})
					if (got == actTold) != want || !want && got != actReport {
						t.Errorf("%s, family %d, type %d: %s", call, family, kind, actText(got))
					}
					if e := p.answer(a.Audit, known[call], args).errno; !fine[family] && e != unix.EAFNOSUPPORT {
						t.Errorf("%s, family %d: %v", call, family, e)
					}
				}
			}
		}
	})
}
