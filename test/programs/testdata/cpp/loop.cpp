#include <atomic>

int main()
{
	for (std::atomic<unsigned long> n{0};;)
		n++;
}
