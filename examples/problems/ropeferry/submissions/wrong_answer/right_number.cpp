// Finds the right lean, and a loading for another one: each crate to the lighter side.
#include <bitset>
#include <iostream>
#include <string>
#include <vector>

int main() {
	int n, limit = 0;
	std::cin >> n;
	std::vector<int> weights(n);
	for (int &w : weights)
		std::cin >> w;
	for (bool found = false; !found;) {
		limit++;
		std::bitset<2001> leans, allowed;
		leans.set(1000);
		for (int d = -limit; d <= limit; d++)
			allowed.set(d + 1000);
		for (int w : weights)
			leans = ((leans << w) | (leans >> w)) & allowed;
		found = leans.any();
	}
	std::string sides;
	int lean = 0;
	for (int w : weights) {
		sides += lean <= 0 ? 'L' : 'R';
		lean += lean <= 0 ? w : -w;
	}
	std::cout << limit << '\n' << sides << '\n';
}
