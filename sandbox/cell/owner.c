// Whose a cell's user namespace is. Of some things, such as instances of inotify, the kernel
// counts what each id of a namespace has, and adds that to what the maker of the namespace
// has in the one above. A limit inside holds each id, and a job may have all ids of an image;
// a limit above holds the maker. So every cell is made by an id that is its own: init's.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

// bound_owner limits what an id of the server's namespace may have, and with it each cell.
int bound_owner(void)
{
	if (TRY(STEP_BOUND_INSTANCES, write_text("/proc/sys/user/max_inotify_instances", MOST_INSTANCES)) < 0)
		return -1;
	return TRY(STEP_BOUND_WATCHES, write_text("/proc/sys/user/max_inotify_watches", MOST_WATCHES));
}

// take_owner makes an id the one that a namespace is made by, and no other: files are
// opened as before. The server's rights come back with its own id.
int take_owner(uid_t id)
{
	if (TRY(STEP_TAKE_OWNER, syscall(SYS_setresuid, -1, id, -1)) < 0)
		return -1;
	syscall(SYS_setfsuid, 0); // tells of no failure: it is read back
	errno = EPERM;
	return TRY(STEP_READ_BACK_OWNER, syscall(SYS_setfsuid, -1) == 0 ? 0 : -1);
}

// leave_owner: a server that has not its own id any more is of no use.
int leave_owner(void) { return (int)TRY(STEP_LEAVE_OWNER, syscall(SYS_setresuid, -1, 0, -1)); }
