#include <iostream>
#include <string>
#include <vector>

int main()
{
	std::vector<std::string> blocks;
	for (int i = 0; i < 96; i++)
		blocks.emplace_back(1 << 20, 'x');
	std::cout << blocks.size() << " blocks\n";
}
