// What is shown to a cell that has been made already: the tree that a build has left,
// for each of the runs that begin with it, and files of the service's. Only the server can: init has given up the
// right to mount, and its filter denies it. It enters the mount namespace of the cell,
// in which nothing of a job has run yet, and comes back.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
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

// take_file_ids changes whose files the server makes; 0 is its own id. The kernel takes
// the rights over others' files with it, and gives them back. Neither call tells of
// failure: what came of it is read back.
static int take_file_ids(uid_t id)
{
	syscall(SYS_setfsgid, id);
	syscall(SYS_setfsuid, id);
	errno = EPERM;
	return (uid_t)syscall(SYS_setfsgid, -1) == id && (uid_t)syscall(SYS_setfsuid, -1) == id ? 0 : -1;
}

// make_place makes the empty file that a mount will cover. It is the job's: the scratch
// knows no id of the server's.
static int make_place(const char *path)
{
	if (make_parents(STEP_MAKE_PLACE_PARENT, path) < 0)
		return -1;
	int fd = TRY(STEP_MAKE_PLACE, open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
	return fd < 0 ? -1 : close(fd);
}

// show_files attaches detached mounts of single files, whose attributes the daemon has
// set, at their paths below the /work of a waiting cell. The caller calls leave_mounts
// whatever came of it.
int show_files(int pidfd, uid_t id, const char *const *paths, const int *trees, int count, uint32_t *index)
{
	if (TRY(STEP_ENTER_MOUNTS, setns(pidfd, CLONE_NEWNS)) < 0)
		return -1;
	away = 1;
	if (TRY(STEP_CHDIR_PLACES, chdir("/work")) < 0 || TRY(STEP_TAKE_FILE_IDS, take_file_ids(id)) < 0)
		return -1;
	for (int i = 0; i < count; i++) {
		*index = (uint32_t)i;
		if (make_place(paths[i]) < 0 ||
		    TRY(STEP_MOVE_FILE, syscall(SYS_move_mount, trees[i], "", AT_FDCWD, paths[i], MOVE_MOUNT_F_EMPTY_PATH)) < 0)
			return -1;
	}
	return 0;
}

// leave_mounts takes the server back to its own.
int leave_mounts(void)
{
	if (!away)
		return 0;
	away = 0;
	return TRY(STEP_LEAVE_MOUNTS, take_file_ids(0) < 0 ? -1 : setns(home, CLONE_NEWNS));
}
