// A tree that is shown to a cell which has been made already: what a build has left,
// for each of the runs that begin with it. Only the server can: init has given up the
// right to mount, and its filter denies it. It enters the mount namespace of the cell,
// in which nothing of a job has run yet, and comes back.
#define _GNU_SOURCE
#include "cell.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char layer_path[] = "/layer"; // an empty directory of every root: LayerPath in layer.go

static int home = -1; // the server's own mount namespace
static int away;

// remember_mounts is called once, when the server's root stands.
int remember_mounts(void)
{
	home = TRY(STEP_OPEN_OWN_MOUNTS, open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	return home < 0 ? -1 : 0;
}

// show_layer attaches a detached mount, whose attributes the daemon has set, in the
// cell of a waiting init. The caller calls leave_mounts whatever came of it.
int show_layer(int pidfd, int tree)
{
	if (TRY(STEP_ENTER_MOUNTS, setns(pidfd, CLONE_NEWNS)) < 0)
		return -1;
	away = 1;
	return (int)TRY(STEP_MOVE_LAYER, syscall(SYS_move_mount, tree, "", AT_FDCWD, layer_path, MOVE_MOUNT_F_EMPTY_PATH));
}

// leave_mounts takes the server back to its own.
int leave_mounts(void)
{
	if (!away)
		return 0;
	away = 0;
	return TRY(STEP_LEAVE_MOUNTS, setns(home, CLONE_NEWNS));
}
