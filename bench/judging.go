package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// judgedTests of the submission.
const judgedTests = 50

// submission is what judges get all day: short, and slow to compile.
const submission = `#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>
int main() {
	long a, b;
	std::cin >> a >> b;
	std::map<long, std::vector<std::string>> seen;
	for (long i = a; i < a + 100; i++) seen[i % 7].push_back(std::to_string(i * b));
	std::cout << seen[a % 7].size() + a << "\n";
}
`

// compilation is the command of the service's language cpp.
var compilation = []string{"-O2", "-std=gnu++17", "-Wall", "-o", "main", "main.cpp", "-pthread"}

// judging: a submission with tests, in turns with what it costs without any service:
// the compiler, and the program once for each test.
func (s *session) judging(ctx context.Context) error {
	compiler, err := exec.LookPath("g++")
	if errors.Is(err, exec.ErrNotFound) {
		s.report.missing("there is no C++ compiler: apt-get install g++", "judging_new", "judging_again")
		return nil
	}
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "judging")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	var fresh, again, bareCompile, bareRuns, ours, oursAgain []float64
	for round := range pick(s.o.Effort, 1, 5, 15) {
		s.note(fmt.Sprintf("%s: round %d", Judging, round+1))
		compile, runs, err := s.bareJudging(dir, compiler)
		if err != nil {
			return err
		}
		first, err := s.submit(ctx, fmt.Sprintf("%s// %d\n", submission, round))
		if noCpp(err) {
			s.report.missing("the service does not offer the language cpp", "judging_new", "judging_again")
			return nil
		}
		if err != nil {
			return err
		}
		time.Sleep(breath)
		second, err := s.submit(ctx, fmt.Sprintf("%s// %d\n", submission, round))
		if err != nil {
			return err
		}
		time.Sleep(breath)
		fresh = append(fresh, float64(first)/float64(compile+runs))
		again = append(again, float64(second)/float64(runs))
		bareCompile, bareRuns = append(bareCompile, milliseconds(compile)), append(bareRuns, milliseconds(runs))
		ours, oursAgain = append(ours, milliseconds(first)), append(oursAgain, milliseconds(second))
	}
	note := fmt.Sprintf("parallel_tests %d", runtime.NumCPU())
	s.report.set("judging_new", statOf(fresh), note)
	s.report.set("judging_again", statOf(again), note)
	s.amount(Judging, "the compiler alone", "ms", statOf(bareCompile))
	s.amount(Judging, "50 times vfork+exec of the program", "ms", statOf(bareRuns))
	s.amount(Judging, "submission with 50 tests, new", "ms", statOf(ours))
	s.amount(Judging, "submission with 50 tests, built before", "ms", statOf(oursAgain))
	return nil
}

// bareJudging compiles and runs without a service.
func (s *session) bareJudging(dir, compiler string) (compile, runs time.Duration, err error) {
	input := filepath.Join(dir, "input")
	for name, text := range map[string]string{"main.cpp": submission, "input": "1 2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return 0, 0, err
		}
	}
	built, err := spawn(command{argv: append([]string{compiler}, compilation...), env: workEnv, dir: dir})
	if err != nil {
		return 0, 0, err
	}
	for range judgedTests {
		one, err := spawn(command{argv: []string{filepath.Join(dir, "main")}, env: workEnv, dir: dir, in: input, quiet: true})
		if err != nil {
			return 0, 0, err
		}
		runs += one.total
	}
	return built.total, runs, nil
}

// submit sends the submission with its tests.
func (s *session) submit(ctx context.Context, source string) (time.Duration, error) {
	var tests []map[string]any
	for i := range judgedTests {
		tests = append(tests, map[string]any{"name": fmt.Sprint(i), "stdin": "1 2\n", "expect": "16\n"})
	}
	r, err := s.job(s.service, map[string]any{"policy": "judge", "language": "cpp", "source": source, "compare": "tokens",
		"parallel_tests": runtime.NumCPU(), "tests": tests})
	if err != nil {
		return 0, err
	}
	c, err := connect(r)
	if err != nil {
		return 0, err
	}
	defer c.close()
	times, err := c.loop(0, 1)
	if err != nil {
		return 0, err
	}
	return times[0], ctx.Err()
}

// noCpp is what a service answers that does not offer the language.
func noCpp(err error) bool {
	return err != nil && (strings.Contains(err.Error(), `"language_not_installed"`) || strings.Contains(err.Error(), `"unknown_language"`))
}
