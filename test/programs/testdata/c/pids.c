#include <stdio.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			sleep(30);
			_exit(0);
		}
		if (pid < 0) {
			printf("refused\n");
			return 0;
		}
	}
	printf("never refused\n");
	return 1;
}
