#include <bitset>
#include <iostream>
#include <string>
#include <vector>

const int M = 1000;
using Leans = std::bitset<2 * M + 1>; // bit d + M: lean d

static std::vector<Leans> reach(const std::vector<int> &weights, int limit) {
	Leans allowed;
	for (int d = -limit; d <= limit; d++)
		allowed.set(d + M);
	std::vector<Leans> steps(1);
	steps[0].set(M);
	for (int w : weights)
		steps.push_back(((steps.back() << w) | (steps.back() >> w)) & allowed);
	return steps;
}

int main() {
	int n;
	std::cin >> n;
	std::vector<int> weights(n);
	int low = 0, high = M;
	for (int &w : weights)
		std::cin >> w;
	while (low < high) {
		int middle = (low + high) / 2;
		if (reach(weights, middle).back().any())
			high = middle;
		else
			low = middle + 1;
	}
	auto steps = reach(weights, low);
	int at = 0;
	while (!steps[n][at])
		at++;
	std::string sides(n, '?');
	for (int i = n - 1; i >= 0; i--) {
		int w = weights[i];
		bool left = at - w >= 0 && steps[i][at - w];
		sides[i] = left ? 'L' : 'R';
		at += left ? -w : w;
	}
	std::cout << low << '\n' << sides << '\n';
}
