#include <algorithm>
#include <fstream>
#include <iostream>
#include <numeric>
#include <vector>

int main()
{
	std::vector<long> values;
	for (long v; std::cin >> v;)
		values.push_back(v);
	std::sort(values.begin(), values.end());
	std::cout << "sum " << std::accumulate(values.begin(), values.end(), 0L) << "\nsorted";
	for (long v : values)
		std::cout << ' ' << v;
	std::cout << std::endl;
	std::ofstream out("out.txt");
	out << "count " << values.size() << "\n";
	return out.flush() ? 0 : 1;
}
