#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <locale>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

static void check(bool right, const char *part)
{
	if (!right)
		throw std::runtime_error(part);
	std::cout << part << " ok" << std::endl;
}

static bool threads()
{
	std::vector<std::future<int>> all;
	for (int i = 0; i < 4; i++)
		all.push_back(std::async(std::launch::async, [i] { return i; }));
	return std::accumulate(all.begin(), all.end(), 0, [](int sum, auto &f) { return sum + f.get(); }) == 6;
}

static bool process()
{
	char line[32] = "";
	FILE *child = popen("echo from a child", "r");
	return child && fgets(line, sizeof line, child) && pclose(child) == 0 && !strcmp(line, "from a child\n") &&
	       std::system("true") == 0;
}

// By IPv6, as the program in C does by IPv4.
static bool sockets()
{
	sockaddr_in6 at{};
	at.sin6_family = AF_INET6;
	at.sin6_addr = in6addr_loopback;
	socklen_t size = sizeof at;
	int listening = socket(AF_INET6, SOCK_STREAM, 0), client = socket(AF_INET6, SOCK_STREAM, 0);
	auto *address = reinterpret_cast<sockaddr *>(&at);
	if (bind(listening, address, size) || listen(listening, 1) || getsockname(listening, address, &size) || connect(client, address, size))
		return false;
	char text[8] = "";
	int served = accept(listening, nullptr, nullptr);
	return send(served, "hello", 5, 0) == 5 && recv(client, text, 5, MSG_WAITALL) == 5 && !strcmp(text, "hello");
}

static bool file()
{
	auto dir = std::filesystem::temp_directory_path() / "exercise";
	std::filesystem::create_directories(dir);
	std::ofstream(dir / "a.txt") << "hello";
	std::filesystem::copy_file(dir / "a.txt", dir / "b.txt");
	std::string text;
	std::ifstream(dir / "b.txt") >> text;
	return text == "hello" && std::filesystem::remove_all(dir) == 3;
}

static bool locale()
{
	return std::toupper(L'é', std::locale("")) == L'É';
}

static bool zone()
{
	std::time_t moment = 1700000000;
	setenv("TZ", "Asia/Tokyo", 1);
	tzset();
	std::ostringstream text;
	text << std::put_time(std::localtime(&moment), "%F %R %Z");
	return text.str() == "2023-11-15 07:13 JST";
}

static bool memory()
{
	std::vector<char> block(96 << 20, 1);
	return block.back() == 1;
}

int main()
{
	check(threads(), "threads");
	check(process(), "process");
	check(sockets(), "socket");
	check(file(), "file");
	check(locale(), "locale");
	check(zone(), "zone");
	check(memory(), "memory");
}
