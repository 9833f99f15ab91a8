// The job's process between its birth and execve. It runs as the job's own id,
// below the job's filter, in the job's cgroup: files are placed with the job's
// own rights, never with init's.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// is_job reads back who we are. 0, or -1 with errno.
static int is_job(void)
{
	const uid_t id = CELL_UID_JOB;
	uid_t r, e, s;
	gid_t rg, eg, sg;
	if (syscall(SYS_getresuid, &r, &e, &s) < 0 || syscall(SYS_getresgid, &rg, &eg, &sg) < 0)
		return -1;
	errno = EPERM;
	return r == id && e == id && s == id && rg == id && eg == id && sg == id ? 0 : -1;
}

// become takes the job's ids and gives up every capability, then checks the ids.
static int become(uint64_t flags)
{
	const uid_t id = CELL_UID_JOB;
	if (!(flags & CELL_SINGLE_ID) && TRY(STEP_JOB_SETRESGID, syscall(SYS_setresgid, id, id, id)) < 0)
		return -1;
	if (!(flags & CELL_SINGLE_ID) && TRY(STEP_JOB_SETRESUID, syscall(SYS_setresuid, id, id, id)) < 0)
		return -1;
	if (TRY(STEP_JOB_CAPSET, keep_capabilities(0)) < 0)
		return -1;
	return TRY(STEP_JOB_READ_BACK_IDS, is_job());
}

// make_parents makes the directories above path, each from the one above it: by the whole
// path, a deep one would cost the square of its length. Symbolic links come last in a
// pack, so none can stand in the way here.
int make_parents(uint32_t step, const char *path)
{
	char part[PATH_MAX];
	size_t n = strlen(path);
	if (n >= sizeof part) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, path, n + 1);
	char *last = strrchr(part, '/'), *name = part;
	if (!last)
		return 0;
	*last = 0;
	if (access(part, F_OK) == 0) // as for all but the first of a directory
		return 0;
	int at = AT_FDCWD, result = 0;
	for (char *slash; name && result == 0; name = slash) {
		slash = strchr(name, '/');
		if (slash)
			*slash++ = 0;
		if (TRY(step, mkdirat(at, name, 0755)) < 0 && errno != EEXIST)
			result = -1;
		int next = -1;
		if (result == 0 && slash)
			next = TRY(step, openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		if (result == 0 && slash && next < 0)
			result = -1;
		int error = errno;
		if (at >= 0)
			close(at);
		errno = error;
		at = next;
	}
	return result;
}

static int place_regular(const struct pack *pack, const struct pack_file *f, const char *path)
{
	int fd = TRY(STEP_PLACE_FILE, openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	if (fd < 0)
		return -1;
	uint64_t done = 0;
	ssize_t n = 1;
	while (done < f->data_len && (n = TRY(STEP_WRITE_PLACED, write(fd, pack->base + f->data_off + done, f->data_len - done))) > 0)
		done += (uint64_t)n;
	if (n == 0)
		errno = EIO;
	int failed = done < f->data_len || TRY(STEP_FCHMOD_PLACED, fchmod(fd, f->mode & 0777)) < 0;
	int saved = errno;
	close(fd);
	errno = saved;
	return failed ? -1 : 0;
}

static int place_file(const struct pack *pack, const struct pack_file *f)
{
	const char *path = (const char *)pack->base + f->path_off;
	if (make_parents(STEP_MAKE_PARENT, path) < 0)
		return -1;
	switch (f->type) {
	case PACK_DIR:
		if (TRY(STEP_PLACE_DIR, mkdirat(AT_FDCWD, path, 0700)) < 0 && errno != EEXIST)
			return -1;
		return 0; // its mode is set when its files are in
	case PACK_SYMLINK:
		return TRY(STEP_PLACE_LINK, symlinkat((const char *)pack->base + f->data_off, AT_FDCWD, path));
	default:
		return place_regular(pack, f, path);
	}
}

static int place_files(const struct pack *pack, volatile uint32_t *index)
{
	uint32_t i;
	for (i = 0; i < pack->head->files; i++) {
		*index = i;
		if (place_file(pack, &pack->files[i]) < 0)
			return -1;
	}
	// Backwards: a parent that becomes unwritable must not hide its children.
	for (i = pack->head->files; i-- > 0;) {
		const struct pack_file *f = &pack->files[i];
		*index = i;
		if (f->type == PACK_DIR &&
		    TRY(STEP_CHMOD_DIR, fchmodat(AT_FDCWD, (const char *)pack->base + f->path_off, f->mode & 0777, 0)) < 0)
			return -1;
	}
	return 0;
}

static int set_rlimits(const struct pack_head *head, volatile uint32_t *index)
{
	for (uint32_t i = 0; i < CELL_RLIMITS; i++) {
		struct rlimit limit = {head->rlimits[i].soft, head->rlimits[i].hard};
		*index = i;
		if (head->rlimits[i].set && TRY(STEP_SETRLIMIT, setrlimit((int)head->rlimits[i].resource, &limit)) < 0)
			return -1;
	}
	return 0;
}

// 0, 1 and 2 become the job's streams, and further descriptors get the numbers that were
// asked for; nothing else survives, by range and not by list, because a leaked descriptor
// is a way out (CVE-2024-21626).
static int take_descriptors(struct job_order *order)
{
	int lifted[3 + CELL_FURTHER];
	unsigned next = 0;
	for (int i = 0; i < order->count; i++)
		if ((lifted[i] = TRY(STEP_LIFT_STDIO, fcntl(order->given[i], F_DUPFD_CLOEXEC, 3 + CELL_FURTHER))) < 0)
			return -1;
	if (lift_view(order) < 0)
		return -1;
	for (int i = 0; i < order->count; i++)
		if (TRY(STEP_PLACE_STDIO, dup3(lifted[i], order->numbers[i], 0)) < 0)
			return -1;
	for (int i = 0; i < order->count; i++) {
		unsigned number = (unsigned)order->numbers[i];
		if (number > next && TRY(STEP_CLOSE_OTHERS, syscall(SYS_close_range, next, number - 1, 0)) < 0)
			return -1;
		next = number + 1;
	}
	if (order->view >= 0) { // it goes with the exec
		if (TRY(STEP_CLOSE_OTHERS, syscall(SYS_close_range, next, (unsigned)order->view - 1, 0)) < 0)
			return -1;
		next = (unsigned)order->view + 1;
	}
	return (int)TRY(STEP_CLOSE_OTHERS, syscall(SYS_close_range, next, ~0U, 0));
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *search_path(char **envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "/usr/local/bin:/usr/bin:/bin";
}

// execute replaces the process, looking a plain name up in the job's PATH as
// execvpe(3) does, but without its fallback to a shell. Returns only on failure.
static void execute(const struct pack *pack)
{
	char candidate[PATH_MAX];
	const char *name = pack->argv[0];
	int best = ENOENT;
	pack->head->place_us = (uint32_t)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000);
	pack->head->exec_ns = clock_ns(CLOCK_MONOTONIC);
	if (strchr(name, '/')) {
		execve(name, pack->argv, pack->envp);
		return;
	}
	for (const char *dir = search_path(pack->envp); *dir;) {
		size_t n = strcspn(dir, ":");
		if (n > 0 && n + strlen(name) + 2 <= sizeof candidate) {
			memcpy(candidate, dir, n);
			candidate[n] = '/';
			strcpy(candidate + n + 1, name);
			execve(candidate, pack->argv, pack->envp);
			if (errno != ENOENT && errno != ENOTDIR)
				best = errno; // found, but refused: that is what the user must hear
			if (best != ENOENT && best != EACCES)
				break;
		}
		dir += n + (dir[n] == ':');
	}
	errno = best;
}

// own_session keeps the job from whatever has a terminal. One that has been given a
// terminal is in the session of that, and has a group of its own.
static int own_session(const struct job_order *order)
{
	if (order->terminal)
		return TRY(STEP_JOB_SETPGID, setpgid(0, 0));
	return TRY(STEP_JOB_SETSID, setsid());
}

// take_foreground makes the job's group the one to which the terminal's signals go. Out
// of the background that is allowed while SIGTTOU is blocked, as it is until the exec.
static int take_foreground(void)
{
	pid_t group = getpid();
	return TRY(STEP_FOREGROUND, ioctl(0, TIOCSPGRP, &group));
}

static int prepare(struct job_order *order)
{
	sigset_t none;
	order->stage = STAGE_JOB_IDS;
	if (own_session(order) < 0 || become(order->flags) < 0)
		return -1;
	order->stage = STAGE_FILES;
	if (TRY(STEP_CHDIR_WORK, chdir("/work")) < 0)
		return -1;
	umask(0);
	if (place_files(order->pack, &order->index) < 0)
		return -1;
	umask(order->pack->head->umask & 0777);
	order->stage = STAGE_STDIO;
	order->index = 0;
	if (take_descriptors(order) < 0 || (order->terminal && take_foreground() < 0))
		return -1;
	order->stage = STAGE_RLIMIT;
	if (set_rlimits(order->pack->head, &order->index) < 0)
		return -1;
	order->stage = STAGE_VIEW;
	order->index = 0;
	if (show_view(order) < 0)
		return -1;
	order->stage = STAGE_RLIMIT;
	sigemptyset(&none);
	return TRY(STEP_JOB_SIGPROCMASK, sigprocmask(SIG_SETMASK, &none, NULL));
}

// job_process runs in init's memory until execve. On failure it leaves the stage,
// the index and the errno there; after a successful exec the stage is none.
int job_process(void *argument)
{
	struct job_order *order = argument;
	if (prepare(order) < 0) {
		order->error = errno;
		_exit(1);
	}
	order->index = 0;
	cell_step = STEP_NONE; // the stage says all there is to say
	order->stage = STAGE_NONE; // what init reads when execve does not return
	execute(order->pack);
	order->error = errno;
	order->stage = STAGE_EXEC;
	_exit(1);
}
