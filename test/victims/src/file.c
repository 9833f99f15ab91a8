/* Files: too many, too large, in the way of whoever collects or removes them. */
#include "victim.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

static int many_files(int argc, char **argv)
{
	char name[32];
	for (long n = number(argc, argv, 0, 100000); n > 0; n--) {
		snprintf(name, sizeof name, "f%ld", n);
		int fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0) {
			tell("create", fd);
			return 0;
		}
		close(fd);
	}
	say("create", "ok");
	return 0;
}

static int deep_tree(int argc, char **argv)
{
	for (long n = number(argc, argv, 0, 50000); n > 0; n--)
		if (mkdir("d", 0700) < 0 || chdir("d") < 0) {
			tell("mkdir", -1);
			return 0;
		}
	say("mkdir", "ok");
	return 0;
}

static int sparse_file(int argc, char **argv)
{
	(void)argc;
	signal(SIGXFSZ, SIG_IGN);
	int fd = open(argc > 0 ? argv[0] : "sparse", O_CREAT | O_RDWR, 0600);
	tell("truncate", ftruncate(fd, 1L << 40));
	tell("allocate", fallocate(fd, 0, 0, 1L << 40));
	return 0;
}

/* Directories that nobody may enter, with files inside. */
static int locked_dirs(int argc, char **argv)
{
	char name[64];
	for (long n = number(argc, argv, 0, 64); n > 0; n--) {
		snprintf(name, sizeof name, "locked%ld", n);
		if (mkdir(name, 0700) < 0)
			return 1;
		snprintf(name, sizeof name, "locked%ld/file", n);
		int fd = open(name, O_CREAT | O_WRONLY, 0);
		if (fd < 0 || close(fd) < 0)
			return 1;
		snprintf(name, sizeof name, "locked%ld", n);
		if (chmod(name, 0) < 0)
			return 1;
	}
	say("locked", "ok");
	return 0;
}

/* write_roots PREFIX: a new file in each directory of the system. */
static int write_roots(int argc, char **argv)
{
	static const char *const dirs[] = {"", "usr", "etc", "bin", "lib", "dev", "proc", "sys"};
	char path[4096];
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		snprintf(path, sizeof path, "%s/%s/victim", argc > 0 ? argv[0] : "", dirs[i]);
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		int error = errno;
		if (fd >= 0)
			unlink(path);
		errno = error;
		tell(*dirs[i] ? dirs[i] : "root", fd);
	}
	return 0;
}

/* out_big NAME BYTES */
static int out_big(int argc, char **argv)
{
	static char block[65536];
	if (argc < 2)
		return 64;
	int fd = open(argv[0], O_CREAT | O_WRONLY | O_TRUNC, 0600);
	memset(block, 'x', sizeof block);
	ssize_t n = 0;
	for (size_t left = (size_t)number(argc, argv, 1, 0); left > 0 && n >= 0; left -= (size_t)n)
		n = write(fd, block, left < sizeof block ? left : sizeof block);
	tell("write", n);
	return n < 0;
}

/* What is no regular file, under names that are asked for. */
static int out_odd(int argc, char **argv)
{
	(void)argc, (void)argv;
	tell("symlink", symlink("/etc/passwd", "link"));
	tell("loop", symlink("loop", "loop"));
	tell("fifo", mkfifo("fifo", 0600));
	tell("directory", mkdir("directory", 0700));
	tell("parent", symlink("/etc", "etc"));
	tell("magic", symlink("/proc/self/root/etc/passwd", "magic"));
	return 0;
}

/* out_names: a new line, quotes, bytes that are no text. */
static int out_names(int argc, char **argv)
{
	static const char *const names[] = {"a\nb.out", "q\"'\\.out", "\xff\xfe.out"};
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int fd = open(names[i], O_CREAT | O_WRONLY, 0600);
		if (fd < 0 || write(fd, "x", 1) != 1)
			return 1;
	}
	say("names", "ok");
	return 0;
}

/* hard_link FROM TO */
static int hard_link(int argc, char **argv)
{
	if (argc < 2)
		return 64;
	tell("link", link(argv[0], argv[1]));
	return 0;
}

/* The places that a job may write to. */
static const char *const places[] = {"/tmp/left-behind", "/dev/shm/left-behind", "/work/left-behind"};

static int leave(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		int fd = open(places[i], O_CREAT | O_WRONLY, 0644);
		tell(places[i], fd);
	}
	return 0;
}

static int find(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		tell(places[i], access(places[i], F_OK));
	return 0;
}

/* lock_record on one byte, which a reader can only share; but who asks for the
 * whole of it learns of others. */
static long lock_record(int fd, int byte, int ask, int take)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	struct flock shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	if (fcntl(fd, ask, &whole) < 0)
		return -1;
	if (whole.l_type != F_UNLCK) {
		errno = EAGAIN;
		return -1;
	}
	return fcntl(fd, take, &shared);
}

/* lock PATH [SECONDS]: in every way, and keeps it. */
static int lock(int argc, char **argv)
{
	if (argc < 1)
		return 64;
	int fd = open(argv[0], O_RDONLY);
	if (fd < 0) {
		tell("open", fd);
		return 1;
	}
	tell("flock", flock(fd, LOCK_EX | LOCK_NB));
	tell("record", lock_record(fd, 0, F_GETLK, F_SETLK));
	tell("open_file", lock_record(fd, 1, F_OFD_GETLK, F_OFD_SETLK));
	sleep((unsigned)number(argc, argv, 1, 0));
	return 0;
}

static int sync_storm(int argc, char **argv)
{
	int fd = open("storm", O_CREAT | O_WRONLY | O_TRUNC, 0600);
	for (long n = number(argc, argv, 0, 10000); n > 0; n--)
		if (pwrite(fd, "x", 1, n % 4096) != 1 || fsync(fd) < 0)
			return 1;
	say("storm", "over");
	return 0;
}

const struct victim file_victims[] = {
	{"many_files", many_files},
	{"deep_tree", deep_tree},
	{"sparse_file", sparse_file},
	{"locked_dirs", locked_dirs},
	{"write_roots", write_roots},
	{"out_big", out_big},
	{"out_odd", out_odd},
	{"out_names", out_names},
	{"hard_link", hard_link},
	{"leave", leave},
	{"find", find},
	{"lock", lock},
	{"sync_storm", sync_storm},
	{NULL, NULL},
};
