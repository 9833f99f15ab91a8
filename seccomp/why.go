package seccomp

import (
	"slices"
	"strings"
)

// denials say, of calls that are on no list, what they are for and why a job has no use of
// them, or must not. They decide nothing.
var denials = []struct {
	reason string
	names  []string
}{
	{"looks into other processes, or steers them: debuggers and tracers do; a job is judged by its own work, and the kernel's side is large", []string{"ptrace",
		"process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise", "process_mrelease", "perf_event_open", "uprobe", "uretprobe"}},
	{"makes or enters namespaces, which would give a job rights over parts of the kernel that it has none of", []string{"unshare", "setns", "clone3", "listns"}},
	{"changes what is mounted; a job's files are as they were made for it", []string{"mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount",
		"fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "statmount", "listmount", "name_to_handle_at", "open_by_handle_at", "fanotify_init", "fanotify_mark"}},
	{"is the machine's own: modules, other kernels, swap, accounting, quotas, its name, its end", []string{"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
		"reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "sethostname", "setdomainname", "syslog", "vhangup", "iopl", "ioperm", "lookup_dcookie", "nfsservctl", "_sysctl", "sysfs", "ustat", "uselib"}},
	{"sets the machine's clock", []string{"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime"}},
	{"loads programs into the kernel", []string{"bpf"}},
	{"hands work to the kernel past the filter, which would not see what is done", []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}},
	{"asynchronous reads and writes share one bound of the whole machine, which a job could use up", []string{"io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents"}},
	{"keeps keys in the kernel, which are not the cell's alone", []string{"add_key", "request_key", "keyctl"}},
	{"stops the kernel at a place of the caller's choice; exploits are built on it", []string{"userfaultfd"}},
	{"has memory that the kernel itself cannot look into, and that nobody could account for", []string{"memfd_secret"}},
	{"places memory on nodes of the machine; where jobs run is the service's to say", []string{"mbind", "set_mempolicy", "get_mempolicy", "migrate_pages", "move_pages", "set_mempolicy_home_node"}},
	{"opens sockets; programs of this profile compute from their input to their output", []string{"socket", "bind", "connect", "listen", "accept", "accept4", "sendmmsg", "recvmmsg"}},
	{"talks with other processes by things that have names in the kernel; programs of this profile have pipes and memory", []string{"shmget", "shmat", "shmctl", "shmdt", "semget",
		"semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr"}},
	{"changes who owns files, how they are scheduled, or watches them; programs of this profile can do without", []string{"flock", "inotify_init", "inotify_init1", "inotify_add_watch",
		"inotify_rm_watch", "splice", "tee", "vmsplice", "chown", "lchown", "fchown", "fchownat", "sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr", "ioprio_get", "ioprio_set"}},
	{"writes attributes that outlive what a job may leave, or locks memory away", []string{"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "setxattrat", "removexattrat", "mlockall"}},
}

// Why says in a line why a call was denied.
func (p *Program) Why(name string) string {
	if ways := ways(p.profile, name); p.allowed[name] && len(ways) > 0 {
		var all []string
		for _, way := range ways {
			all = append(all, wayWords(name, way))
		}
		const shown = 4
		if len(all) > shown {
			all = append(all[:shown], "…")
		}
		return "allowed with certain arguments only: " + strings.Join(all, "; or ")
	}
	if slices.Contains(p.denied, name) {
		return "the policy takes it away"
	}
	for _, d := range denials {
		if slices.Contains(d.names, name) {
			return d.reason
		}
	}
	return "not on the list of what profile " + p.profile + " allows"
}
