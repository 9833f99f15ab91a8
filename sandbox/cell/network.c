// The network namespace of a cell. The server makes it, and stands in it while
// it clones the cell: so it belongs to the daemon's user namespace, nobody in the
// cell has any capability over it, and the daemon may give it to a further cell
// when no process of this one has ever asked for a socket (ADR 7).
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN_NETWORK "/proc/self/ns/net"

static int home = -1; // where the server lives: a namespace without anything, not the host's

// raise_loopback brings the own "lo" up: the only interface a cell has.
static int raise_loopback(void)
{
	struct ifreq request;
	memset(&request, 0, sizeof request);
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP;
	int s = TRY(STEP_LOOPBACK_SOCKET, socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (s < 0)
		return -1;
	int result = TRY(STEP_LOOPBACK_UP, ioctl(s, SIOCSIFFLAGS, &request));
	int saved = errno;
	close(s);
	errno = saved;
	return result;
}

// make_home is called once, when the server's root stands. The host's namespace
// would not let it back in: that is not of the daemon's user namespace.
int make_home(void)
{
	if (TRY(STEP_UNSHARE_HOME, unshare(CLONE_NEWNET)) < 0)
		return -1;
	home = TRY(STEP_OPEN_HOME, open(OWN_NETWORK, O_RDONLY | O_CLOEXEC));
	return home < 0 ? -1 : 0;
}

// make_network enters a new namespace and sets it up. The kernel forces a minimum
// of buffers on every TCP socket, past any limit of memory: a small one.
static int make_network(void)
{
	if (TRY(STEP_UNSHARE_NETWORK, unshare(CLONE_NEWNET)) < 0)
		return -1;
	if (TRY(STEP_TCP_RMEM, write_text("/proc/sys/net/ipv4/tcp_rmem", "4096 16384 65536")) < 0 ||
	    TRY(STEP_TCP_WMEM, write_text("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 65536")) < 0)
		return -1;
	if (raise_loopback() < 0)
		return -1;
	return TRY(STEP_OPEN_NETWORK, open(OWN_NETWORK, O_RDONLY | O_CLOEXEC));
}

// enter_network moves the server into the namespace that was given, or a new one
// where given is -1. Returns 0 and in *made the new one's descriptor, or -1.
int enter_network(int given, int *made)
{
	if (given >= 0)
		return TRY(STEP_JOIN_NETWORK, setns(given, CLONE_NEWNET));
	*made = make_network();
	return *made < 0 ? -1 : 0;
}

// leave_network moves the server back. One that cannot is of no more use.
int leave_network(void) { return TRY(STEP_LEAVE_NETWORK, setns(home, CLONE_NEWNET)); }
