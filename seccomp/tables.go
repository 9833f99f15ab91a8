package seccomp

import "golang.org/x/sys/unix"

var everyProfile = []string{"default", "strict", "ci"}

// group is a set of names with one reason, for review.
type group struct {
	profiles []string
	reason   string
	names    []string
}

// allowGroups is the allow-list. A name that an architecture does not have is
// passed over there. The strict profile leaves out what a batch program computing
// from stdin to stdout can do without and what has been a channel between jobs.
var allowGroups = []group{
	{everyProfile, "memory of the own process", []string{"brk", "mmap", "munmap", "mprotect", "mremap", "madvise",
		"mincore", "membarrier", "mlock", "mlock2", "munlock", "munlockall", "pkey_alloc", "pkey_free", "pkey_mprotect", "memfd_create"}},
	{everyProfile, "files by descriptor and path; what may be reached is the mount tree's matter", []string{
		"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek",
		"open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "stat", "lstat",
		"fstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
		"getdents", "getdents64", "getcwd", "chdir", "fchdir", "rename", "renameat", "renameat2", "link", "linkat",
		"symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "truncate", "ftruncate", "fallocate",
		"chmod", "fchmod", "fchmodat", "fchmodat2", "umask", "utime", "utimes", "futimesat", "utimensat",
		"copy_file_range", "sendfile", "readahead", "fadvise64", "getxattr", "lgetxattr",
		"fgetxattr", "listxattr", "llistxattr", "flistxattr", "mknod", "mknodat"}},
	{everyProfile, "processes and threads inside the own pid namespace", []string{"fork", "vfork", "clone", "execve", "execveat",
		"exit", "exit_group", "wait4", "waitid", "kill", "tkill", "tgkill", "pidfd_open", "pidfd_send_signal",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait", "rt_sigqueueinfo",
		"rt_tgsigqueueinfo", "rt_sigsuspend", "sigaltstack", "signalfd", "signalfd4", "set_tid_address", "set_robust_list",
		"get_robust_list", "futex", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue", "rseq", "restart_syscall",
		"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups",
		"setsid", "setpgid", "getpgid", "getpgrp", "getsid", "getrlimit", "setrlimit", "prlimit64", "getrusage",
		"times", "sysinfo", "uname", "getcpu", "getpriority", "setpriority", "sched_yield", "sched_getaffinity",
		"sched_getparam", "sched_getscheduler", "sched_getattr", "sched_get_priority_max", "sched_get_priority_min",
		"sched_rr_get_interval", "capget", "prctl", "arch_prctl", "seccomp", "personality"}},
	{everyProfile, "ids: harmless without capabilities; a job's process takes its own with them", []string{"setuid", "setgid",
		"setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"}},
	{everyProfile, "time and events", []string{"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday",
		"time", "alarm", "getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
		"timer_delete", "timerfd_create", "timerfd_settime", "timerfd_gettime", "poll", "ppoll", "select", "pselect6",
		"epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2",
		"pipe", "pipe2", "pause", "getrandom", "ioctl"}},
	{everyProfile, "messages on descriptors that are there already, and pairs of them", []string{"socketpair", "sendmsg", "recvmsg",
		"sendto", "recvfrom", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt"}},
	{[]string{"default", "ci"}, "sockets: the own loopback is all there is; runtimes make them at start", []string{"socket", "bind",
		"connect", "listen", "accept", "accept4", "sendmmsg", "recvmmsg"}},
	{[]string{"default", "ci"}, "locks, notification, zero-copy and ownership: of use, and inside the own files", []string{"flock",
		"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "splice", "tee", "chown", "lchown", "fchown",
		"fchownat", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr", "ioprio_get", "ioprio_set"}},
	{[]string{"ci"}, "builds and test suites: System V and POSIX IPC in the own namespace, attributes, Landlock", []string{
		"shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
		"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr", "setxattr", "lsetxattr",
		"fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "mlockall", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}},
}

// needed are the calls with which a cell starts its job below the job's own
// filter; no rule can take them away.
var needed = []string{"read", "write", "recvmsg", "sendmsg", "mmap", "munmap", "openat", "close", "close_range", "mkdirat",
	"symlinkat", "fchmod", "fchmodat", "dup3", "fcntl", "ppoll", "poll", "wait4", "kill", "clone", "setsid", "setresuid",
	"setresgid", "getresuid", "capset", "prlimit64", "setrlimit", "rt_sigprocmask", "rt_sigaction", "umask", "chdir",
	"clock_gettime", "execve", "exit", "exit_group", "rt_sigreturn"}

// tellers are reported to the daemon also where the rules allow them; it lets them
// go on. Without a socket a job changes nothing in its network namespace, so the
// daemon knows of each whether it is as it was made. All have conditions, on
// arguments that are no pointers.
var tellers = []string{"socket", "socketpair"}

// atOnce are answered by the kernel alone. clone3 hides its flags behind a
// pointer, so a filter cannot look at them; C libraries fall back to clone when
// it is absent (moby issue 42680). What writes back would reach the host's disks,
// even by a file that is open for reading only, and all that a job can write is
// memory: it is answered as done.
var atOnce = map[string]unix.Errno{"clone3": unix.ENOSYS, "sync": 0, "syncfs": 0, "fsync": 0, "fdatasync": 0, "sync_file_range": 0, "msync": 0}

// refusals are answered by the kernel alone, too, where the rules allow the call
// with other arguments. Both are tried all the time by libraries that can do
// without; reported, they would stand in the result of everyday programs, and a
// thousand look-ups of a name would end the job.
var refusals = map[string][]refusal{"socket": {
	// To list the own interfaces: glibc, for each name it resolves. Its kernel side
	// is large, and a job has one interface.
	{[]condition{{0, low, unix.AF_NETLINK}, {2, low, unix.NETLINK_ROUTE}}, unix.EAFNOSUPPORT},
	// Multipath TCP: Go, for its first listener.
	{[]condition{{0, low, unix.AF_INET}, {1, typeMask, unix.SOCK_STREAM}, {2, low, unix.IPPROTO_MPTCP}}, unix.EPROTONOSUPPORT},
	{[]condition{{0, low, unix.AF_INET6}, {1, typeMask, unix.SOCK_STREAM}, {2, low, unix.IPPROTO_MPTCP}}, unix.EPROTONOSUPPORT},
}, "fcntl": {
	// How long data will live: databases, for each file they make. Older kernels
	// let whoever may read a file set it, and it stays with the host's file.
	{[]condition{{1, low, unix.F_SET_RW_HINT}}, unix.EINVAL},
}}

// refusal is one way in which a call is answered at once.
type refusal struct {
	way   []condition
	errno unix.Errno
}

// absent are answered ENOSYS, as by a kernel without them, because programs and
// libraries have a way without. The rest of what is denied gets EPERM.
var absent = []string{"io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "keyctl", "add_key",
	"request_key", "memfd_secret", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr",
	"statmount", "listmount", "open_tree_attr", "map_shadow_stack", "process_madvise", "process_mrelease", "pidfd_getfd",
	"cachestat", "mseal", "uretprobe", "uprobe", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules", "quotactl_fd",
	"set_mempolicy_home_node", "setxattrat", "getxattrat", "listxattrat", "removexattrat", "file_getattr", "file_setattr",
	"listns", "rseq_slice_yield", "io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents", // aio-max-nr is the machine's
	"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}

// newer are calls that the installed libseccomp may not know yet. Since 5.0 the
// numbers are the same on every architecture.
var newer = map[string]int{"cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455,
	"futex_requeue": 456, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459, "lsm_set_self_attr": 460,
	"lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465, "removexattrat": 466,
	"open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469, "listns": 470, "rseq_slice_yield": 471}

// newest is the highest number that these tables were written for. A call beyond
// it may have got a name from a newer libseccomp, but nobody has judged it: it is
// answered as by a kernel that does not have it yet.
const newest = 471

// newerAMD64 are two that only amd64 has. Newer kernels let them pass without a
// look at the filter: they put them into programs themselves, for tracing, and
// refuse them anywhere else.
var newerAMD64 = map[string]int{"uretprobe": 335, "uprobe": 336}
