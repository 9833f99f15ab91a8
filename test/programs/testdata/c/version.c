#include <stdio.h>

int main(void)
{
#ifdef __clang__
	printf("%ld clang %d\n", __STDC_VERSION__, __clang_major__);
#else
	printf("%ld gcc %d\n", __STDC_VERSION__, __GNUC__);
#endif
	return 0;
}
