// The mount tree as a list of operations: the daemon computes it, this file
// carries it out blindly and names the one that failed.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// From <sys/mount.h>, which cannot be included beside <linux/mount.h> with this libc.
extern int mount(const char *, const char *, const char *, unsigned long, const void *);
extern int umount2(const char *, int);
#define MNT_DETACH 2
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int set_attributes(int dir, const char *path, uint64_t attributes, int recursive)
{
	struct mount_attr attr = {.attr_set = attributes};
	unsigned flags = (dir >= 0 ? AT_EMPTY_PATH : 0) | (recursive ? AT_RECURSIVE : 0);
	return (int)TRY(STEP_MOUNT_SETATTR, syscall(SYS_mount_setattr, dir >= 0 ? dir : AT_FDCWD, path, flags, &attr, sizeof attr));
}

// A bind is cloned detached, given its attributes, and only then attached: at no
// moment is it visible with fewer restrictions. One that has none of its own has
// those of the mount that its source lies on, and is a third of the work.
static int bind(const struct cell_operation *o)
{
	unsigned recursive = o->mode ? AT_RECURSIVE : 0;
	if (!o->flags)
		return TRY(STEP_MOUNT, mount(o->source, o->target, NULL, MS_BIND | (o->mode ? MS_REC : 0), NULL));
	int tree = (int)TRY(STEP_OPEN_TREE, syscall(SYS_open_tree, AT_FDCWD, o->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
	if (tree < 0)
		return -1;
	int failed = set_attributes(tree, "", o->flags, o->mode != 0) < 0;
	if (!failed)
		failed = TRY(STEP_MOVE_MOUNT, syscall(SYS_move_mount, tree, "", AT_FDCWD, o->target, MOVE_MOUNT_F_EMPTY_PATH)) < 0;
	int saved = errno;
	close(tree);
	errno = saved;
	return failed ? -1 : 0;
}

// These attributes and the flags of mount(2) are the same bits. Read-only is not:
// as a flag it would be the filesystem's own as well, and not this mount's alone.
#define MOUNT_BITS (MS_NOSUID | MS_NODEV | MS_NOEXEC)
_Static_assert(MOUNT_ATTR_NOSUID == MS_NOSUID && MOUNT_ATTR_NODEV == MS_NODEV && MOUNT_ATTR_NOEXEC == MS_NOEXEC,
               "attributes are not mount flags");

static int new_mount(const struct cell_operation *o, const char *type)
{
	if (TRY(STEP_MOUNT, mount(type, o->target, type, o->flags & MOUNT_BITS, o->data_len ? o->data : NULL)) < 0)
		return -1;
	return o->flags & ~(uint64_t)MOUNT_BITS ? set_attributes(-1, o->target, o->flags, 0) : 0;
}

static int write_file(const struct cell_operation *o)
{
	int fd = TRY(STEP_OPEN_FILE, open(o->target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, o->mode));
	if (fd < 0)
		return -1;
	size_t done = 0;
	while (done < o->data_len) {
		ssize_t n = TRY(STEP_WRITE_FILE, write(fd, o->data + done, o->data_len - done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	int failed = done < o->data_len || TRY(STEP_FCHMOD, fchmod(fd, o->mode)) < 0;
	int saved = errno;
	close(fd);
	errno = saved;
	return failed ? -1 : 0;
}

// The mode is set explicitly because the umask would cut it.
static int make_dir(const struct cell_operation *o)
{
	if (TRY(STEP_MKDIR, mkdir(o->target, o->mode)) < 0 && errno != EEXIST)
		return -1;
	return TRY(STEP_CHMOD, chmod(o->target, o->mode));
}

// pivot_root(".", ".") stacks the old root on the new one; detaching "." then
// drops it (pivot_root(2), NOTES). Nothing of the host stays reachable.
static int pivot(const char *target)
{
	if (TRY(STEP_CHDIR_ROOT, chdir(target)) < 0 || TRY(STEP_PIVOT_ROOT, syscall(SYS_pivot_root, ".", ".")) < 0)
		return -1;
	if (TRY(STEP_DETACH_OLD_ROOT, umount2(".", MNT_DETACH)) < 0)
		return -1;
	return TRY(STEP_CHDIR_NEW_ROOT, chdir("/"));
}

// The scratch is reached by the job only through binds of its subdirectories: a later
// one of them covers its root, or a pivot drops it. The fd is for collecting outputs.
static int keep_scratch(const struct cell_operation *o, int *scratch)
{
	*scratch = TRY(STEP_OPEN_SCRATCH, open(o->target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	return *scratch < 0 ? -1 : 0;
}

static int run_operation(const struct cell_operation *o, int *scratch)
{
	switch (o->op) {
	case OP_TMPFS:
		return new_mount(o, "tmpfs");
	case OP_PROC:
		return new_mount(o, "proc");
	case OP_OVERLAY:
		return new_mount(o, "overlay");
	case OP_BIND:
		return bind(o);
	case OP_MKDIR:
		return make_dir(o);
	case OP_FILE:
		return write_file(o);
	case OP_SYMLINK:
		return TRY(STEP_SYMLINK, symlink(o->source, o->target));
	case OP_ATTR:
		return set_attributes(-1, o->target, o->flags, o->mode != 0);
	case OP_PIVOT:
		return pivot(o->target);
	case OP_CHOWN:
		return TRY(STEP_CHOWN, chown(o->target, o->mode, o->mode));
	case OP_SCRATCH:
		return keep_scratch(o, scratch);
	}
	errno = EINVAL;
	return -1;
}

static int next_operation(const uint8_t *ops, size_t size, size_t *offset, struct cell_operation *out)
{
	int more = decode_operation(ops, size, offset, out);
	if (more < 0)
		errno = EBADMSG;
	return more;
}

// run_operations does all, in order. 0, or -1 with errno and *index of the failed one.
int run_operations(const uint8_t *ops, size_t size, uint32_t *index, int *scratch)
{
	struct cell_operation o;
	size_t offset = 0;
	for (*index = 0;; (*index)++) {
		int more = TRY(STEP_DECODE_OPERATION, next_operation(ops, size, &offset, &o));
		if (more <= 0)
			return more;
		if (run_operation(&o, scratch) < 0)
			return -1;
	}
}
