/* Processor time: spent openly, in children, behind ignored signals. */
#include "victim.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

static int hello(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("hello");
	return 0;
}

/* spin [MS]: for ever without a number. */
static int spin_here(int argc, char **argv)
{
	spin(number(argc, argv, 0, -1));
	return 0;
}

static int spin_in_child(int argc, char **argv)
{
	(void)argc, (void)argv;
	if (fork() == 0)
		spin(-1);
	pause();
	return 0;
}

/* Nobody waits for these: only the group knows what they used. */
static int spin_unreaped(int argc, char **argv)
{
	for (long n = number(argc, argv, 0, 8); n > 0; n--)
		if (fork() == 0) {
			spin(number(argc, argv, 1, 200));
			_exit(0);
		}
	pause();
	return 0;
}

static int spin_deaf(int argc, char **argv)
{
	(void)argc, (void)argv;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	signal(SIGXCPU, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
	setrlimit(RLIMIT_CPU, &more);
	spin(-1);
	return 0;
}

static void *spinner(void *unused)
{
	spin(-1);
	return unused;
}

static int spin_threads(int argc, char **argv)
{
	pthread_t thread;
	for (long n = number(argc, argv, 0, 8); n > 0; n--)
		if (pthread_create(&thread, NULL, spinner, NULL))
			return 1;
	pause();
	return 0;
}

static int spin_in_vfork(int argc, char **argv)
{
	(void)argc, (void)argv;
	pid_t child = vfork();
	if (child == 0)
		for (;;)
			;
	return child < 0;
}

static int sleeps(int argc, char **argv)
{
	sleep((unsigned)number(argc, argv, 0, 60));
	return 0;
}

static int stops_itself(int argc, char **argv)
{
	(void)argc, (void)argv;
	raise(SIGSTOP);
	return 0;
}

/* A share that was not granted: real time, a better nice value, the clock. */
static int priorities(int argc, char **argv)
{
	(void)argc, (void)argv;
	struct sched_param param = {.sched_priority = 1};
	tell("fifo", sched_setscheduler(0, SCHED_FIFO, &param));
	tell("round_robin", sched_setscheduler(0, SCHED_RR, &param));
	errno = 0;
	tell("nice_better", setpriority(PRIO_PROCESS, 0, -5));
	tell("nice_worse", setpriority(PRIO_PROCESS, 0, 5));
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	tell("settime", clock_settime(CLOCK_REALTIME, &now));
	struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
	tell("raise_nofile", setrlimit(RLIMIT_NOFILE, &more));
	return 0;
}

const struct victim cpu_victims[] = {
	{"hello", hello},
	{"spin", spin_here},
	{"spin_in_child", spin_in_child},
	{"spin_unreaped", spin_unreaped},
	{"spin_deaf", spin_deaf},
	{"spin_threads", spin_threads},
	{"spin_in_vfork", spin_in_vfork},
	{"sleep", sleeps},
	{"stop", stops_itself},
	{"priorities", priorities},
	{NULL, NULL},
};
