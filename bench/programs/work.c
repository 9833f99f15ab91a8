// The small programs whose work is compared inside and outside of a cell.
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// compute does arithmetic that the compiler cannot foresee, in registers alone.
static int compute(long rounds)
{
	uint64_t x = (uint64_t)rounds;

	for (long i = 0; i < rounds; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x == 0; // never
}

// getpids makes system calls that do nothing.
static int getpids(long calls)
{
	for (long i = 0; i < calls; i++)
		if (syscall(SYS_getpid) < 1)
			return 1;
	return 0;
}

// stats looks at files by their names, over and over.
static int stats(long calls)
{
	enum { NAMES_MAX = 512 };
	static char names[NAMES_MAX][512];
	struct stat found;
	int count = 0;
	DIR *d = opendir("/usr/bin");

	if (!d)
		return 1;
	for (struct dirent *e; count < NAMES_MAX && (e = readdir(d));)
		if (snprintf(names[count], sizeof *names, "/usr/bin/%s", e->d_name) < (int)sizeof *names)
			count++;
	closedir(d);
	for (long i = 0; i < calls; i++)
		if (count == 0 || lstat(names[i % count], &found) < 0)
			return 1;
	return 0;
}

// flood writes lines of text.
static int flood(long bytes)
{
	static char block[64 << 10];

	memset(block, 'x', sizeof block);
	for (size_t i = 79; i < sizeof block; i += 80)
		block[i] = '\n';
	while (bytes > 0) {
		size_t want = bytes < (long)sizeof block ? (size_t)bytes : sizeof block;
		ssize_t n = write(1, block, want);
		if (n < 0)
			return 1;
		bytes -= n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*run)(long); } all[] = {
		{"compute", compute}, {"getpid", getpids}, {"stat", stats}, {"flood", flood},
	};

	for (size_t i = 0; argc == 3 && i < sizeof all / sizeof *all; i++)
		if (strcmp(argv[1], all[i].name) == 0)
			return all[i].run(strtol(argv[2], NULL, 10));
	fprintf(stderr, "usage: work compute|getpid|stat|flood COUNT\n");
	return 2;
}
