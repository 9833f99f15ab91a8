// Finds the place, and then cannot stop to think about it.
#include <iostream>
#include <string>

int main() {
	unsigned long long low = 1, high;
	std::cin >> high;
	while (low < high) {
		unsigned long long middle = (low + high) / 2;
		std::string answer;
		for (int i = 0; i < 2; i++) {
			std::cout << "? " << middle << std::endl;
			std::cin >> answer;
		}
		if (answer == "here")
			low = high = middle;
		else if (answer == "nearer")
			high = middle - 1;
		else
			low = middle + 1;
	}
	volatile unsigned long long thoughts = low;
	while (thoughts)
		thoughts = thoughts | 1;
	std::cout << "! " << low << std::endl;
}
