#include <pthread.h>
#include <stdio.h>

static long sums[4];

static void *add(void *at)
{
	long *sum = at;
	for (long n = sum - sums + 1; n <= 1000; n += 4)
		*sum += n;
	return NULL;
}

int main(void)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, add, &sums[i]))
			return 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("sum %ld\n", sums[0] + sums[1] + sums[2] + sums[3]);
	return 0;
}
