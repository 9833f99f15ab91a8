// init, pid 1 of a cell. It builds the cell while nobody waits, gives away every
// right that is no longer needed, installs the job's filter on itself, and then
// waits for exactly one job. When the daemon goes, its control socket ends and
// so does the whole pid namespace.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Fixed places of init's descriptors; 0, 1 and 2 stay closed until a job brings its own.
enum { FD_CONTROL = 3, FD_FILTER = 4, FD_GO = 5, FD_SIGNALS = 6, FD_SCRATCH = 7 };

#define SPAWN_STACK 65536
#define PACK_POINTERS_MAX (1u << 22)

static uint64_t cell_flags;
static uint32_t failed_index;
static int control = -1; // where failures are told, from the first step on

static int64_t monotonic(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// cgroup v1 has no birth inside a group. A thread that enters by itself, by the file
// "tasks", is all that moves, so the kernel need not keep every process from forking
// meanwhile: to get that lock can take a grace period of RCU, 5 to 15 ms
// (cgroup_procs_write_start). Allowed while the ids are still the server's: the files
// are the daemon's, and afterwards the kernel would refuse.
static int enter_cgroups(const struct cell_order *order)
{
	for (int i = 0; i < order->tasks_count; i++)
		if (TRY(STEP_ENTER_CGROUP, write(order->tasks[i], "0", 1)) != 1)
			return -1;
	return 0;
}

// The order's descriptors may sit anywhere: they are lifted out of the way
// first, so that placing one cannot close another.
static int place_descriptors(const struct cell_order *order)
{
	const int from[] = {order->control, order->filter, order->go}, to[] = {FD_CONTROL, FD_FILTER, FD_GO};
	int lifted[3];
	for (int i = 0; i < 3; i++)
		if ((lifted[i] = TRY(STEP_LIFT_DESCRIPTOR, fcntl(from[i], F_DUPFD_CLOEXEC, 16))) < 0)
			return -1;
	control = lifted[0];
	for (int i = 0; i < 3; i++)
		if (TRY(STEP_PLACE_DESCRIPTOR, dup3(lifted[i], to[i], O_CLOEXEC)) < 0)
			return -1;
	control = FD_CONTROL;
	close(0);
	close(1);
	close(2);
	return (int)TRY(STEP_CLOSE_RANGE, syscall(SYS_close_range, FD_SIGNALS, ~0U, 0));
}

// The server sends one byte when the id maps are written.
// End of file means it could not; it reports that itself.
static int wait_for_go(void)
{
	char byte;
	ssize_t n;
	do
		n = TRY(STEP_READ_GO, read(FD_GO, &byte, 1));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		_exit(1);
	close(FD_GO);
	return n == 1 ? 0 : -1;
}

// own_groups: the group ids are these, and there are no further ones. With a
// single id the kernel forbids changing them: they are the service user's, whose id
// the job has anyway.
static int own_groups(gid_t id)
{
	gid_t r, e, s;
	if (syscall(SYS_getresgid, &r, &e, &s) < 0 || r != id || e != id || s != id)
		return 0;
	return cell_flags & CELL_SINGLE_ID ? 1 : syscall(SYS_getgroups, 0, NULL) == 0;
}

static int are_ids(uid_t id)
{
	uid_t r, e, s;
	if (syscall(SYS_getresuid, &r, &e, &s) < 0)
		return -1;
	errno = EPERM;
	return r == id && e == id && s == id && own_groups(id) ? 0 : -1;
}

// Groups first: changing the uid would take the right to change them. Read back,
// because a job must never carry a group of the service user.
static int take_ids(void)
{
	uid_t id = cell_flags & CELL_SINGLE_ID ? CELL_UID_JOB : cell_flags & CELL_IMAGE ? CELL_UID_BEHIND : CELL_UID_INIT;
	if (!(cell_flags & CELL_SINGLE_ID) && TRY(STEP_SETGROUPS, syscall(SYS_setgroups, 0, NULL)) < 0)
		return -1;
	if (TRY(STEP_SETRESGID, syscall(SYS_setresgid, id, id, id)) < 0 || TRY(STEP_SETRESUID, syscall(SYS_setresuid, id, id, id)) < 0)
		return -1;
	return TRY(STEP_READ_BACK_IDS, are_ids(id));
}

// Written through the template's /proc, before the cell's own read-only one
// covers it, and before the ids change: /proc/self is root's from then on.
//
// A nested user namespace would bring capabilities back over a large part of the
// kernel (CVE-2022-0185 and many since): this is the second lock behind the filter.
// Inotify instances are counted for the service user as a whole, so that one cell
// could take them from all: this bounds each of its ids, bound_owner all together. Under memory pressure the kernel shall take jobs first.
static int before_mounts(uint32_t *stage)
{
	*stage = STAGE_USERNS;
	if (TRY(STEP_MAX_USER_NAMESPACES, write_text("/proc/sys/user/max_user_namespaces", "0")) < 0)
		return -1;
	*stage = STAGE_SYSCTL;
	if (TRY(STEP_MAX_INOTIFY_INSTANCES, write_text("/proc/sys/user/max_inotify_instances", MOST_INSTANCES)) < 0 ||
	    TRY(STEP_MAX_INOTIFY_WATCHES, write_text("/proc/sys/user/max_inotify_watches", MOST_WATCHES)) < 0)
		return -1;
	return TRY(STEP_OOM_SCORE_ADJ, write_text("/proc/self/oom_score_adj", "900"));
}

static int build_cell(const struct cell_order *order, uint32_t *stage)
{
	*stage = STAGE_CGROUP; // only now: the namespace's root is the group we were put into
	if (TRY(STEP_UNSHARE_CGROUP, unshare(CLONE_NEWCGROUP)) < 0)
		return -1;
	if (before_mounts(stage) < 0)
		return -1;
	*stage = STAGE_IDS;
	if (take_ids() < 0)
		return -1;
	*stage = STAGE_MOUNT;
	int scratch = -1;
	umask(0);
	if (run_operations(order->ops, order->ops_size, &failed_index, &scratch) < 0)
		return -1;
	failed_index = 0; // of later stages, which have no operations
	if (scratch < 0) {
		errno = ENOENT;
		return -1;
	}
	if (TRY(STEP_PLACE_SCRATCH, dup3(scratch, FD_SCRATCH, O_CLOEXEC)) < 0 || (scratch != FD_SCRATCH && close(scratch) < 0))
		return -1;
	*stage = STAGE_HOSTNAME;
	return TRY(STEP_SETHOSTNAME, sethostname("cordon", 6));
}

static int lock_down(uint32_t *stage, int *listener)
{
	sigset_t set;
	*stage = STAGE_CAPS;
	// Not dumpable: the job must not read init through /proc, whatever its id.
	if (TRY(STEP_SET_DUMPABLE, prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) < 0 || lock_capabilities(cell_flags) < 0)
		return -1;
	sigfillset(&set);
	if (TRY(STEP_SIGPROCMASK, sigprocmask(SIG_SETMASK, &set, NULL)) < 0)
		return -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	int signals = TRY(STEP_SIGNALFD, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	if (signals < 0 || (signals != FD_SIGNALS && (TRY(STEP_SIGNALFD, dup3(signals, FD_SIGNALS, O_CLOEXEC)) < 0 || close(signals) < 0)))
		return -1;
	*stage = STAGE_SECCOMP;
	if (install_filter(FD_FILTER, listener) < 0)
		return -1;
	close(FD_FILTER);
	return 0;
}

_Noreturn static void fail(uint32_t kind, uint32_t stage, int error)
{
	send_failure(control, kind, stage, failed_index, error);
	_exit(1);
}

static void tell_ready(int listener)
{
	struct cell_head head = {.version = CELL_VERSION, .kind = MSG_READY};
	int fds[2] = {FD_SCRATCH, listener};
	if (TRY(STEP_SEND_READY, send_message(FD_CONTROL, &head, fds, 2)) < 0)
		_exit(1);
	close(FD_SCRATCH);
	close(listener);
}

// map_pack maps and checks the job. The mapping is shared, because the job's
// process writes the time of its exec into it.
static int map_pack(int fd, int64_t size, struct pack *out)
{
	if (size < (int64_t)sizeof(struct pack_head)) {
		errno = EBADMSG;
		return -1;
	}
	uint8_t *base = TRY_MAP(STEP_MAP_PACK, mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	if (base == MAP_FAILED)
		return -1;
	size_t count = pack_pointers((struct pack_head *)(void *)base);
	if (count > PACK_POINTERS_MAX) {
		errno = EBADMSG;
		return -1;
	}
	char **pointers = TRY_MAP(STEP_MAP_POINTERS, mmap(NULL, count * sizeof *pointers, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (pointers == MAP_FAILED)
		return -1;
	errno = EBADMSG; // what a decoder finds has no errno of its own
	return TRY(STEP_DECODE_PACK, decode_pack(base, (size_t)size, pointers, count, out));
}

// spawn starts the job's process with vfork semantics: it shares this memory and
// init sleeps until it has exec'd or ended. So whether the exec happened is
// known without a pipe, and no page table is copied.
static pid_t spawn(struct job_order *order)
{
	char *stack = TRY_MAP(STEP_MAP_STACK, mmap(NULL, SPAWN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
	if (stack == MAP_FAILED)
		return -1;
	return TRY(STEP_CLONE_JOB, clone(job_process, stack + SPAWN_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, order));
}

// take_terminal makes the job's terminal that of a session which init leads. Were the job
// its leader, the kernel would hang up with its end, and throw away what it has printed
// and nobody has read yet (disassociate_ctty, pty_flush_buffer). Every signal but SIGCHLD
// is blocked here, so that none of a terminal's reaches init.
static int take_terminal(int slave)
{
	if (TRY(STEP_TERMINAL_SETSID, setsid()) < 0)
		return -1;
	return TRY(STEP_TAKE_TERMINAL, ioctl(slave, TIOCSCTTY, 0));
}

static pid_t run_job(int *terminal)
{
	struct cell_head head;
	struct pack pack;
	int fds[CELL_FDS_MAX], count;
	ssize_t n = receive_message(FD_CONTROL, &head, sizeof head, fds, &count);
	n = TRY(STEP_RECEIVE_RUN, n);
	if (n == 0)
		_exit(0); // never used: the daemon let go of this cell
	static struct job_order order = {.numbers = {0, 1, 2}}; // not on the stack: written by the other process
	order.view = n == (ssize_t)sizeof head && head.c & CELL_VIEW && count > 4 ? fds[count - 1] : -1;
	order.count = count - 1 - (order.view >= 0);
	if (n != (ssize_t)sizeof head || head.version != CELL_VERSION || head.kind != MSG_RUN || head.c & ~(int64_t)(CELL_TERMINAL | CELL_VIEW) ||
	    (head.c & CELL_VIEW && order.view < 0) ||
	    decode_numbers(head.a, order.count - 3, order.numbers + 3) < 0)
		fail(MSG_FAILED, STAGE_PROTOCOL, n < 0 ? errno : EBADMSG);
	if (map_pack(fds[0], head.b, &pack) < 0)
		fail(MSG_FAILED, STAGE_PROTOCOL, errno);
	close(fds[0]);
	*terminal = head.c & CELL_TERMINAL;
	if (*terminal && take_terminal(fds[1]) < 0)
		fail(MSG_FAILED, STAGE_STDIO, errno);
	order.pack = &pack;
	order.flags = cell_flags;
	order.terminal = *terminal;
	memcpy(order.given, fds + 1, (size_t)order.count * sizeof *fds);
	pid_t job = spawn(&order);
	if (job < 0)
		fail(MSG_FAILED, STAGE_SPAWN, errno);
	if (order.stage) {
		failed_index = order.index;
		fail(MSG_FAILED, order.stage, order.error);
	}
	for (int i = 1; i < count; i++)
		close(fds[i]); // or a reader would wait for us after the last job process
	// The program runs already, but init must not go on with rights over ids.
	if (TRY(STEP_CAPSET_RUNNING, keep_capabilities(1u << CAP_KILL)) < 0)
		fail(MSG_FAILED, STAGE_CAPS, errno);
	return job;
}

// reap collects every ended child. Returns 1 when the main process was among them.
static int reap(pid_t main, struct cell_head *ended)
{
	struct rusage usage;
	int status, seen = 0;
	pid_t pid;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (pid != main)
			continue;
		ended->b = monotonic();
		ended->a = status;
		ended->c = usage.ru_maxrss * 1024;
		seen = 1;
	}
	return seen;
}

// pass_signal takes an order that comes while the job runs. The main process leads its
// group, and it is not reaped yet: nobody else can have its number.
static void pass_signal(pid_t main)
{
	struct cell_head head;
	int fds[CELL_FDS_MAX], count;
	ssize_t n = receive_message(FD_CONTROL, &head, sizeof head, fds, &count);
	n = TRY(STEP_RECEIVE_SIGNAL, n);
	if (n == 0)
		_exit(0); // the daemon is gone or let go: exiting kills the namespace
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (n != (ssize_t)sizeof head || head.version != CELL_VERSION || head.kind != MSG_SIGNAL || head.a < 1 || head.a >= NSIG)
		fail(MSG_FAILED, STAGE_END, n < 0 ? errno : EBADMSG);
	kill(-main, (int)head.a); // all of them may have left the group: then there is nobody to be told
}

static void watch_job(pid_t main, struct cell_head *ended)
{
	struct pollfd polled[2] = {{.fd = FD_CONTROL, .events = POLLIN}, {.fd = FD_SIGNALS, .events = POLLIN}};
	struct signalfd_siginfo info;
	while (!reap(main, ended)) {
		if (TRY(STEP_POLL, poll(polled, 2, -1)) < 0 && errno != EINTR)
			fail(MSG_FAILED, STAGE_END, errno);
		if (polled[0].revents)
			pass_signal(main);
		while (read(FD_SIGNALS, &info, sizeof info) > 0)
			;
	}
}

// end_strays ends what the job left behind, and tells of the end. That none was
// left is told in the same message: most programs leave nothing. Else their number
// is the last thing that init tells: only then is its account complete.
static void end_strays(struct cell_head *ended)
{
	struct cell_head strays = {.version = CELL_VERSION, .kind = MSG_STRAYS};
	int status;
	pid_t pid;
	if (TRY(STEP_KILL_STRAYS, kill(-1, SIGKILL)) < 0) {
		if (errno != ESRCH)
			fail(MSG_FAILED, STAGE_END, errno);
		ended->index = CELL_NO_STRAYS;
	}
	if (TRY(STEP_SEND_ENDED, send_message(FD_CONTROL, ended, NULL, 0)) < 0)
		_exit(1);
	if (ended->index == CELL_NO_STRAYS)
		return;
	while ((pid = wait4(-1, &status, __WALL, NULL)) > 0 || (pid < 0 && errno == EINTR))
		strays.a += pid > 0;
	if (TRY(STEP_SEND_STRAYS, send_message(FD_CONTROL, &strays, NULL, 0)) < 0)
		_exit(1);
}

// await_reader: what the job has printed on its terminal is gone with init, which leads
// the terminal's session. The daemon ends init when it has read all of it.
static void await_reader(void)
{
	struct cell_head head;
	int fds[CELL_FDS_MAX], count;
	while (receive_message(FD_CONTROL, &head, sizeof head, fds, &count) > 0)
		for (int i = 0; i < count; i++) // a signal that came too late has none
			close(fds[i]);
}

// init_main never returns. The caller is the child of clone3 in fresh namespaces.
_Noreturn void init_main(const struct cell_order *order)
{
	uint32_t stage = STAGE_CGROUP;
	int listener = -1, terminal = 0;
	struct cell_head ended = {.version = CELL_VERSION, .kind = MSG_ENDED};
	cell_flags = order->flags;
	signal(SIGCHLD, SIG_DFL); // the server ignores these, and ignoring is inherited
	signal(SIGINT, SIG_DFL);
	control = order->control;
	if (enter_cgroups(order) < 0)
		fail(MSG_READY, stage, errno);
	stage = STAGE_PROTOCOL;
	if (place_descriptors(order) < 0 || wait_for_go() < 0 || build_cell(order, &stage) < 0 ||
	    lock_down(&stage, &listener) < 0)
		fail(MSG_READY, stage, errno);
	tell_ready(listener);
	watch_job(run_job(&terminal), &ended);
	end_strays(&ended);
	if (terminal)
		await_reader();
	_exit(0);
}
