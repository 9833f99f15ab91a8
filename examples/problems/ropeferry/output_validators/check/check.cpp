// check INPUT ANSWER FEEDBACK_DIR < output: accepts any loading with the smallest
// greatest lean. 42 is right, 43 is wrong; anything else is our own mistake.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

static std::string feedback;

[[noreturn]] static void end(int status, const std::string &file, const std::string &message) {
	std::ofstream(feedback + file, std::ios::app) << message << '\n';
	std::exit(status);
}

[[noreturn]] static void wrong(const std::string &message) { end(43, "judgemessage.txt", message); }
[[noreturn]] static void ours(const std::string &message) { end(1, "judgeerror.txt", message); }

// A token longer than what is right is not read to its end.
static std::string token(size_t most) {
	std::string s;
	std::cin >> std::ws;
	for (int c; (c = std::cin.peek()) != EOF && !std::isspace(c); std::cin.get()) {
		if (s.size() == most)
			wrong("a token is longer than " + std::to_string(most) + " characters");
		s += char(c);
	}
	return s;
}

static std::string shown(const std::string &s) {
	std::string out;
	for (unsigned char c : s.substr(0, 40))
		out += c > 32 && c < 127 ? char(c) : '?';
	return "\"" + out + "\"";
}

int main(int argc, char **argv) {
	if (argc < 4)
		return 1;
	feedback = argv[3];
	if (feedback.empty() || feedback.back() != '/')
		feedback += '/';
	std::ifstream input(argv[1]), answer(argv[2]);
	int n, best;
	if (!(input >> n) || !(answer >> best))
		ours("input or answer cannot be read");
	std::vector<int> weights(n);
	for (int &w : weights)
		if (!(input >> w))
			ours("input ends early");

	std::string first = token(9);
	if (first.empty())
		wrong("no output");
	if (first.find_first_not_of("0123456789") != std::string::npos)
		wrong("the lean is " + shown(first) + ", not a number");
	int claimed = std::stoi(first);
	if (claimed > best)
		wrong("lean " + std::to_string(claimed) + ", possible is " + std::to_string(best));
	std::string sides = token(n);
	if (int(sides.size()) != n)
		wrong(std::to_string(sides.size()) + " letters for " + std::to_string(n) + " crates");
	int lean = 0, greatest = 0;
	for (int i = 0; i < n; i++) {
		if (sides[i] != 'L' && sides[i] != 'R')
			wrong("crate " + std::to_string(i + 1) + ": " + shown(sides.substr(i, 1)) + " is neither L nor R");
		lean += sides[i] == 'L' ? weights[i] : -weights[i];
		greatest = std::max(greatest, std::abs(lean));
	}
	if (greatest > claimed)
		wrong("the loading leans by " + std::to_string(greatest) + ", not by " + std::to_string(claimed));
	if (!token(40).empty())
		wrong("there is more behind the loading");
	if (greatest < best)
		ours("the answer is not the best: " + std::to_string(greatest) + " is possible");
	return 42;
}
