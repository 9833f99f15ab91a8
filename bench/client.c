// A client that sends one request again and again. It is in C, and in one call for
// a whole slice, so that it costs little: what the Go runtime would add is several
// times as much, and is taken from the processors that the service runs on.
#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

volatile int bench_stop;

void bench_set_stop(int stop) { bench_stop = stop; }

int64_t bench_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// joined takes the sizes out of a body that came in parts. It returns whether the
// last part is there, and leaves the body alone while it is not.
static int joined(char *body, size_t *size)
{
	char *end = body + *size, *at = body, *to = body;

	for (int moving = 0; moving < 2; moving++)
		for (at = body;;) {
			char *line = memmem(at, (size_t)(end - at), "\r\n", 2);
			size_t part = line ? strtoull(at, NULL, 16) : 0;
			if (!line || (size_t)(end - line) < part + 4)
				return 0;
			if (part == 0)
				break;
			char *next = line + 2 + part + 2;
			if (moving) {
				memmove(to, line + 2, part);
				to += part;
			}
			at = next;
		}
	*size = (size_t)(to - body);
	return 1;
}

// whole says whether an answer is complete, and where its body begins.
static int whole(char *answer, size_t *all, size_t *body)
{
	size_t size = *all, rest;
	const char *end = memmem(answer, size, "\r\n\r\n", 4);

	if (!end)
		return 0;
	*body = (size_t)(end - answer) + 4;
	for (const char *line = answer; line && line < end; line = memmem(line, (size_t)(end + 2 - line), "\r\n", 2)) {
		line += *line == '\r' ? 2 : 0;
		if (strncasecmp(line, "content-length:", 15) == 0)
			return size - *body >= strtoull(line + 15, NULL, 10);
	}
	// Looked at from its beginning only when it may have come to its end.
	rest = size - *body;
	if (rest < 5 || memcmp(answer + size - 5, "0\r\n\r\n", 5) != 0 || !joined(answer + *body, &rest))
		return 0;
	*all = *body + rest;
	return 1;
}

// once sends the request and reads the answer into c. 0, or errno.
static int once(struct bench_client *c)
{
	for (size_t sent = 0; sent < c->request_size;) {
		ssize_t n = send(c->fd, c->request + sent, c->request_size - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno;
		sent += n > 0 ? (size_t)n : 0;
	}
	c->size = 0;
	do {
		if (c->room - c->size < 1 << 16) {
			size_t room = 2 * c->room + (1 << 17);
			char *more = realloc(c->answer, room + 1);
			if (!more)
				return ENOMEM;
			c->answer = more;
			c->room = room;
		}
		ssize_t n = read(c->fd, c->answer + c->size, c->room - c->size);
		if (n == 0)
			return ECONNRESET;
		if (n < 0 && errno != EINTR)
			return errno;
		c->size += n > 0 ? (size_t)n : 0;
		c->answer[c->size] = 0; // strtoull reads up to there
	} while (!whole(c->answer, &c->size, &c->body));
	return 0;
}

int bench_client_run(struct bench_client *c, int64_t until, size_t least)
{
	for (c->count = 0; c->count < c->most && (c->count < least || (bench_now() < until && !bench_stop)); c->count++) {
		int64_t from = bench_now();
		int error = once(c);
		c->times[c->count] = bench_now() - from;
		if (error)
			return error;
		if (memcmp(c->answer, "HTTP/1.1 20", 11) != 0 || !memmem(c->answer + c->body, c->size - c->body, c->good, c->good_size))
			return EBADMSG;
	}
	return 0;
}
