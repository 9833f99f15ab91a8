#include <iostream>

int main()
{
	for (;;)
		std::cout << "0123456789abcdef\n";
}
