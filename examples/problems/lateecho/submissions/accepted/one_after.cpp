// A call, and one at the mouth to hear its answer. Such a call is never in doubt.
#include <iostream>
#include <string>

int main() {
	long long low = 1, high;
	std::cin >> high;
	while (low < high) {
		long long middle = low + (high - low) / 2;
		std::string answer;
		std::cout << "? " << middle << std::endl;
		std::cin >> answer;
		std::cout << "? 1" << std::endl;
		std::cin >> answer;
		if (answer == "here")
			low = high = middle;
		else if (answer == "nearer")
			high = middle - 1;
		else
			low = middle + 1;
	}
	std::cout << "! " << low << std::endl;
}
