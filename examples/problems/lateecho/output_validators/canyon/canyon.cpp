// canyon INPUT ANSWER FEEDBACK_DIR questions N, with the submission at both ends:
// answers calls, late by one. 42 is right, 43 is wrong; all else is our own mistake.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

static std::string feedback;

[[noreturn]] static void end(int status, const std::string &file, const std::string &message) {
	std::ofstream(feedback + file, std::ios::app) << message << '\n';
	std::_Exit(status);
}

[[noreturn]] static void wrong(const std::string &message) { end(43, "judgemessage.txt", message); }
[[noreturn]] static void ours(const std::string &message) { end(1, "judgeerror.txt", message); }

static std::string shown(const std::string &line) {
	std::string out;
	for (unsigned char c : line)
		out += c >= 32 && c < 127 ? char(c) : '?';
	return "\"" + out + "\"";
}

// One line of the submission, without its end. A line that is too long is wrong
// before it has ended: it may never.
static std::string line() {
	const size_t most = 40;
	std::string out;
	for (int c; (c = std::getchar()) != '\n'; out += char(c)) {
		if (c == EOF)
			wrong(out.empty() ? "the output ends without a place" : "the output ends within a line: " + shown(out));
		if (out.size() == most)
			wrong("a line is longer than " + std::to_string(most) + " characters: " + shown(out));
	}
	if (!out.empty() && out.back() == '\r')
		out.pop_back();
	return out;
}

static void say(const std::string &text) {
	std::string out = text + "\n";
	// Whoever has ended does not read: what they wrote before still counts.
	for (size_t done = 0; done < out.size();) {
		ssize_t n = write(STDOUT_FILENO, out.data() + done, out.size() - done);
		if (n <= 0)
			return;
		done += size_t(n);
	}
}

struct Echo {
	long long low, high; // it is somewhere from low to high

	// The answer to a call. Where both are possible, the one that leaves more.
	std::string answer(long long q) {
		long long below = std::max(0LL, std::min(high, q - 1) - low + 1), above = std::max(0LL, high - std::max(low, q + 1) + 1);
		if (below == 0 && above == 0)
			return "here";
		if (below > above) {
			high = std::min(high, q - 1);
			return "nearer";
		}
		low = std::max(low, q + 1);
		return "further";
	}
};

// The number behind "? " or "! ", from 1 to n.
static long long number(const std::string &text, long long n) {
	std::string digits = text.substr(2);
	if (digits.empty() || digits.size() > 10 || digits.find_first_not_of("0123456789") != std::string::npos)
		wrong("no number: " + shown(text));
	long long q = std::stoll(digits);
	if (q < 1 || q > n)
		wrong("outside of the canyon: " + shown(text));
	return q;
}

int main(int argc, char **argv) {
	if (argc < 4)
		return 1;
	feedback = argv[3];
	if (feedback.empty() || feedback.back() != '/')
		feedback += '/';
	if (argc != 6 || std::string(argv[4]) != "questions")
		ours("the flags are: questions N");
	int most = std::atoi(argv[5]);
	long long n, place;
	std::ifstream input(argv[1]);
	if (!(input >> n >> place))
		ours("the input cannot be read");
	std::signal(SIGPIPE, SIG_IGN);

	Echo echo = place ? Echo{place, place} : Echo{1, n};
	say(std::to_string(n));
	long long before = 0;
	for (int calls = 0;;) {
		std::string text = line();
		if (text.rfind("! ", 0) == 0) {
			long long x = number(text, n);
			if (x != echo.low || x != echo.high)
				wrong(shown(text) + " after " + std::to_string(calls) + " calls: it is from " + std::to_string(echo.low) + " to " + std::to_string(echo.high));
			for (int c; (c = std::getchar()) != EOF;)
				if (c != '\n' && c != '\r' && c != ' ')
					wrong("there is more behind the place");
			end(42, "judgemessage.txt", std::to_string(calls) + " calls");
		}
		if (text.rfind("? ", 0) != 0)
			wrong("neither a call nor a place: " + shown(text));
		long long q = number(text, n);
		if (++calls > most)
			wrong("more than " + std::to_string(most) + " calls");
		say(before ? echo.answer(before) : "silence");
		before = q;
	}
}
