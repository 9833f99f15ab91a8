// Tries every loading, to its end: 2 to the power of n of them.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

static std::vector<int> weights;
static std::string sides, best;
static int least = 1 << 30;

static void load(size_t i, int lean, int greatest) {
	greatest = std::max(greatest, std::abs(lean));
	if (i == weights.size()) {
		if (greatest < least) {
			least = greatest;
			best = sides;
		}
		return;
	}
	for (char side : {'L', 'R'}) {
		sides.push_back(side);
		load(i + 1, lean + (side == 'L' ? weights[i] : -weights[i]), greatest);
		sides.pop_back();
	}
}

int main() {
	int n;
	std::cin >> n;
	weights.resize(n);
	for (int &w : weights)
		std::cin >> w;
	load(0, 0, 0);
	std::cout << least << '\n' << best << '\n';
}
