// Has room for a hundred crates, and notices the next one.
#include <array>
#include <bitset>
#include <iostream>
#include <string>

using Leans = std::bitset<2001>;

int main() {
	int n;
	std::cin >> n;
	std::array<int, 100> weights;
	for (int i = 0; i < n; i++)
		std::cin >> weights.at(i);
	for (int limit = 1;; limit++) {
		std::array<Leans, 101> steps;
		steps[0].set(1000);
		Leans allowed;
		for (int d = -limit; d <= limit; d++)
			allowed.set(d + 1000);
		for (int i = 0; i < n; i++)
			steps.at(i + 1) = ((steps[i] << weights[i]) | (steps[i] >> weights[i])) & allowed;
		if (steps[n].none())
			continue;
		int at = steps[n]._Find_first();
		std::string sides(n, 'R');
		for (int i = n - 1; i >= 0; i--) {
			if (at >= weights[i] && steps[i][at - weights[i]]) {
				sides[i] = 'L';
				at -= weights[i];
			} else
				at += weights[i];
		}
		std::cout << limit << '\n' << sides << '\n';
		return 0;
	}
}
