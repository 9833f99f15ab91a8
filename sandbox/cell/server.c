// The fork server of one root template. It is started by the daemon under the
// name "cordon-cell", builds the root once, moves into it, and from then on
// clones a cell for each request. Single-threaded, no allocation after start.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_DAEMON 3

#ifdef CORDON_FAILPOINTS
#define cell_flags_of(c) ((uint64_t)(c) & CELL_FLAGS) // the others tell what shall fail
#else
#define cell_flags_of(c) ((uint64_t)(c))
#endif

static uint8_t message[CELL_MESSAGE_MAX];
static uint8_t cell_ops[CELL_MESSAGE_MAX];
static size_t cell_ops_size;

// The template message is a head (a: size of the template's operations) followed
// by the template's operations and then those of each cell.
static void build_template(void)
{
	struct cell_head head;
	int fds[CELL_FDS_MAX], count, scratch = -1;
	uint32_t index = 0;
	ssize_t n = receive_message(FD_DAEMON, message, sizeof message, fds, &count);
	memcpy(&head, message, sizeof head);
	arm_fault(head.c);
	n = TRY(STEP_RECEIVE_TEMPLATE, n);
	if (n < (ssize_t)sizeof head) {
		if (n != 0) // else the daemon is gone
			send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_PROTOCOL, 0, n < 0 ? errno : EBADMSG);
		_exit(1);
	}
	size_t rest = (size_t)n - sizeof head;
	if (head.version != CELL_VERSION || head.kind != MSG_TEMPLATE || head.a < 0 || (uint64_t)head.a > rest) {
		send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_PROTOCOL, 0, EBADMSG);
		_exit(1);
	}
	cell_ops_size = rest - (size_t)head.a;
	memcpy(cell_ops, message + sizeof head + head.a, cell_ops_size);
	umask(0);
	if (run_operations(message + sizeof head, (size_t)head.a, &index, &scratch) < 0) {
		send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_TEMPLATE, index, errno);
		_exit(1);
	}
	if (make_home() < 0) {
		send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_NETWORK, 0, errno);
		_exit(1);
	}
	if (remember_mounts() < 0) {
		send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_LAYER, 0, errno);
		_exit(1);
	}
	if (TRY(STEP_SEND_TEMPLATE_DONE, send_failure(FD_DAEMON, MSG_TEMPLATE_DONE, STAGE_NONE, 0, 0)) < 0)
		_exit(1);
}

static int write_proc(pid_t pid, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return write_text(path, text);
}

// image_map has the ids of an image's files, so that they are shown as whose they are in the
// image, and init behind them. A job with one id has its own in the place of one of
// these. One that may have any of them finds nobody among them, also where they are few:
// programs that drop their rights become that.
static void image_map(char *map, size_t size, const struct cell_head *head)
{
	long long first = head->index, count = head->pid, init = head->a;
	if (!(head->c & CELL_RANGE)) {
		int n = snprintf(map, size, "0 %lld %u\n%u %lld 1\n%u %lld 1\n", first, CELL_UID_JOB, CELL_UID_JOB, init + 1, CELL_UID_BEHIND, init);
		if (count > CELL_UID_JOB + 1)
			snprintf(map + n, size - (size_t)n, "%u %lld %lld\n", CELL_UID_JOB + 1, first + CELL_UID_JOB + 1, count - CELL_UID_JOB - 1);
	} else if (count > CELL_UID_NOBODY)
		snprintf(map, size, "0 %lld %lld\n%u %lld 1\n", first, count, CELL_UID_BEHIND, init);
	else
		snprintf(map, size, "0 %lld %lld\n%u %lld 1\n%u %lld 1\n", first, count - 1, CELL_UID_NOBODY, first + count - 1, CELL_UID_BEHIND, init);
}

// The map of a cell holds two ids of the daemon's range, init's and the job's,
// and but for those of an image nothing else: never the service user.
static int write_maps(pid_t pid, const struct cell_head *head)
{
	char map[160];
	if (head->c & CELL_IMAGE)
		image_map(map, sizeof map, head);
	else if (head->c & CELL_SINGLE_ID)
		snprintf(map, sizeof map, "%u 0 1\n", CELL_UID_JOB);
	else
		snprintf(map, sizeof map, "%u %lld 1\n%u %lld 1\n", CELL_UID_INIT, (long long)head->a, CELL_UID_JOB,
		         (long long)head->a + 1);
	if (TRY(STEP_WRITE_UID_MAP, write_proc(pid, "uid_map", map)) < 0)
		return -1;
	return TRY(STEP_WRITE_GID_MAP, write_proc(pid, "gid_map", map));
}

static pid_t clone_init(const struct cell_head *head, int cgroup, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD |
		         CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};
	if (head->c & CELL_CGROUP_V2) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint32_t)cgroup;
	}
	return (pid_t)TRY(STEP_CLONE3, syscall(SYS_clone3, &args, sizeof args));
}

static void report(uint32_t stage, pid_t pid, const int *fds, int count, int error)
{
	struct cell_head head = {
		.version = CELL_VERSION, .kind = MSG_CELL_MADE, .stage = stage, .error = error, .pid = (uint32_t)pid,
		.a = stage ? cell_step : STEP_NONE};
	if (TRY(STEP_SEND_CELL_MADE, send_message(FD_DAEMON, &head, fds, count)) < 0)
		_exit(1);
}

// An order's descriptors, checked: init's control socket, its filter, the cgroups,
// and a network namespace if one is given (else -1).
struct descriptors {
	int control, filter, network;
	const int *cgroups;
	int cgroup_count;
};

static int take_descriptors(const struct cell_head *head, const int *fds, int count, struct descriptors *out)
{
	int given = (head->c & CELL_NETWORK) != 0, cgroups = count - 2 - given;
	if (cgroups < 0 || head->b != cgroups || ((head->c & CELL_CGROUP_V2) && cgroups != 1) ||
	    cell_flags_of(head->c) & ~(uint64_t)CELL_FLAGS)
		return -1;
	if (head->c & CELL_RANGE && !(head->c & CELL_IMAGE))
		return -1;
	if (head->c & CELL_IMAGE && (head->c & CELL_SINGLE_ID || head->pid < CELL_UID_JOB || head->pid > CELL_UID_BEHIND))
		return -1;
	*out = (struct descriptors){.control = fds[0], .filter = fds[1], .cgroups = fds + 2, .cgroup_count = cgroups,
	                            .network = given ? fds[count - 1] : -1};
	return 0;
}

// clone_owned clones init into a user namespace that is made by init's own id outside,
// where there is one.
static pid_t clone_owned(const struct cell_head *head, int cgroup, int *pidfd)
{
	if (head->c & CELL_SINGLE_ID)
		return clone_init(head, cgroup, pidfd);
	if (bound_owner() < 0)
		return -1;
	int taken = take_owner((uid_t)head->a);
	pid_t pid = taken < 0 ? -1 : clone_init(head, cgroup, pidfd);
	if (pid == 0)
		return 0;
	int error = errno;
	uint32_t failed = cell_step;
	if (leave_owner() < 0) { // another's for good: its rights are not what they have to be
		report(STAGE_CLONE, 0, NULL, 0, errno);
		_exit(1);
	}
	errno = error;
	cell_step = failed;
	return pid;
}

// clone_in clones init inside the cell's network namespace, and has the server
// back in its own afterwards, whatever came of it.
static pid_t clone_in(const struct cell_head *head, const struct descriptors *d, int *network, int *pidfd, uint32_t *stage)
{
	*stage = STAGE_NETWORK;
	pid_t pid = enter_network(d->network, network);
	if (pid == 0) { // it is entered
		*stage = STAGE_CLONE;
		pid = clone_owned(head, d->cgroup_count ? d->cgroups[0] : -1, pidfd);
		if (pid == 0)
			return 0;
	}
	int error = errno;
	uint32_t failed = cell_step;
	if (leave_network() < 0) { // in a cell's network for good: the next one would be in it, too
		report(STAGE_NETWORK, 0, NULL, 0, errno);
		_exit(1);
	}
	errno = error;
	cell_step = failed;
	return pid;
}

// settle does what only the server may do for a new init: its ids.
static int settle(pid_t pid, const struct cell_head *head, int go, uint32_t *stage)
{
	*stage = STAGE_IDMAP;
	if (write_maps(pid, head) < 0)
		return -1;
	*stage = STAGE_CLONE;
	return TRY(STEP_WRITE_GO, write(go, "g", 1)) == 1 ? 0 : -1;
}

// make_cell: closing the go pipe unwritten ends a child whose maps failed.
static void make_cell(const struct cell_head *head, const int *fds, int count)
{
	struct descriptors d;
	int go[2], made[2] = {-1, -1}; // pidfd, and the network namespace where it is new
	uint32_t stage = STAGE_CLONE;
	if (take_descriptors(head, fds, count, &d) < 0) {
		report(STAGE_PROTOCOL, 0, NULL, 0, EBADMSG);
		return;
	}
	if (TRY(STEP_PIPE2, pipe2(go, O_CLOEXEC)) < 0) {
		report(stage, 0, NULL, 0, errno);
		return;
	}
	pid_t pid = clone_in(head, &d, &made[1], &made[0], &stage);
	if (pid == 0) {
		close(go[1]);
		init_main(&(struct cell_order){.control = d.control, .filter = d.filter, .go = go[0], .tasks = d.cgroups,
		                               .tasks_count = head->c & CELL_CGROUP_V2 ? 0 : d.cgroup_count, .ops = cell_ops,
		                               .flags = cell_flags_of(head->c), .ops_size = cell_ops_size});
	}
	int failed = pid < 0 || settle(pid, head, go[1], &stage) < 0;
	int error = failed ? errno : 0;
	close(go[0]);
	close(go[1]);
	if (failed)
		report(stage, 0, NULL, 0, error);
	else
		report(STAGE_NONE, pid, made, made[1] >= 0 ? 2 : 1, 0);
	for (int i = 0; i < 2; i++)
		if (made[i] >= 0)
			close(made[i]);
}

// add_files shows a cell that waits files of its job's. size is that of their paths.
static int add_files(const struct cell_head *head, size_t size, const int *fds, int count, uint32_t *index)
{
	const char *paths[CELL_FDS_MAX];
	errno = EBADMSG; // what a decoder finds has no errno of its own
	if (TRY(STEP_DECODE_PATHS, count > 1 && decode_paths(message + sizeof *head, size, paths, CELL_FDS_MAX) == count - 1 ? 0 : -1) < 0)
		return -1;
	return show_files(fds[0], (uid_t)head->a, paths, fds + 1, count - 1, index);
}

static int add_layer(const int *fds, int count)
{
	errno = EBADMSG;
	return count == 2 ? show_layer(fds[0], fds[1]) : -1;
}

// show shows a cell that waits for its job what belongs to that job.
static void show(const struct cell_head *order, size_t size, const int *fds, int count)
{
	int error = 0;
	uint32_t failed = STEP_NONE, index = 0;
	if ((order->kind == MSG_LAYER ? add_layer(fds, count) : add_files(order, size, fds, count, &index)) < 0) {
		error = errno;
		failed = cell_step;
	}
	if (leave_mounts() < 0)
		_exit(1); // in a cell's mounts for good: the next cell would be made of them
	struct cell_head head = {.version = CELL_VERSION, .kind = MSG_LAYER_SHOWN, .stage = error ? STAGE_LAYER : STAGE_NONE,
	                         .index = index, .error = error, .a = failed};
	if (TRY(STEP_SEND_LAYER_SHOWN, send_message(FD_DAEMON, &head, NULL, 0)) < 0)
		_exit(1);
}

// default_signals: what a daemon below nohup(1) ignores must not reach a job. By
// the system call itself: the C library refuses the two signals that it keeps for
// its threads, and those can be inherited as ignored all the same.
static void default_signals(void)
{
	static const uint64_t action[4]; // struct sigaction of the kernel: SIG_DFL, no flags, empty mask
	for (int number = 1; number < NSIG; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, sizeof(uint64_t));
}

// server_main serves until the daemon's socket ends.
_Noreturn void server_main(void)
{
	struct cell_head head;
	int fds[CELL_FDS_MAX], count;
	prctl(PR_SET_NAME, "cordon-cell", 0, 0, 0);
	default_signals();
	signal(SIGCHLD, SIG_IGN); // children are reaped by the kernel; their pidfds tell of their end
	signal(SIGINT, SIG_IGN);  // a terminal's Ctrl-C is for the daemon, which then lets go
	syscall(SYS_close_range, FD_DAEMON + 1, ~0U, 0);
	build_template();
	for (;;) {
		ssize_t n = receive_message(FD_DAEMON, message, sizeof message, fds, &count);
		memcpy(&head, message, sizeof head);
		arm_fault(n > 0 ? head.c : 0);
		n = TRY(STEP_RECEIVE_ORDER, n);
		if (n == 0 || (n < 0 && errno != EMSGSIZE)) // of one that is too large there is nothing left to read
			_exit(n < 0);
		if (n == (ssize_t)sizeof head && head.version == CELL_VERSION && head.kind == MSG_CELL)
			make_cell(&head, fds, count);
		else if (n == (ssize_t)sizeof head && head.version == CELL_VERSION && head.kind == MSG_LAYER)
			show(&head, 0, fds, count);
		else if (n > (ssize_t)sizeof head && head.version == CELL_VERSION && head.kind == MSG_FILES)
			show(&head, (size_t)n - sizeof head, fds, count);
		else
			report(STAGE_PROTOCOL, 0, NULL, 0, EBADMSG);
		for (int i = 0; i < count; i++)
			close(fds[i]);
	}
}
