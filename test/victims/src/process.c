/* Processes: too many, ones that stay behind, and signals to others. */
#include "victim.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static int fork_bomb(int argc, char **argv)
{
	(void)argc, (void)argv;
	while (fork() >= -1)
		;
	return 0;
}

static void *waits(void *unused)
{
	pause();
	return unused;
}

static int threads(int argc, char **argv)
{
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	for (long n = number(argc, argv, 0, 10000); n > 0; n--) {
		pthread_t thread;
		errno = pthread_create(&thread, &small, waits, NULL);
		if (errno) {
			tell("thread", -1);
			return 0;
		}
	}
	say("thread", "ok");
	return 0;
}

static int zombies(int argc, char **argv)
{
	for (long n = number(argc, argv, 0, 10000); n > 0; n--) {
		pid_t child = fork();
		if (child < 0) {
			tell("fork", -1);
			return 0;
		}
		if (child == 0)
			_exit(0);
	}
	say("fork", "ok");
	return 0;
}

/* many_sleepers N: and waits with them. */
static int many_sleepers(int argc, char **argv)
{
	for (long n = number(argc, argv, 0, 900); n > 0; n--)
		if (fork() == 0) {
			pause();
			_exit(0);
		}
	pause();
	return 0;
}

/* leave_daemon MS: it has spun so long when its parents go, and spins on. */
static int leave_daemon(int argc, char **argv)
{
	int ends[2];
	char byte;
	if (pipe(ends) < 0)
		return 1;
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			for (int fd = 0; fd < 3; fd++)
				close(fd);
			spin(number(argc, argv, 0, 100));
			(void)!write(ends[1], "x", 1);
			spin(-1);
		}
		_exit(0);
	}
	wait(NULL);
	say("daemon", read(ends[0], &byte, 1) == 1 ? "left" : "gone");
	return 0;
}

/* kill_init: pid 1 of the cell, which must not mind. */
static int kill_init(int argc, char **argv)
{
	(void)argc, (void)argv;
	kill(1, SIGKILL);
	kill(1, SIGSTOP);
	usleep(100000);
	say("still", "here");
	return 0;
}

static int kill_all(int argc, char **argv)
{
	(void)argc, (void)argv;
	kill(-1, SIGKILL);
	say("still", "here");
	return 0;
}

/* The null signal reaches whom a real one would. */
static int reach_all(int argc, char **argv)
{
	char text[32];
	int reached = 0;
	for (long pid = 1; pid <= number(argc, argv, 0, 32768); pid++)
		reached += kill((pid_t)pid, 0) == 0;
	snprintf(text, sizeof text, "%d", reached);
	say("reached", text);
	return 0;
}

static int exits(int argc, char **argv)
{
	return (int)number(argc, argv, 0, 0);
}

static int divides(int argc, char **argv)
{
	/* raise: on some architectures the division itself does not trap. */
	signal(SIGFPE, SIG_DFL);
	volatile int zero = argc > 9 ? 1 : 0;
	printf("%d\n", 1 / zero);
	raise(SIGFPE);
	return argv == NULL;
}

static int crashes(int argc, char **argv)
{
	(void)argc, (void)argv;
	volatile int *volatile nowhere = NULL;
	*nowhere = 1;
	return 0;
}

/* raises N: with its default action. */
static int raises(int argc, char **argv)
{
	int n = (int)number(argc, argv, 0, SIGTERM);
	signal(n, SIG_DFL);
	syscall(SYS_kill, getpid(), n); /* raise keeps two signals for itself */
	say("raise", "survived");
	return 0;
}

const struct victim process_victims[] = {
	{"fork_bomb", fork_bomb},
	{"threads", threads},
	{"zombies", zombies},
	{"many_sleepers", many_sleepers},
	{"leave_daemon", leave_daemon},
	{"kill_init", kill_init},
	{"kill_all", kill_all},
	{"reach_all", reach_all},
	{"exit", exits},
	{"divide", divides},
	{"crash", crashes},
	{"raise", raises},
	{NULL, NULL},
};
