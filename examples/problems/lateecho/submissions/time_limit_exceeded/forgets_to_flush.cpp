// Its calls stay in its own buffer.
#include <cstdio>
#include <cstring>

int main() {
	static char buffer[1 << 16];
	std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	long long low = 1, high;
	char answer[16];
	if (std::scanf("%lld", &high) != 1)
		return 0;
	while (low < high) {
		long long middle = (low + high) / 2;
		for (int i = 0; i < 2; i++) {
			std::printf("? %lld\n", middle);
			if (std::scanf("%15s", answer) != 1)
				return 0;
		}
		if (!std::strcmp(answer, "here"))
			low = high = middle;
		else if (!std::strcmp(answer, "nearer"))
			high = middle - 1;
		else
			low = middle + 1;
	}
	std::printf("! %lld\n", low);
}
