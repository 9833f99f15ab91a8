#include <chrono>
#include <cstdlib>
#include <iostream>
#include <system_error>
#include <thread>

int main()
{
	for (int i = 0; i < 200; i++) {
		try {
			std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(30)); }).detach();
		} catch (const std::system_error &) {
			std::cout << "refused" << std::endl;
			std::_Exit(0);
		}
	}
	std::cout << "never refused" << std::endl;
	std::_Exit(1);
}
