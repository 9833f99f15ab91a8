// What takes power away from init before it learns of any job.
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) // Linux 5.19
#endif

// keep_capabilities sets permitted and effective to mask, inheritable to none.
int keep_capabilities(uint64_t mask)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = (uint32_t)mask, .permitted = (uint32_t)mask},
		{.effective = (uint32_t)(mask >> 32), .permitted = (uint32_t)(mask >> 32)},
	};
	return (int)syscall(SYS_capset, &head, data);
}

// root_capabilities are what root of an image needs to install and to drop rights: over
// files and ids of its own user namespace, and nothing that reaches the kernel's other
// doors, such as mounts, networks, tracing or raising limits.
const uint64_t root_capabilities = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |
                                   1u << CAP_KILL | 1u << CAP_SETGID | 1u << CAP_SETUID;

// lock_capabilities empties the bounding and ambient sets and locks the secure
// bits, so that no exec, not even of a root-owned setuid file, can bring a
// capability back (capabilities(7)). init keeps what it needs to start a job
// under another id and to kill its strays. Where the job may be root of an image, root's
// programs have what init has, and nobody can ever have more: no_new_privs holds as well.
int lock_capabilities(uint64_t flags)
{
	int root = (flags & CELL_RANGE) != 0;
	for (int cap = 0; cap < 64; cap++) {
		if (root && root_capabilities >> cap & 1)
			continue;
		if (TRY(STEP_DROP_BOUNDING, prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)) < 0) {
			if (errno == EINVAL) // past the kernel's last capability
				break;
			return -1;
		}
	}
	if (TRY(STEP_CLEAR_AMBIENT, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) < 0)
		return -1;
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
	                     SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
	if (root)
		bits &= ~(unsigned long)SECBIT_NOROOT;
	if (TRY(STEP_SET_SECUREBITS, prctl(PR_SET_SECUREBITS, bits, 0, 0, 0)) < 0)
		return -1;
	return TRY(STEP_CAPSET, keep_capabilities(root ? root_capabilities : 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL));
}

// install_filter puts the compiled filter on this process; the job inherits it.
// The listener reports denied calls to the daemon. WAIT_KILLABLE_RECV keeps
// signals from restarting a reported call; older kernels lack it.
int install_filter(int memfd, int *listener)
{
	struct stat st;
	if (TRY(STEP_STAT_FILTER, fstat(memfd, &st)) < 0)
		return -1;
	size_t count = (size_t)st.st_size / sizeof(struct sock_filter);
	if (count == 0 || count > BPF_MAXINSNS || (size_t)st.st_size % sizeof(struct sock_filter) != 0) {
		errno = EINVAL;
		return -1;
	}
	void *code = TRY_MAP(STEP_MAP_FILTER, mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, memfd, 0));
	if (code == MAP_FAILED)
		return -1;
	struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
	long fd = -1;
	if (TRY(STEP_NO_NEW_PRIVS, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) == 0) {
		unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
		fd = TRY(STEP_SECCOMP, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program));
		if (fd < 0 && errno == EINVAL)
			fd = TRY(STEP_SECCOMP, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
	}
	int saved = errno;
	munmap(code, (size_t)st.st_size);
	errno = saved;
	*listener = (int)fd;
	return fd < 0 ? -1 : 0;
}
