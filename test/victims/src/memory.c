/* Memory, where it is looked for and where it is not. */
#include "victim.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { MIB = 1 << 20 };

/* Every page is written to. */
static char *touched(size_t bytes)
{
	char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	madvise(block, bytes, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < bytes; at += 4096)
		block[at] = 1;
	return block;
}

static int touch(int argc, char **argv)
{
	char *block = touched((size_t)number(argc, argv, 0, 200) * MIB);
	tell("touch", block ? 0 : -1);
	return !block;
}

static int reserve(int argc, char **argv)
{
	void *block = mmap(NULL, (size_t)number(argc, argv, 0, 1024) << 30, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	tell("reserve", block == MAP_FAILED ? -1 : 0);
	return block == MAP_FAILED;
}

/* The child is killed for memory, and the parent makes nothing of it. */
static int oom_child(int argc, char **argv)
{
	(void)argc, (void)argv;
	pid_t child = fork();
	if (child == 0) {
		touched((size_t)400 * MIB);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	say("parent", "goes on");
	return 0;
}

/* fill PATH MIB: until the file system says no. */
static int fill(int argc, char **argv)
{
	static char block[65536];
	if (argc < 2)
		return 64;
	memset(block, 'x', sizeof block);
	int fd = open(argv[0], O_CREAT | O_WRONLY | O_TRUNC, 0600);
	if (fd < 0) {
		tell("open", fd);
		return 0;
	}
	ssize_t n = 0;
	for (size_t left = (size_t)number(argc, argv, 1, 1024) * MIB; left > 0 && n >= 0; left -= (size_t)n)
		n = write(fd, block, left < sizeof block ? left : sizeof block);
	tell("write", n);
	return 0;
}

static int fill_memfd(int argc, char **argv)
{
	static char block[65536];
	int fd = memfd_create("x", 0);
	memset(block, 'x', sizeof block);
	for (long n = number(argc, argv, 0, 200) * 16; fd >= 0 && n > 0; n--)
		if (write(fd, block, sizeof block) < 0) {
			tell("write", -1);
			return 0;
		}
	return fd < 0;
}

/* Pipes and sockets are filled until there are no more of them. */
static int full_pipes(int argc, char **argv)
{
	static char block[65536];
	(void)argc, (void)argv;
	for (;;) {
		int ends[2];
		if (pipe2(ends, O_NONBLOCK) < 0)
			break;
		while (write(ends[1], block, sizeof block) > 0)
			;
	}
	tell("pipe", -1);
	return 0;
}

static int full_sockets(int argc, char **argv)
{
	static char block[65536];
	(void)argc, (void)argv;
	for (;;) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
			break;
		while (send(ends[1], block, sizeof block, 0) > 0)
			;
	}
	tell("socketpair", -1);
	return 0;
}

/* One page in every 2 MiB: the page tables are what is large. */
static int sparse_touch(int argc, char **argv)
{
	size_t bytes = (size_t)number(argc, argv, 0, 64) << 30;
	char *block = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (block == MAP_FAILED)
		return 1;
	madvise(block, bytes, MADV_NOHUGEPAGE);
	volatile char sum = 0;
	for (size_t at = 0; at < bytes; at += 2 * MIB)
		sum += block[at];
	say("sparse", "ok");
	return 0;
}

static int lock_memory(int argc, char **argv)
{
	size_t bytes = (size_t)number(argc, argv, 0, 16) * MIB;
	void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tell("mlock", mlock(block, bytes));
	void *huge = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	say("hugetlb", huge == MAP_FAILED ? "refused" : "ok");
	return 0;
}

/* churn MIB: the same pages are given back and faulted in again. */
static int churn(int argc, char **argv)
{
	size_t bytes = (size_t)number(argc, argv, 0, 60) * MIB;
	char *block = touched(bytes);
	while (block) {
		madvise(block, bytes, MADV_DONTNEED);
		for (size_t at = 0; at < bytes; at += 4096)
			block[at] = 1;
	}
	return 1;
}

static int descriptors(int argc, char **argv)
{
	(void)argc, (void)argv;
	while (eventfd(0, 0) >= 0)
		;
	tell("eventfd", -1);
	return 0;
}

const struct victim memory_victims[] = {
	{"touch", touch},
	{"reserve", reserve},
	{"oom_child", oom_child},
	{"fill", fill},
	{"fill_memfd", fill_memfd},
	{"full_pipes", full_pipes},
	{"full_sockets", full_sockets},
	{"sparse_touch", sparse_touch},
	{"lock_memory", lock_memory},
	{"churn", churn},
	{"descriptors", descriptors},
	{NULL, NULL},
};
