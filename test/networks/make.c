// make TUN COUNT: makes COUNT machines' networks, in a user namespace of the caller's, and
// hands them over on descriptor 3 as one message of descriptors: a time namespace whose
// monotonic clock and time since the boot are a hundred days ahead, and for each machine its
// network namespace and the other end of its only cable. TUN is a device node like
// /dev/net/tun. Machine N has the address 10.77.0.N. What nobody holds any more is gone.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 50, AHEAD = 100 * 24 * 3600 };

static int try(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "networks: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static void put(const char *file, const char *text)
{
	int fd = try(file, open(file, O_WRONLY | O_CLOEXEC));

	try(file, (int)write(fd, text, strlen(text)));
	close(fd);
}

static void become_root_of_a_namespace(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	try("a user namespace", unshare(CLONE_NEWUSER));
	put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "0 %u 1", uid);
	put("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "0 %u 1", gid);
	put("/proc/self/gid_map", map);
}

static int shifted_time(void)
{
	char offsets[64];

	try("a time namespace", unshare(CLONE_NEWTIME));
	snprintf(offsets, sizeof offsets, "monotonic %d 0\nboottime %d 0\n", AHEAD, AHEAD);
	put("/proc/self/timens_offsets", offsets);
	return try("its descriptor", open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC));
}

static void address(int s, struct ifreq *r, unsigned long request, const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	inet_pton(AF_INET, text, &a.sin_addr);
	memcpy(&r->ifr_addr, &a, sizeof a);
	try(text, ioctl(s, request, r));
}

static void raise(int s, const char *name)
{
	struct ifreq r = {0};

	strcpy(r.ifr_name, name);
	try(name, ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	try(name, ioctl(s, SIOCSIFFLAGS, &r));
}

// cable is the far end of what the current network namespace is reached by.
static int cable(const char *node, int machine)
{
	struct ifreq r = {.ifr_name = "cable", .ifr_flags = IFF_TUN | IFF_NO_PI};
	char own[32];
	int s = try("a socket", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	int fd = try(node, open(node, O_RDWR | O_CLOEXEC | O_NONBLOCK));

	try("a cable", ioctl(fd, TUNSETIFF, &r));
	snprintf(own, sizeof own, "10.77.0.%d", machine);
	address(s, &r, SIOCSIFADDR, own);
	address(s, &r, SIOCSIFNETMASK, "255.255.255.0");
	raise(s, "cable");
	raise(s, "lo");
	close(s);
	return fd;
}

static void hand_over(const int *fds, int n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * (1 + 2 * MOST))];
	} control = {0};
	char byte = 'n';
	struct iovec text = {&byte, 1};
	struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	try("descriptor 3", (int)sendmsg(3, &m, 0));
}

int main(int count, char **arg)
{
	int fds[1 + 2 * MOST], n = 0, machines = count == 3 ? atoi(arg[2]) : 0;

	if (machines < 1 || machines > MOST) {
		fprintf(stderr, "usage: make TUN COUNT, of 1 to %d\n", MOST);
		return 2;
	}
	become_root_of_a_namespace();
	fds[n++] = shifted_time();
	for (int i = 1; i <= machines; i++) {
		try("a network namespace", unshare(CLONE_NEWNET));
		fds[n++] = try("its descriptor", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
		fds[n++] = cable(arg[1], i);
	}
	hand_over(fds, n);
	return 0;
}
