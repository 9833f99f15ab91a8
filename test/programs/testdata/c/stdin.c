#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	long values[1000], sum = 0;
	size_t n = 0;
	while (n < 1000 && scanf("%ld", &values[n]) == 1)
		sum += values[n++];
	qsort(values, n, sizeof values[0], compare);
	printf("sum %ld\nsorted", sum);
	for (size_t i = 0; i < n; i++)
		printf(" %ld", values[i]);
	printf("\n");
	FILE *out = fopen("out.txt", "w");
	if (!out)
		return 1;
	fprintf(out, "count %zu\n", n);
	return fclose(out) ? 1 : 0;
}
