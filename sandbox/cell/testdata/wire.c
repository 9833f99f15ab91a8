// Drives wire.c over a real socket, built with the sanitizers by decode_test.go.
// Ends with abort when a promise is broken, else prints what it has checked.
#define _GNU_SOURCE
#include "../cell.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROMISE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "broken promise: %s (line %d, errno %d)\n", #condition, __LINE__, errno); \
			abort(); \
		} \
	} while (0)

static int ends[2];
static int checks;

// receive into heap blocks of exactly the size, so that a byte or a descriptor
// too many is fatal. Returns what receive_message does.
static ssize_t receive(size_t size, int *count)
{
	void *buffer = malloc(size);
	int *fds = malloc(CELL_FDS_MAX * sizeof(int));
	ssize_t n = receive_message(ends[1], buffer, size, fds, count);
	int saved = errno;
	PROMISE(*count >= 0 && *count <= CELL_FDS_MAX);
	for (int i = 0; i < *count; i++) {
		PROMISE(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		close(fds[i]);
	}
	free(buffer);
	free(fds);
	checks++;
	errno = saved;
	return n;
}

// raw sends what send_message never would.
static void raw(size_t size, int fd_count)
{
	static char bytes[CELL_MESSAGE_MAX];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;
	struct iovec part = {bytes, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	memset(&control, 0, sizeof control);
	if (fd_count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
		for (int i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &ends[0], sizeof(int));
	}
	PROMISE(sendmsg(ends[0], &message, 0) == (ssize_t)size);
}

int main(void)
{
	struct cell_head head = {.version = CELL_VERSION, .kind = MSG_READY};
	int fds[CELL_FDS_MAX], count = -1;
	int open_before = dup(0);
	close(open_before);
	PROMISE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	for (int n = 0; n <= CELL_FDS_MAX; n++) {
		for (int i = 0; i < n; i++)
			fds[i] = ends[0];
		PROMISE(send_message(ends[0], &head, fds, n) == 0);
		PROMISE(receive(sizeof head, &count) == (ssize_t)sizeof head && count == n);
	}
	PROMISE(send_failure(ends[0], MSG_FAILED, STAGE_EXEC, 3, ENOENT) == 0);
	PROMISE(receive(sizeof head, &count) == (ssize_t)sizeof head && count == 0);
	const int many[] = {CELL_FDS_MAX + 1, 40, 64};
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) { // more descriptors than fit: refused
		raw(sizeof head, many[i]);
		PROMISE(receive(sizeof head, &count) == -1 && errno == EMSGSIZE);
	}
	const size_t sizes[] = {sizeof head + 1, 4096, CELL_MESSAGE_MAX};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) { // a longer message: refused
		raw(sizes[i], 1);
		PROMISE(receive(sizeof head, &count) == -1 && errno == EMSGSIZE);
	}
	raw(5, 0); // a shorter one is the caller's to refuse
	PROMISE(receive(sizeof head, &count) == 5 && count == 0);
	raw(CELL_MESSAGE_MAX, 0);
	PROMISE(receive(CELL_MESSAGE_MAX, &count) == CELL_MESSAGE_MAX);
	close(ends[0]);
	PROMISE(receive(sizeof head, &count) == 0 && count == 0);
	PROMISE(send_message(ends[1], &head, NULL, 0) == -1 && errno == EPIPE); // and no signal
	close(ends[1]);
	int open_after = dup(0);
	PROMISE(open_after == open_before); // no descriptor is left
	printf("%d receptions\n", checks);
	return 0;
}
