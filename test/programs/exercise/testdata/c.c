#include <arpa/inet.h>
#include <err.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static void check(int right, const char *part)
{
	if (!right)
		err(1, "%s", part);
	printf("%s ok\n", part);
}

static void *count(void *sum)
{
	__atomic_add_fetch((int *)sum, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int threads(void)
{
	pthread_t all[4];
	int sum = 0;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&all[i], NULL, count, &sum) != 0)
			return 0;
	for (int i = 0; i < 4; i++)
		pthread_join(all[i], NULL);
	return sum == 4;
}

static int process(void)
{
	char line[32] = "";
	FILE *child = popen("echo from a child", "r");
	if (child == NULL || fgets(line, sizeof line, child) == NULL)
		return 0;
	return pclose(child) == 0 && strcmp(line, "from a child\n") == 0;
}

static int sockets(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	char text[8] = "";
	int listening = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listening, (struct sockaddr *)&at, size) < 0 || listen(listening, 1) < 0 ||
	    getsockname(listening, (struct sockaddr *)&at, &size) < 0 || connect(client, (struct sockaddr *)&at, size) < 0)
		return 0;
	int served = accept(listening, NULL, NULL);
	return send(served, "hello", 5, 0) == 5 && recv(client, text, 5, MSG_WAITALL) == 5 && strcmp(text, "hello") == 0;
}

static int file(void)
{
	char name[] = "/tmp/exercise-XXXXXX", text[8] = "";
	int fd = mkstemp(name);
	return fd >= 0 && write(fd, "hello", 5) == 5 && lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, 5) == 5 &&
	       strcmp(text, "hello") == 0 && unlink(name) == 0;
}

static int locale(void)
{
	wchar_t letter;
	return setlocale(LC_ALL, "") != NULL && mbtowc(&letter, "é", 2) == 2 && towupper((wint_t)letter) == L'É';
}

static int zone(void)
{
	time_t moment = 1700000000;
	char text[32];
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", localtime(&moment));
	return strcmp(text, "2023-11-15 07:13 JST") == 0;
}

static int memory(void)
{
	size_t size = 96 << 20;
	char *block = malloc(size);
	if (block == NULL)
		return 0;
	memset(block, 1, size);
	int right = block[size - 1] == 1;
	free(block);
	return right;
}

int main(void)
{
	check(threads(), "threads");
	check(process(), "process");
	check(sockets(), "socket");
	check(file(), "file");
	check(locale(), "locale");
	check(zone(), "zone");
	check(memory(), "memory");
}
