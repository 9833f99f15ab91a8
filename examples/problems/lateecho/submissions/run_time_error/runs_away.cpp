// Notices in the middle of the conversation that a number is not where it should be.
#include <cstdlib>
#include <iostream>
#include <string>

int main() {
	long long n;
	std::string answer;
	std::cin >> n;
	std::cout << "? " << (n + 1) / 2 << std::endl;
	std::cin >> answer;
	if (answer == "silence")
		std::abort();
	std::cout << "! 1" << std::endl;
}
