#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
	size_t size = 96u << 20;
	unsigned char *all = malloc(size);
	if (!all)
		return 1;
	memset(all, 1, size);
	int blocks = 0;
	for (size_t i = 0; i < size; i += 1 << 20)
		blocks += ((volatile unsigned char *)all)[i];
	printf("%d blocks\n", blocks);
	return 0;
}
