// Calls one number after another: too many calls in a long canyon.
#include <iostream>
#include <string>

int main() {
	long long n, at = 1;
	std::string answer;
	std::cin >> n;
	for (long long q = 1; q <= n; q++) {
		std::cout << "? " << q << std::endl;
		if (!(std::cin >> answer))
			return 0;
		if (answer == "here")
			break;
		at = answer == "further" ? q : at;
	}
	std::cout << "! " << at << std::endl;
}
