// The bare prototype: what a fresh, single-use sandbox costs when nothing is done
// besides making it, running one program in it and taking it away. No protocol, no
// filter, no accounting, no pool. Started under the name "cordon-prototype", below
// the daemon's user namespace, it never comes to Go.
//
//   cordon-prototype NANOSECONDS PROGRAM MAP VERSION ROOT GROUP...
//
// MAP is the line for uid_map and gid_map; VERSION that of the control groups, of
// which GROUP are the directories to make others in: memory, pids and cpu for 1, a
// single one for 2; ROOT is an empty directory. A line is printed when the root is
// ready, a byte read, and then "CELLS NANOSECONDS" printed at the end.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

enum { GROUPS_MAX = 3, PATH_ROOM = 4096, REMOVE_TRIES = 10000 };

struct prototype {
	const char *program, *map, *root;
	int version, groups;
	const char *group[GROUPS_MAX];
	char made[GROUPS_MAX][PATH_ROOM]; // of the cell at hand
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "prototype: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail(path);
	close(fd);
}

static int64_t clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// show binds a directory of the host into the root, read-only. Some machines lack
// some of them.
static void show(const char *root, const char *name, int read_only)
{
	struct { uint64_t set, clear, propagation, userns; } attributes = {.set = 1}; // MOUNT_ATTR_RDONLY
	char path[PATH_ROOM];
	struct stat found;

	if (stat(name, &found) < 0)
		return;
	snprintf(path, sizeof path, "%s%s", root, name);
	if (mkdir(path, 0755) < 0 || mount(name, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		fail(path);
	if (read_only && syscall(SYS_mount_setattr, -1, path, 0x8000 /* AT_RECURSIVE */, &attributes, sizeof attributes) < 0)
		fail(path);
}

// build makes the root that all cells share, and moves into it.
static void build(const struct prototype *p)
{
	static const char *const shown[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"};
	char path[PATH_ROOM];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("mount namespace");
	if (mount("root", p->root, "tmpfs", 0, "size=1m") < 0)
		fail("root");
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
		show(p->root, shown[i], 1);
	show(p->root, "/proc", 0); // a fresh one may be mounted only where one is in sight
	show(p->root, "/sys", 0);  // with the control groups
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", p->root, i ? "work" : "tmp");
		if (mkdir(path, 0755) < 0)
			fail(path);
	}
	if (chdir(p->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		fail("pivot");
}

// make_groups makes and limits the groups of one cell.
static void make_groups(struct prototype *p, int64_t serial)
{
	static const char *const memory[] = {"memory.limit_in_bytes", "memory.max"};
	char path[PATH_ROOM + 64];

	for (int i = 0; i < p->groups; i++) {
		snprintf(p->made[i], sizeof p->made[i], "%s/bare-%d-%lld", p->group[i], (int)getpid(), (long long)serial);
		if (mkdir(p->made[i], 0755) < 0)
			fail(p->made[i]);
		if (i == 0) {
			snprintf(path, sizeof path, "%s/%s", p->made[i], memory[p->version - 1]);
			put(path, "268435456");
		}
		if (i == 1 || p->version == 2) {
			snprintf(path, sizeof path, "%s/pids.max", p->made[i]);
			put(path, "64");
		}
	}
}

// remove_groups: the last process of the group has been waited for, but its end
// may still be on its way through the kernel.
static void remove_groups(struct prototype *p)
{
	for (int i = 0; i < p->groups; i++) {
		int tries = 0;
		while (rmdir(p->made[i]) < 0) {
			if (errno != EBUSY || ++tries == REMOVE_TRIES)
				fail(p->made[i]);
			sched_yield();
		}
	}
}

// first is pid 1 of a cell.
static _Noreturn void first(const struct prototype *p, int go)
{
	char byte;
	int status;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
	    mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m") < 0 ||
	    mount("work", "/work", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m") < 0)
		fail("mounts of a cell");
	pid_t job = fork();
	if (job == 0) {
		execl(p->program, p->program, (char *)NULL);
		fail(p->program);
	}
	if (job < 0 || waitpid(job, &status, 0) < 0)
		fail("job");
	_exit(status != 0);
}

static void cell(struct prototype *p, int64_t serial)
{
	struct clone_args args = {.exit_signal = SIGCHLD,
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP};
	char path[PATH_ROOM + 64], text[16];
	int pipe_fds[2], group = -1, status;

	make_groups(p, serial);
	if (p->version == 2) {
		if ((group = open(p->made[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
			fail(p->made[0]);
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		fail("pipe");
	pid_t init = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	if (init < 0)
		fail("clone3");
	if (init == 0) {
		close(pipe_fds[1]);
		first(p, pipe_fds[0]);
	}
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)init);
	put(path, p->map);
	snprintf(path, sizeof path, "/proc/%d/setgroups", (int)init);
	put(path, "deny");
	snprintf(path, sizeof path, "/proc/%d/gid_map", (int)init);
	put(path, p->map);
	snprintf(text, sizeof text, "%d", (int)init);
	for (int i = 0; p->version == 1 && i < p->groups; i++) {
		snprintf(path, sizeof path, "%s/cgroup.procs", p->made[i]);
		put(path, text);
	}
	if (write(pipe_fds[1], "g", 1) != 1)
		fail("go");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	if (group >= 0)
		close(group);
	if (waitpid(init, &status, 0) < 0)
		fail("wait");
	if (status != 0) {
		errno = ECHILD;
		fail("the program ended badly");
	}
	remove_groups(p);
}

static _Noreturn void prototype_main(int argc, char **argv)
{
	static struct prototype p;
	char byte;

	if (argc < 7 || argc - 6 > GROUPS_MAX) {
		errno = EINVAL;
		fail("arguments");
	}
	p.program = argv[2];
	p.map = argv[3];
	p.version = argv[4][0] == '2' ? 2 : 1;
	p.root = argv[5];
	for (p.groups = 0; p.groups < argc - 6; p.groups++)
		p.group[p.groups] = argv[6 + p.groups];
	int64_t most = strtoll(argv[1], NULL, 10), cells = 0;
	build(&p);
	if (write(1, "ready\n", 6) != 6 || read(0, &byte, 1) != 1)
		fail("start");
	int64_t from = clock_ns(), now = from;
	while (now - from < most) {
		cell(&p, cells++);
		now = clock_ns();
	}
	dprintf(1, "%lld %lld\n", (long long)cells, (long long)(now - from));
	_exit(0);
}

__attribute__((constructor)) static void cordon_prototype(int argc, char **argv)
{
	if (argc > 0 && argv && argv[0] && strcmp(argv[0], "cordon-prototype") == 0)
		prototype_main(argc, argv);
}
