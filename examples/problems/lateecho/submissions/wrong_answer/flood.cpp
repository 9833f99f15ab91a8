// Calls for ever, and hears nothing.
#include <csignal>
#include <iostream>

int main() {
	std::signal(SIGPIPE, SIG_IGN);
	while (std::cout << "? 1\n") {
	}
}
