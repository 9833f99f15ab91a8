#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

int main()
{
	std::atomic<long> sum{0};
	std::vector<std::thread> threads;
	for (long i = 1; i <= 4; i++)
		threads.emplace_back([&sum, i] {
			for (long n = i; n <= 1000; n += 4)
				sum += n;
		});
	for (auto &t : threads)
		t.join();
	std::cout << "sum " << sum << "\n";
}
