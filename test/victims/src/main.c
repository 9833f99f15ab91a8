#include "victim.h"

#include <time.h>

static const struct victim *const tables[] = {
	cpu_victims, memory_victims, process_victims, stream_victims,
	file_victims, look_victims, kernel_victims, network_victims,
};

void say(const char *name, const char *value)
{
	printf("%s %s\n", name, value);
	fflush(stdout); /* nothing may come twice from a child */
}

const char *error_name(int number)
{
	const char *name = strerrorname_np(number);
	return name ? name : "unknown";
}

void tell(const char *name, long result)
{
	say(name, result < 0 ? error_name(errno) : "ok");
}

long number(int argc, char **argv, int index, long otherwise)
{
	return index < argc ? strtol(argv[index], NULL, 10) : otherwise;
}

void spin(long ms)
{
	struct timespec now;
	for (volatile unsigned long n = 0;; n++) {
		if (ms < 0 || n % 4096)
			continue;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
		if (now.tv_sec * 1000 + now.tv_nsec / 1000000 >= ms)
			return;
	}
}

int main(int argc, char **argv)
{
	for (size_t t = 0; argc > 1 && t < sizeof tables / sizeof *tables; t++)
		for (const struct victim *v = tables[t]; v->name; v++)
			if (!strcmp(v->name, argv[1]))
				return v->run(argc - 2, argv + 2);
	fprintf(stderr, "usage: victim NAME [ARGUMENT…]; there is no such victim\n");
	return 64;
}
