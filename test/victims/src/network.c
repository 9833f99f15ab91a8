/* Sockets: which kinds there are, and whom they reach. */
#include "victim.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct {
	const char *name;
	int number;
} named[] = {
	{"unix", 1}, {"inet", 2}, {"inet6", 10}, {"netlink", 16}, {"packet", 17}, {"key", 15}, {"rds", 21}, {"can", 29},
	{"tipc", 30}, {"bluetooth", 31}, {"rxrpc", 33}, {"alg", 38}, {"nfc", 39}, {"vsock", 40}, {"kcm", 41},
	{"qipcrtr", 42}, {"smc", 43}, {"xdp", 44}, {"mctp", 45},
};

/* opened tries the kinds of sockets that a family may have. */
static int opened(int family)
{
	static const int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
	int error = EAFNOSUPPORT;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		int fd = socket(family, kinds[i] | SOCK_CLOEXEC, 0);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (errno != EAFNOSUPPORT)
			error = errno;
	}
	errno = error;
	return -1;
}

static int families(int argc, char **argv)
{
	char text[1024] = "";
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		tell(named[i].name, opened(named[i].number));
	for (int family = 0; family < 64; family++)
		if (family != AF_UNIX && family != AF_INET && family != AF_INET6 && opened(family) == 0)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", *text ? "," : "", family);
	say("others", *text ? text : "none");
	return 0;
}

static int raw_sockets(int argc, char **argv)
{
	(void)argc, (void)argv;
	tell("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	tell("raw6", socket(AF_INET6, SOCK_RAW, 58));
	tell("packet", socket(AF_PACKET, SOCK_RAW, 0));
	return 0;
}

/* address reads "ADDRESS PORT". */
static struct sockaddr_in address(char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
	inet_pton(AF_INET, argv[0], &a.sin_addr);
	return a;
}

/* reach_tcp ADDRESS PORT */
static int reach_tcp(int argc, char **argv)
{
	if (argc < 2)
		return 64;
	struct sockaddr_in to = address(argv);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	tell("connect", connect(fd, (void *)&to, sizeof to));
	return 0;
}

/* reach_udp ADDRESS…: asks for a route; nothing is sent. */
static int reach_udp(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		char *port9[] = {argv[i], "9"};
		struct sockaddr_in to = address(port9);
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		tell(argv[i], connect(fd, (void *)&to, sizeof to));
		close(fd);
	}
	return 0;
}

static void *accepts(void *listener)
{
	int fd = accept(*(int *)listener, NULL, NULL);
	(void)!write(fd, "over", 4);
	close(fd);
	return NULL;
}

/* A client and a server on the job's own loopback. */
static int own_loopback(int argc, char **argv)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof here;
	char text[8] = "";
	pthread_t thread;
	(void)argc, (void)argv;
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&here, size) < 0 || listen(listener, 1) < 0 || getsockname(listener, (void *)&here, &size) < 0)
		tell("listen", -1);
	if (pthread_create(&thread, NULL, accepts, &listener))
		return 1;
	tell("connect", connect(client, (void *)&here, size));
	(void)!read(client, text, 4);
	say("heard", *text ? text : "nothing");
	return 0;
}

static struct sockaddr_un abstract_name(const char *name, socklen_t *size)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	memcpy(a.sun_path + 1, name, n < sizeof a.sun_path - 1 ? n : sizeof a.sun_path - 1);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n);
	return a;
}

/* abstract_listen NAME SECONDS */
static int abstract_listen(int argc, char **argv)
{
	socklen_t size;
	if (argc < 1)
		return 64;
	struct sockaddr_un name = abstract_name(argv[0], &size);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	tell("bind", bind(fd, (void *)&name, size));
	tell("listen", listen(fd, 8));
	sleep((unsigned)number(argc, argv, 1, 1));
	return 0;
}

/* abstract_connect NAME */
static int abstract_connect(int argc, char **argv)
{
	socklen_t size;
	if (argc < 1)
		return 64;
	struct sockaddr_un name = abstract_name(argv[0], &size);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	tell("connect", connect(fd, (void *)&name, size));
	return 0;
}

/* Out of band: rarely used, often broken. */
static int out_of_band(int argc, char **argv)
{
	int ends[2];
	(void)argc, (void)argv;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return 1;
	tell("send", send(ends[0], "x", 1, MSG_OOB));
	return 0;
}

const struct victim network_victims[] = {
	{"families", families},
	{"raw_sockets", raw_sockets},
	{"reach_tcp", reach_tcp},
	{"reach_udp", reach_udp},
	{"own_loopback", own_loopback},
	{"abstract_listen", abstract_listen},
	{"abstract_connect", abstract_connect},
	{"out_of_band", out_of_band},
	{NULL, NULL},
};
