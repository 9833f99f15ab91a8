package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cordon/internal/testkit"
)

// spin uses the given milliseconds of CPU time, in some threads at once, and
// prints how many nanoseconds the kernel has counted for it in the end.
const spin = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long limit;

static long long used(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *work(void *unused)
{
	while (used() < limit)
		;
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t other[16];

	limit = atoll(argv[1]) * 1000000LL;
	for (int i = 1; i < threads; i++)
		pthread_create(&other[i], 0, work, 0);
	work(0);
	for (int i = 1; i < threads; i++)
		pthread_join(other[i], 0);
	printf("%lld\n", used());
	return 0;
}
`

// runsVar says how often the program that stays just below its limit runs.
const runsVar = "CORDON_TEST_ACCURACY_RUNS"

// TestAccuracy holds what a judge relies on: limits of time and memory that
// strike neither early nor late, and figures that are true.
func TestAccuracy(t *testing.T) {
	d := testkit.StartDaemon(t)
	s := newService(d.URL, d.Token)
	program := compiled(t, s, spin)
	memory := compiled(t, s, touch)
	t.Run("usage_of_a_calibrated_spin", func(t *testing.T) {
		for _, ms := range []int{200, 1000} {
			r := s.run(t, program(object{"cpu_ms": 10_000}, fmt.Sprint(ms)))
			r.want(t, "ok")
			counted, err := strconv.ParseInt(strings.TrimSpace(r.out(t)), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			off := float64(r.Usage.CPUNanos-counted) / float64(counted)
			t.Logf("%d ms: counted by the program %d, in the result %d: %+.2f %%", ms, counted, r.Usage.CPUNanos, 100*off)
			if off < -0.02 || off > 0.02 {
				t.Errorf("off by more than 2 %%")
			}
		}
	})
	t.Run("spinner_is_stopped", func(t *testing.T) {
		for _, threads := range []string{"1", "2"} {
			for range 10 {
				r := s.run(t, program(object{"cpu_ms": 500, "cpus": 2}, "60000", threads))
				r.want(t, "cpu_limit")
				past := r.Usage.CPUNanos - 500e6
				t.Logf("%s threads: %.1f ms past the limit", threads, float64(past)/1e6)
				if past < 0 || past > 100e6 {
					t.Errorf("%d ns past the limit, want 0 to 100 ms", past)
				}
			}
		}
	})
	t.Run("memory_peak", func(t *testing.T) { testPeak(t, s, memory) })
	// The same share of less time leaves less room: what is added to a program's own
	// time is not less in a shorter one.
	runs := accuracyRuns(t)
	t.Run("just_below_a_short_limit", func(t *testing.T) { testJustBelow(t, s, program, 300, runs) })
	t.Run("just_below_the_limit", func(t *testing.T) { testJustBelow(t, s, program, 2000, max(1, runs/10)) })
}

// compiled builds a C program once, by a job, and returns a maker of jobs that
// run it.
func compiled(t *testing.T, s *service, source string) func(limits object, args ...string) object {
	t.Helper()
	r := s.run(t, object{"language": "c", "source": source, "command": []string{"true"}, "outputs": []string{"main"},
		"build": object{"command": []string{"gcc", "-O2", "-pthread", "-o", "main", "main.c"}}})
	r.want(t, "ok")
	if len(r.Files) != 1 || r.Files[0].Error != "" {
		t.Fatalf("no program: %s", r)
	}
	binary := base64.StdEncoding.EncodeToString([]byte(r.Files[0].data(t)))
	return func(limits object, args ...string) object {
		return object{"command": append([]string{"./main"}, args...), "limits": limits,
			"files": []object{{"path": "main", "base64": binary, "mode": 0o755}}}
	}
}

// testPeak compares programs that touch so much memory with the same program that
// touches next to nothing.
func testPeak(t *testing.T, s *service, program func(object, ...string) object) {
	const mib = 1 << 20
	peak := func(n int) int64 {
		r := s.run(t, program(object{"memory_bytes": 256 * mib}, fmt.Sprint(n)))
		r.want(t, "ok")
		return r.Usage.MemoryPeakBytes
	}
	least := peak(1) - mib
	for _, n := range []int{16, 56, 128, 200} {
		got, want := peak(n), least+int64(n)*mib
		off := got - want
		t.Logf("%d MiB touched: peak %.2f MiB, expected %.2f", n, float64(got)/mib, float64(want)/mib)
		if slack := int64(2*mib) + want/50; off < -slack || off > slack {
			t.Errorf("off by %d bytes, more than 2 MiB + 2 %%", off)
		}
	}
}

// accuracyRuns is how often a program that stays just below its limit is to run.
func accuracyRuns(t *testing.T) int {
	text := os.Getenv(runsVar)
	if text == "" {
		return 200
	}
	runs, err := strconv.Atoi(text)
	if err != nil || runs < 1 {
		t.Fatalf("%s: %q given, a number from 1 is wanted", runsVar, text)
	}
	return runs
}

// testJustBelow uses 95 of 100 of a limit in ms, again and again, two at a time.
func testJustBelow(t *testing.T, s *service, program func(object, ...string) object, limit, runs int) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var most int64
	left := make(chan int, runs)
	for i := range runs {
		left <- i
	}
	close(left)
	for range 2 {
		wait.Go(func() {
			for range left {
				r := s.run(t, program(object{"cpu_ms": limit, "wall_ms": 30_000}, fmt.Sprint(limit*95/100)))
				mu.Lock()
				most = max(most, r.Usage.CPUNanos)
				mu.Unlock()
				if r.Verdict != "ok" {
					t.Errorf("verdict %s after %d ns of CPU", r.Verdict, r.Usage.CPUNanos)
				}
			}
		})
	}
	wait.Wait()
	t.Logf("%d runs of %d ms under %d ms; the most that one used is %.1f ms", runs, limit*95/100, limit, float64(most)/1e6)
}
