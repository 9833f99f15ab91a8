// SEQPACKET messages with descriptors: one message, one packet.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t cell_step;

// receive_message reads one packet. Returns its size, 0 at end of file, -1 with
// errno. *fd_count is set to the number of descriptors (all close-on-exec).
ssize_t receive_message(int socket, void *buffer, size_t size, int *fds, int *fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CELL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = buffer, .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1,
	                         .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;
	*fd_count = 0;
	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)*fd_count * sizeof(int));
	}
	if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		errno = EMSGSIZE;
		return -1;
	}
	return n;
}

// send_message sends a head and descriptors in one packet. 0 or -1 with errno.
int send_message(int socket, const struct cell_head *head, const int *fds, int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CELL_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = {.iov_base = (void *)(uintptr_t)head, .iov_len = sizeof *head};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd_count > 0) {
		memset(&control, 0, sizeof control);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t)fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)fd_count * sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *head ? 0 : -1;
}

// send_failure tells where something failed and with which errno.
int send_failure(int socket, uint32_t kind, uint32_t stage, uint32_t index, int error)
{
	struct cell_head head = {.version = CELL_VERSION, .kind = kind, .stage = stage, .index = index, .error = error,
	                         .a = stage ? cell_step : STEP_NONE};
	return send_message(socket, &head, NULL, 0);
}

// write_text writes to a file of the kernel's. 0 or -1 with errno.
int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	int saved = errno;
	close(fd);
	errno = saved;
	return n == (ssize_t)strlen(text) ? 0 : -1;
}
