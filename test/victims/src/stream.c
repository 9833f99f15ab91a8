/* Standard input and output. */
#include "victim.h"

#include <signal.h>

/* flood FD KIB: blocks of x. */
static int flood(int argc, char **argv)
{
	static char block[1024];
	int fd = (int)number(argc, argv, 0, 1);
	memset(block, 'x', sizeof block);
	for (long n = number(argc, argv, 1, 1 << 20); n > 0; n--)
		if (write(fd, block, sizeof block) < 0)
			return 1;
	return 0;
}

/* alternate N: single bytes, in turns on both streams. */
static int alternate(int argc, char **argv)
{
	for (long n = number(argc, argv, 0, 61440); n > 0; n--)
		if (write(1, "o", 1) != 1 || write(2, "e", 1) != 1)
			return 1;
	return 0;
}

/* The child has the streams open when its parent has long ended. */
static int hold_streams(int argc, char **argv)
{
	(void)argc, (void)argv;
	if (fork() == 0) {
		pause();
		_exit(0);
	}
	say("parent", "ends");
	return 0;
}

static int close_all(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	return 0;
}

/* Data that still lies in the pipe when the program has ended. */
static int write_and_end(int argc, char **argv)
{
	static char block[65536];
	long n = number(argc, argv, 0, (long)sizeof block);
	memset(block, 'x', sizeof block);
	ssize_t wrote = write(1, block, (size_t)n);
	_exit(wrote != n);
}

static int read_all(int argc, char **argv)
{
	static char block[65536];
	char text[32];
	long sum = 0;
	(void)argc, (void)argv;
	for (ssize_t n; (n = read(0, block, sizeof block)) > 0;)
		sum += n;
	snprintf(text, sizeof text, "%ld", sum);
	say("read", text);
	return 0;
}

const struct victim stream_victims[] = {
	{"flood", flood},
	{"alternate", alternate},
	{"hold_streams", hold_streams},
	{"close_all", close_all},
	{"write_and_end", write_and_end},
	{"read_all", read_all},
	{NULL, NULL},
};
