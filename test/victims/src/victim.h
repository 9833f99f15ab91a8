/* Small hostile programs in one binary: "victim NAME [ARGUMENT…]". Each does one
 * thing and says what came of it, a line for each attempt: the attempt's name and
 * "ok" or the error's name. What must come of it is written in rows.yaml. */
#ifndef VICTIM_H
#define VICTIM_H

#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct victim {
	const char *name;
	int (*run)(int argc, char **argv); /* what follows NAME */
};

/* Each file's table ends with a name of NULL. */
extern const struct victim cpu_victims[], memory_victims[], process_victims[], stream_victims[];
extern const struct victim file_victims[], look_victims[], kernel_victims[], network_victims[];

/* say prints "name value". */
void say(const char *name, const char *value);

/* tell says "ok" for a result that is not negative, else errno's name. */
void tell(const char *name, long result);

const char *error_name(int number);

/* number reads the argument at an index, or gives the default. */
long number(int argc, char **argv, int index, long otherwise);

/* spin uses CPU for so many milliseconds of this thread's time; for ever if < 0. */
void spin(long ms);

#endif
