// A job that tells what it is and what it can do: built statically by the live
// tests and placed into a cell. One "name value" a line.
//
//	probe state      what the process was given
//	probe attempts   what it tries and must not be able to do, with the errno
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct {
	const char *name;
	int resource;
} limits[] = {{"NOFILE", RLIMIT_NOFILE}, {"FSIZE", RLIMIT_FSIZE}, {"STACK", RLIMIT_STACK}, {"CORE", RLIMIT_CORE},
              {"CPU", RLIMIT_CPU}, {"MEMLOCK", RLIMIT_MEMLOCK}, {"MSGQUEUE", RLIMIT_MSGQUEUE}};

static void descriptors(void)
{
	printf("fds");
	for (int fd = 0; fd < 65536; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	printf("\n");
}

static void state(int argc, char **argv, char **envp)
{
	char host[65], cwd[256];
	descriptors();
	for (int i = 0; i < argc; i++)
		printf("arg%d %s\n", i, argv[i]);
	for (; *envp; envp++)
		printf("env %s\n", *envp);
	mode_t mask = umask(0);
	printf("umask %03o\n", mask);
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct rlimit r;
		if (getrlimit((__rlimit_resource_t)limits[i].resource, &r) == 0)
			printf("%s %llu %llu\n", limits[i].name, (unsigned long long)r.rlim_cur, (unsigned long long)r.rlim_max);
	}
	printf("pid %d\nppid %d\nsession %d\ngroup %d\n", getpid(), getppid(), getsid(0), getpgrp());
	printf("hostname %s\n", gethostname(host, sizeof host) == 0 ? host : "?");
	printf("cwd %s\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
	printf("tty %s\n", open("/dev/tty", O_RDWR) < 0 ? strerrorname_np(errno) : "yes");
}

static void tried(const char *what, long result)
{
	printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "worked");
}

static void attempts(void)
{
	char name[64];
	tried("setuid", setuid(0));
	tried("setgid", setgid(0));
	tried("setgroups", syscall(SYS_setgroups, 0, NULL));
	tried("chroot", chroot("/work"));
	tried("mount", mount("none", "/work", "tmpfs", 0, NULL));
	tried("remount", mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL));
	tried("umount", umount2("/proc", MNT_DETACH));
	tried("pivot_root", syscall(SYS_pivot_root, "/work", "/work"));
	tried("mknod", mknod("/work/device", S_IFCHR | 0666, makedev(1, 5)));
	tried("sethostname", sethostname("x", 1));
	tried("unshare_user", unshare(CLONE_NEWUSER));
	tried("unshare_mount", unshare(CLONE_NEWNS));
	tried("unshare_net", unshare(CLONE_NEWNET));
	tried("unshare_pid", unshare(CLONE_NEWPID));
	tried("setns", setns(open("/proc/1/ns/mnt", O_RDONLY), 0));
	tried("ptrace_init", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	tried("open_init_mem", open("/proc/1/mem", O_RDONLY));
	tried("open_init_root", open("/proc/1/root", O_RDONLY));
	tried("open_init_fd", open("/proc/1/fd/3", O_RDONLY));
	tried("read_init_fd", readlink("/proc/1/fd/3", name, sizeof name));
	tried("pidfd_getfd_init", syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 3, 0));
	tried("read_init_memory", process_vm_readv(1, &(struct iovec){name, 1}, 1, &(struct iovec){name, 1}, 1, 0));
	tried("open_init_environ", open("/proc/1/environ", O_RDONLY));
	// Without a name: where a lock is missing, nothing is left on the host.
	tried("write_root", open("/", O_WRONLY | O_TMPFILE, 0600));
	tried("write_usr", open("/usr", O_WRONLY | O_TMPFILE, 0600));
	tried("write_sysctl", open("/proc/sys/kernel/hostname", O_WRONLY));
	tried("write_userns_sysctl", open("/proc/sys/user/max_user_namespaces", O_WRONLY));
	tried("lower_oom_score", write(open("/proc/self/oom_score_adj", O_WRONLY), "0", 1));
	tried("raise_nofile", setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}));
	tried("nice", setpriority(PRIO_PROCESS, 0, -5));
	tried("scratch", open("/tmp/tmp", O_RDONLY));
	tried("write_work", open("/work/file", O_WRONLY | O_CREAT | O_EXCL, 0600));
}

int main(int argc, char **argv, char **envp)
{
	if (argc > 1 && strcmp(argv[1], "attempts") == 0)
		attempts();
	else
		state(argc, argv, envp);
	return 0;
}
