package seccomp

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Never let through by any profile, on any architecture: what gives new
// namespaces and mounts, looks into other processes, works behind the filter's
// back, outlives the job or concerns the whole machine.
var never = map[unix.Errno]string{
	unix.EPERM: `unshare setns mount umount2 pivot_root chroot ptrace process_vm_readv process_vm_writev kcmp
		perf_event_open bpf open_by_handle_at name_to_handle_at fanotify_init fanotify_mark move_pages migrate_pages
		mbind set_mempolicy remap_file_pages reboot kexec_load kexec_file_load init_module finit_module delete_module
		swapon swapoff acct quotactl syslog sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex
		iopl ioperm modify_ldt uselib ustat sysfs vhangup lookup_dcookie vmsplice nfsservctl _sysctl`,
	unix.ENOSYS: `io_uring_setup io_uring_enter io_uring_register userfaultfd memfd_secret keyctl add_key request_key
		fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr statmount listmount listns
		pidfd_getfd process_madvise process_mrelease map_shadow_stack mseal cachestat uretprobe uprobe lsm_get_self_attr
		lsm_set_self_attr lsm_list_modules setxattrat getxattrat listxattrat removexattrat file_getattr file_setattr
		rseq_slice_yield quotactl_fd set_mempolicy_home_node`,
}

// What everyday programs in C, C++, Rust, Go, Java, Python, JavaScript and two
// shells were seen to call. None may be stopped by the default profile.
const everyday = `access arch_prctl brk capget chmod clock_getres clock_nanosleep clone close close_range connect dup dup2
	epoll_create1 epoll_ctl epoll_pwait eventfd2 execve exit exit_group faccessat2 fadvise64 fchdir fcntl flock fstat
	ftruncate futex getcwd getdents64 getegid geteuid getgid getpeername getpgrp getpid getppid getrandom getrusage
	getsockname gettid getuid ioctl kill link lseek lstat madvise mkdir mmap mprotect munmap nanosleep newfstatat open
	openat pipe2 pkey_alloc poll prctl pread64 prlimit64 pwrite64 read readlink readlinkat recvfrom rename rseq
	rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendfile set_robust_list set_tid_address
	setsockopt shutdown sigaltstack socket socketpair stat statfs statx sysinfo tgkill umask uname unlink unlinkat vfork
	wait4 write`

func TestNeverAndAlways(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		known := numbers(t, a)
		for errno, names := range never {
			for _, name := range strings.Fields(names) {
				n, ok := known[name]
				if !ok {
					continue
				}
				for _, args := range [][6]uint64{{}, {1, 1, 1, 1, 1, 1}, {^uint64(0)}} {
					act := m.must(t, p, data{nr: uint32(n), arch: a.Audit, args: args})
					got := p.answer(a.Audit, n, args)
					if act != actReport || got.errno != errno || got.name != name || got.fatal {
						t.Errorf("%s: %s, %+v; want it reported and answered %v", name, actText(act), got, errno)
					}
				}
			}
		}
		fitting := map[string][6]uint64{"ioctl": {0, unix.TCGETS}, "prctl": {unix.PR_SET_NAME}, "socketpair": {1, 1}, "socket": {2, 1}}
		for _, name := range strings.Fields(everyday) {
			left := profile == "strict" && slices.Contains([]string{"socket", "connect", "flock"}, name)
			if n, ok := known[name]; ok && !left {
				if act := m.must(t, p, data{nr: uint32(n), arch: a.Audit, args: fitting[name]}); !allows(act) {
					t.Errorf("%s: %s", name, actText(act))
				}
			}
		}
		for name, want := range map[string]uint32{"clone3": actErrno | uint32(unix.ENOSYS), "sync": actErrno, "syncfs": actErrno} {
			if act := m.must(t, p, data{nr: uint32(known[name]), arch: a.Audit}); act != want {
				t.Errorf("%s: %s, want %s", name, actText(act), actText(want))
			}
		}
	})
}

// TestNamesExist: a misspelt name in a list above or in the tables would test or
// allow nothing.
func TestNamesExist(t *testing.T) {
	exists := map[string]bool{}
	for _, a := range arches {
		for name := range numbers(t, a) {
			exists[name] = true
		}
	}
	lists := [][]string{strings.Fields(everyday), needed, absent, tellers}
	for _, names := range never {
		lists = append(lists, strings.Fields(names))
	}
	for _, g := range allowGroups {
		lists = append(lists, g.names)
	}
	for name := range atOnce {
		lists = append(lists, []string{name})
	}
	for name := range conditions {
		lists = append(lists, []string{name})
	}
	for profile, table := range narrowed {
		lists = append(lists, slices.Collect(maps.Keys(table)))
		if !slices.Contains(Profiles(), profile) {
			t.Errorf("%s is not a profile", profile)
		}
	}
	for _, list := range lists {
		for _, name := range list {
			if !exists[name] {
				t.Errorf("%s is not a system call", name)
			}
		}
	}
}

// TestNeededAllowed: what a cell needs to start its job is allowed everywhere.
func TestNeededAllowed(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		p, m := compiled(t, Rules{Profile: profile}, a)
		known := numbers(t, a)
		for _, name := range needed {
			if n, ok := known[name]; ok {
				if got := m.must(t, p, data{nr: uint32(n), arch: a.Audit}); got != actAllow {
					t.Errorf("%s: %s", name, actText(got))
				}
			}
		}
	})
}

// TestDeterminism: the same rules give the same bytes, in any order of names.
func TestDeterminism(t *testing.T) {
	each(t, func(t *testing.T, profile string, a Arch) {
		first, _ := compiled(t, Rules{profile, []string{"ptrace", "bpf", "kcmp"}, []string{"flock", "tee"}}, a)
		for range 5 {
			next, _ := compiled(t, Rules{profile, []string{"kcmp", "ptrace", "bpf", "bpf"}, []string{"tee", "flock"}}, a)
			if !bytes.Equal(first.BPF, next.BPF) || first.Digest != next.Digest {
				t.Fatalf("digests %s and %s", first.Digest, next.Digest)
			}
		}
		plain, _ := compiled(t, Rules{Profile: profile}, a)
		if plain.Digest == first.Digest || plain.Instructions() > maxInstructions || plain.Arch != a {
			t.Errorf("%+v", plain.Digest)
		}
	})
}
