// What the job's process sees of itself when all is set up and only the exec is missing. It
// tells that to the daemon, which looks at it from outside meanwhile, and lets it go on.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// The order is that of viewNames in view.go: files, then links.
static const char *const seen[] = {
	"/proc/self/status", "/proc/self/mountinfo", "/proc/self/uid_map", "/proc/self/gid_map", "/proc/self/limits", "/proc/self/net/dev",
	"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid", "/proc/self/ns/net", "/proc/self/ns/ipc", "/proc/self/ns/uts",
	"/proc/self/ns/cgroup",
};

enum { SEEN = sizeof seen / sizeof *seen, FILES = 6 };

// lift_view moves the socket out of the way of the job's own descriptors, as those are.
int lift_view(struct job_order *order)
{
	if (order->view < 0)
		return 0;
	order->view = TRY(STEP_LIFT_VIEW, fcntl(order->view, F_DUPFD_CLOEXEC, 3 + CELL_FURTHER));
	return order->view < 0 ? -1 : 0;
}

static int send_all(int to, const void *bytes, size_t size)
{
	for (const char *at = bytes; size > 0;) {
		ssize_t n = write(to, at, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

static int tell(int to, uint32_t what, int error, const char *bytes, size_t size)
{
	struct view_head head = {.what = what, .error = error, .size = (uint32_t)size};
	if (send_all(to, &head, sizeof head) < 0)
		return -1;
	return send_all(to, bytes, size);
}

// tell_one: what cannot be looked at is told with its errno. It is the job's own right that is
// tried.
static int tell_one(int to, uint32_t what)
{
	char buffer[4096];
	ssize_t n;
	if (what >= FILES) {
		n = readlink(seen[what], buffer, sizeof buffer);
		return tell(to, what, n < 0 ? errno : 0, buffer, n < 0 ? 0 : (size_t)n);
	}
	int fd = open(seen[what], O_RDONLY | O_CLOEXEC), result = 0;
	if (fd < 0)
		return tell(to, what, errno, buffer, 0);
	while (result == 0 && (n = read(fd, buffer, sizeof buffer)) != 0) {
		if (n < 0) {
			result = tell(to, what, errno, buffer, 0);
			break;
		}
		result = tell(to, what, 0, buffer, (size_t)n);
	}
	close(fd);
	return result;
}

// show_view tells all, and waits until the daemon has seen enough.
int show_view(const struct job_order *order)
{
	char byte;
	ssize_t n;
	if (order->view < 0)
		return 0;
	for (uint32_t what = 0; what < SEEN; what++)
		if (TRY(STEP_TELL_VIEW, tell_one(order->view, what)) < 0)
			return -1;
	if (TRY(STEP_TELL_VIEW, tell(order->view, VIEW_END, 0, "", 0)) < 0)
		return -1;
	do
		n = TRY(STEP_AWAIT_VIEWED, read(order->view, &byte, 1));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = EPIPE; // the daemon has given up
	return n == 1 ? 0 : -1;
}
