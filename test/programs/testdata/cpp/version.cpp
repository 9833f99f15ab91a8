#include <iostream>

int main()
{
#ifdef __clang__
	std::cout << __cplusplus << " clang " << __clang_major__ << "\n";
#else
	std::cout << __cplusplus << " gcc " << __GNUC__ << "\n";
#endif
}
