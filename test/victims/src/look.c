/* Looking round: what is seen of the cell, and of what lies beyond. */
#include "victim.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

extern char **environ;

/* self: everything that a program is given. */
static int self(int argc, char **argv)
{
	char text[4096];
	for (int i = 0; i < argc; i++)
		say("argument", argv[i]);
	for (char **e = environ; *e; e++)
		say("variable", *e);
	say("directory", getcwd(text, sizeof text) ? text : error_name(errno));
	snprintf(text, sizeof text, "%u %u", getuid(), geteuid());
	say("user", text);
	snprintf(text, sizeof text, "%u %u", getgid(), getegid());
	say("group", text);
	snprintf(text, sizeof text, "%d", getgroups(0, NULL));
	say("supplementary", text);
	gethostname(text, sizeof text);
	say("host", text);
	snprintf(text, sizeof text, "%d %d", getpid(), getppid());
	say("process", text);
	return 0;
}

/* status: the lines of /proc/self/status that say what may be done. */
static int status(int argc, char **argv)
{
	static const char *const keys[] = {"NoNewPrivs", "Seccomp", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Groups"};
	char line[1024];
	(void)argc, (void)argv;
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof line, file)) {
		char *value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = 0;
		value += strspn(value, " \t0");
		value[strcspn(value, "\n")] = 0;
		for (size_t i = strlen(value); i > 0 && isspace((unsigned char)value[i - 1]); i--)
			value[i - 1] = 0;
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			if (!strcmp(line, keys[i]))
				say(keys[i], *value ? value : "none");
	}
	return file == NULL;
}

/* places NAME…: what stands there, and on what sort of file system. */
static int places(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		struct stat st;
		struct statfs on;
		if (lstat(argv[i], &st) < 0 || statfs(argv[i], &on) < 0) {
			say(argv[i], error_name(errno));
			continue;
		}
		char text[64];
		const char *kind = S_ISDIR(st.st_mode) ? "directory" : S_ISLNK(st.st_mode) ? "link" : "file";
		const char *type = on.f_type == 0x794c7630 ? "overlay" : on.f_type == 0x01021994 ? "tmpfs" : on.f_type == 0x9fa0 ? "proc" : "another";
		snprintf(text, sizeof text, "%s %s", kind, type);
		say(argv[i], text);
	}
	return 0;
}

/* secrets PID: what another process's directory in /proc would give away. */
static int secrets(int argc, char **argv)
{
	static const char *const files[] = {"exe", "mem", "environ", "maps", "cwd", "root"};
	char path[256];
	if (argc < 1)
		return 64;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "/proc/%s/%s", argv[0], files[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		tell(files[i], fd);
	}
	snprintf(path, sizeof path, "/proc/%s/fd", argv[0]);
	DIR *dir = opendir(path);
	tell("fd", dir ? 0 : -1);
	return 0;
}

static int descriptors(int argc, char **argv)
{
	char text[1024] = "";
	(void)argc, (void)argv;
	for (int fd = 0; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", *text ? "," : "", fd);
	say("descriptors", text);
	return 0;
}

/* walk tries every file below a directory for writing, without the entries of
 * processes; it does not follow links. */
static void walk(int at, const char *path, int depth, long *writable)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (depth == 0 && isdigit((unsigned char)*e->d_name)))
			continue;
		if (e->d_type == DT_DIR && depth < 12)
			walk(fd, e->d_name, depth + 1, writable);
		if (e->d_type != DT_REG)
			continue;
		int file = openat(fd, e->d_name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
		if (file < 0)
			continue;
		++*writable;
		if (*writable <= 5)
			fprintf(stderr, "writable: %s\n", e->d_name);
		close(file);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* writable DIRECTORY */
static int writable(int argc, char **argv)
{
	char text[32];
	long n = 0;
	walk(AT_FDCWD, argc > 0 ? argv[0] : "/proc", 0, &n);
	snprintf(text, sizeof text, "%ld", n);
	say("writable", text);
	return 0;
}

/* set_user: starts a set-user-id program of root's and looks whose it became. */
static int set_user(int argc, char **argv)
{
	char path[64], line[256];
	unsigned real, effective = 0;
	int in[2];
	if (argc < 1 || pipe(in) < 0)
		return 64;
	pid_t child = fork();
	if (child == 0) {
		dup2(in[0], 0); /* su waits for a password there */
		close(1);
		close(2);
		execl(argv[0], argv[0], NULL);
		_exit(127);
	}
	int ended = 0;
	for (int i = 0; i < 200 && !ended; i++) { /* until it has become another program */
		char exe[256] = "";
		snprintf(path, sizeof path, "/proc/%d/comm", child);
		FILE *file = fopen(path, "re");
		if (file && fgets(exe, sizeof exe, file) && strncmp(exe, "victim", 6))
			i = 1000;
		if (file)
			fclose(file);
		usleep(10000);
		ended = waitpid(child, NULL, WNOHANG) == child;
	}
	snprintf(path, sizeof path, "/proc/%d/status", child);
	FILE *file = fopen(path, "re");
	const char *answer = "not seen";
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
			answer = real == effective ? "unchanged" : "changed";
	say("effective", answer);
	kill(child, SIGKILL);
	close(in[1]);
	if (!ended)
		waitpid(child, NULL, 0);
	return 0;
}

const struct victim look_victims[] = {
	{"self", self},
	{"places", places}, {"places", places},
	{"status", status},
	{"secrets", secrets},
	{"list_descriptors", descriptors},
	{"writable", writable},
	{"set_user", set_user},
	{NULL, NULL},
};
