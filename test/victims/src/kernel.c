/* Doors of the kernel that a job has no business with. Every call's arguments are
 * harmless where it is not denied. */
#include "victim.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <linux/capability.h>

/* Numbers that older headers do not have; they are the same everywhere. */
enum { OPEN_TREE = 428, FSOPEN = 430, PIDFD_OPEN = 434, CLONE3 = 435, MOUNT_SETATTR = 442, MEMFD_SECRET = 447 };
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* attempt runs a call in a child, so that its success changes nothing here. */
static void attempt(const char *name, long (*call)(long), long argument)
{
	int ends[2], error = 0;
	if (pipe(ends) < 0)
		return;
	pid_t child = fork();
	if (child == 0) {
		errno = 0;
		error = call(argument) < 0 ? errno : 0;
		_exit(write(ends[1], &error, sizeof error) != sizeof error);
	}
	close(ends[1]);
	if (read(ends[0], &error, sizeof error) != sizeof error)
		error = child < 0 ? EAGAIN : EPIPE; /* EPIPE: the call killed it */
	close(ends[0]);
	waitpid(child, NULL, 0);
	errno = error;
	tell(name, error ? -1 : 0);
}

static const struct {
	const char *name;
	long flag;
} spaces[] = {
	{"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID}, {"net", CLONE_NEWNET},
	{"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP},
};

static long unshares(long flags) { return syscall(SYS_unshare, flags); }

static long clones(long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long clones_user3(long unused)
{
	struct { unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } args = {
		.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD,
	};
	(void)unused;
	long pid = syscall(CLONE3, &args, sizeof args);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid((pid_t)pid, NULL, 0);
	return pid;
}

static long enters(long unused)
{
	(void)unused;
	int fd = open("/proc/self/ns/uts", O_RDONLY);
	return fd < 0 ? -1 : syscall(SYS_setns, fd, 0);
}

static int namespaces(int argc, char **argv)
{
	char name[32];
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		snprintf(name, sizeof name, "unshare_%s", spaces[i].name);
		attempt(name, unshares, spaces[i].flag);
		snprintf(name, sizeof name, "clone_%s", spaces[i].name);
		attempt(name, clones, spaces[i].flag);
	}
	attempt("clone3_user", clones_user3, 0);
	attempt("setns", enters, 0);
	return 0;
}

static long mounts_tmpfs(long unused) { (void)unused; return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long remounts(long unused) { (void)unused; return mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL); }
static long binds(long unused) { (void)unused; return mount("/tmp", "/tmp", NULL, MS_BIND, NULL); }
static long opens_fs(long unused) { (void)unused; return syscall(FSOPEN, "tmpfs", 0); }
static long opens_tree(long unused) { (void)unused; return syscall(OPEN_TREE, AT_FDCWD, "/tmp", 1); }
static long changes_root(long unused) { (void)unused; return chroot("/tmp"); }
static long names_host(long unused) { (void)unused; return sethostname("x", 1); }
static long unmounts(long unused)
{
	(void)unused; /* outside of a cell, something of our own goes */
	(void)!mount("none", "/tmp", "tmpfs", 0, NULL);
	return umount2("/tmp", MNT_DETACH);
}
static long sets_attributes(long unused)
{
	struct { unsigned long set, clear, propagation, userns; } none = {0, 0, 0, 0};
	(void)unused;
	return syscall(MOUNT_SETATTR, AT_FDCWD, "/", 0, &none, sizeof none);
}

static int mounts(int argc, char **argv)
{
	(void)argc, (void)argv;
	attempt("mount", mounts_tmpfs, 0);
	attempt("bind", binds, 0);
	attempt("remount", remounts, 0);
	attempt("umount", unmounts, 0);
	attempt("fsopen", opens_fs, 0);
	attempt("open_tree", opens_tree, 0);
	attempt("mount_setattr", sets_attributes, 0);
	attempt("chroot", changes_root, 0);
	attempt("sethostname", names_host, 0);
	return 0;
}

static int nodes(int argc, char **argv)
{
	(void)argc, (void)argv;
	tell("character", mknod("node", S_IFCHR | 0600, makedev(1, 3)));
	tell("block", mknod("disk", S_IFBLK | 0600, makedev(8, 0)));
	return 0;
}

static long sets_up_ring(long unused)
{
	static char params[256];
	(void)unused;
	return syscall(SYS_io_uring_setup, 1, params);
}
static long opens_perf(long unused)
{
	static struct { unsigned type, size; unsigned long rest[32]; } attr = {.type = 1, .size = 112};
	(void)unused;
	attr.rest[4] = 1 << 5 | 1 << 6; /* neither kernel nor hypervisor: all that is allowed to anybody */
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}
static long makes_map(long unused)
{
	unsigned attr[32] = {2, 4, 4, 1}; /* an array of one word */
	(void)unused;
	return syscall(SYS_bpf, 0, attr, sizeof attr);
}
static long opens_fault(long flags) { return syscall(SYS_userfaultfd, flags); }
static long adds_key(long unused) { (void)unused; return syscall(SYS_add_key, "user", "victim", "x", 1, -1); }
static long asks_keyring(long unused) { (void)unused; return syscall(SYS_keyctl, 0, -1, 0, 0, 0); }
static long secret_memory(long unused) { (void)unused; return syscall(MEMFD_SECRET, 0); }
static long traced(long unused) { (void)unused; return ptrace(PTRACE_TRACEME, 0, 0, 0); }
static long reads_parent(long unused)
{
	char byte;
	struct { void *base; size_t length; } here = {&byte, 1};
	(void)unused;
	return syscall(SYS_process_vm_readv, getpid(), &here, 1, &here, 1, 0);
}
static long names_handle(long unused)
{
	struct { unsigned bytes; int type; char data[128]; } handle = {.bytes = sizeof handle.data};
	int mount_id;
	(void)unused;
	return syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount_id, 0);
}
static long watches_all(long unused) { (void)unused; return syscall(SYS_fanotify_init, 0x200, 0); }
static long compares(long unused) { (void)unused; return syscall(SYS_kcmp, getpid(), getpid(), 1, 0, 0); }
static long no_randomness(long persona) { return syscall(SYS_personality, persona); }
static long writes_log(long unused) { (void)unused; return syscall(SYS_syslog, 10, NULL, 0); }
static long makes_queue(long unused) { (void)unused; return syscall(SYS_msgget, 0, 01600); }

static int doors(int argc, char **argv)
{
	(void)argc, (void)argv;
	attempt("io_uring_setup", sets_up_ring, 0);
	attempt("perf_event_open", opens_perf, 0);
	attempt("bpf", makes_map, 0);
	attempt("userfaultfd", opens_fault, 1);
	attempt("add_key", adds_key, 0);
	attempt("keyctl", asks_keyring, 0);
	attempt("memfd_secret", secret_memory, 0);
	attempt("ptrace", traced, 0);
	attempt("process_vm_readv", reads_parent, 0);
	attempt("name_to_handle_at", names_handle, 0);
	attempt("fanotify_init", watches_all, 0);
	attempt("kcmp", compares, 0);
	attempt("personality", no_randomness, 0x0400000);
	attempt("syslog", writes_log, 0);
	attempt("msgget", makes_queue, 0);
	return 0;
}

/* Numbers that no kernel knows, and new ones that are in no table. */
static int numbers(int argc, char **argv)
{
	int others = 0;
	(void)argc, (void)argv;
	for (long n = 600; n <= 700; n++)
		if (syscall(n, -1, -1, -1, -1, -1, -1) != -1 || errno != ENOSYS)
			others++;
	say("600_to_700", others ? "other" : "ENOSYS");
	return 0;
}

#if defined(__x86_64__)
/* A call by the door of another architecture: getpid, numbered as i386 has it. A
 * kernel without that door does something else, or nothing. */
static int foreign(int argc, char **argv)
{
	long answer = 20;
	(void)argc, (void)argv;
	say("before", "ok");
	__asm__ volatile("int $0x80" : "+a"(answer)::"memory", "r8", "r9", "r10", "r11");
	say("after", answer == getpid() ? "ok" : "no door");
	return 0;
}
#endif

const struct victim kernel_victims[] = {
	{"namespaces", namespaces},
	{"mounts", mounts},
	{"nodes", nodes},
	{"doors", doors},
	{"numbers", numbers},
#if defined(__x86_64__)
	{"foreign", foreign},
#endif
	{NULL, NULL},
};
