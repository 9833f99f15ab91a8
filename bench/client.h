// The parts of bench in C.
#pragma once
#include <stddef.h>
#include <stdint.h>

int64_t bench_now(void); // CLOCK_MONOTONIC in nanoseconds

extern volatile int bench_stop; // ends every loop after its run
void bench_set_stop(int stop);

// bench_client is one connection. What a good answer has in it is good.
struct bench_client {
	int fd;
	char *request, *good;
	size_t request_size, good_size;

	char *answer; // the last one; its body begins at body
	size_t size, room, body;

	int64_t *times; // what each exchange took
	size_t count, most;
};

// bench_client_run exchanges until a time, and at least so often. It returns 0, or
// errno; EBADMSG means that the answer is not good.
int bench_client_run(struct bench_client *c, int64_t until, size_t least);
