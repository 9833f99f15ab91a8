// The one program of the images that tests make: static, and without a shell. Its
// arguments are commands, one after the other, with ";" between them. Each prints one
// line: its name, and what came of it.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[1 << 16];

static const char *came(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

static const char *contents(const char *name)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n < 0)
		return came(-1);
	text[n] = 0;
	close(fd);
	return text;
}

static const char *put(const char *name, const char *what)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
	const char *result = came(fd < 0 ? -1 : write(fd, what, strlen(what)));
	if (fd >= 0)
		close(fd);
	return result;
}

static const char *looks(const char *name)
{
	struct stat st;
	if (lstat(name, &st) < 0)
		return came(-1);
	snprintf(text, sizeof text, "%d:%d %06o %u:%u", (int)st.st_uid, (int)st.st_gid, st.st_mode, major(st.st_rdev), minor(st.st_rdev));
	return text;
}

static const char *list(const char *name)
{
	struct dirent **entries;
	int n = scandir(name, &entries, NULL, alphasort);
	if (n < 0)
		return came(-1);
	text[0] = 0;
	for (int i = 0; i < n; i++)
		if (entries[i]->d_name[0] != '.')
			strcat(strcat(text, " "), entries[i]->d_name);
	return text + (text[0] == ' ');
}

static const char *ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	snprintf(text, sizeof text, "%d %d %d %d %d %d %d", r, e, s, rg, eg, sg, getgroups(0, NULL));
	return text;
}

static const char *capabilities(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256], all[1024] = "";
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "Cap", 3) == 0)
			strcat(strcat(all, " "), strtok(line + 8, "\n"));
	strcpy(text, all + 1);
	return text;
}

// become takes an id with its groups, as a program does that drops its rights.
static const char *become(uid_t id)
{
	if (setgroups(1, (gid_t[]){id}) < 0 || setresgid(id, id, id) < 0)
		return came(-1);
	return came(setresuid(id, id, id));
}

// watchers makes instances of inotify, as one id after the other from the given one on
// where it can, and tells how many it got before all of them were at their limit.
static const char *watchers(int from, int ids)
{
	int got = 0;
	for (int id = from; id < from + ids; id++) {
		if (ids > 1 && setresuid((uid_t)-1, (uid_t)id, (uid_t)-1) < 0)
			return came(-1);
		while (inotify_init1(IN_CLOEXEC) >= 0)
			got++;
		if (errno != EMFILE)
			return came(-1);
		if (ids > 1 && setresuid((uid_t)-1, 0, (uid_t)-1) < 0)
			return came(-1);
	}
	snprintf(text, sizeof text, "%d", got);
	return text;
}

static const char *run(char **a)
{
	const char *name = a[0], *one = a[1] ? a[1] : "", *two = a[1] && a[2] ? a[2] : "";
	if (!strcmp(name, "cat")) return contents(one);
	if (!strcmp(name, "put")) return put(one, two);
	if (!strcmp(name, "look")) return looks(one);
	if (!strcmp(name, "list")) return list(one);
	if (!strcmp(name, "ids")) return ids();
	if (!strcmp(name, "caps")) return capabilities();
	if (!strcmp(name, "env")) return getenv(one) ? getenv(one) : "none";
	if (!strcmp(name, "pwd")) return getcwd(text, sizeof text) ? text : came(-1);
	if (!strcmp(name, "become")) return become((uid_t)atoi(one));
	if (!strcmp(name, "chown")) return came(chown(one, (uid_t)atoi(two), (gid_t)atoi(two)));
	if (!strcmp(name, "chmod")) return came(chmod(one, (mode_t)strtol(two, NULL, 8)));
	if (!strcmp(name, "unlink")) return came(unlink(one));
	if (!strcmp(name, "rename")) return came(rename(one, two));
	if (!strcmp(name, "mkdir")) return came(mkdir(one, 0755));
	if (!strcmp(name, "node")) return came(mknod(one, S_IFCHR | 0666, makedev(1, 3)));
	if (!strcmp(name, "mount")) return came(mount("none", one, "tmpfs", 0, NULL));
	if (!strcmp(name, "kill")) return came(kill(atoi(one), atoi(two)));
	if (!strcmp(name, "trace")) return came(ptrace(PTRACE_SEIZE, atoi(one), 0, 0));
	if (!strcmp(name, "watchers")) return watchers(atoi(one), atoi(two));
	if (!strcmp(name, "hurry")) return came(setpriority(PRIO_USER, 0, 19));
	if (!strcmp(name, "priority")) {
		snprintf(text, sizeof text, "%d", getpriority(PRIO_PROCESS, 0));
		return text;
	}
	if (!strcmp(name, "lock")) {
		struct flock l = {.l_type = F_WRLCK};
		int fd = open(one, O_RDWR);
		return came(fd < 0 ? -1 : fcntl(fd, F_SETLK, &l));
	}
	if (!strcmp(name, "wait")) { // until a line comes, or the input ends
		return fgets(text, sizeof text, stdin) ? (text[strcspn(text, "\n")] = 0, text) : "end";
	}
	return "unknown";
}

int main(int count, char **a)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < count; i++) {
		int from = i;
		while (i < count && strcmp(a[i], ";"))
			i++;
		a[i] = NULL;
		if (!strcmp(a[from], "exec"))
			return execv(a[from + 1], a + from + 1), printf("exec %s\n", came(-1)), 1;
		const char *result = run(a + from);
		printf("%s %s\n", a[from], result);
	}
	return 0;
}
