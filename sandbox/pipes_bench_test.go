package sandbox

import (
	"fmt"
	"strconv"
	"testing"

	"cordon/judge"
)

// pingPong sends eight bytes and waits for eight; its partner answers.
const pingPong = `#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words)
{
	char b[8] = "ping...";
	if (count > 1)
		for (long n = atol(words[1]); n > 0; n--)
			if (write(1, b, sizeof b) != sizeof b || read(0, b, sizeof b) != sizeof b)
				return 1;
	if (count == 1)
		while (read(0, b, sizeof b) == sizeof b)
			if (write(1, b, sizeof b) != sizeof b)
				return 1;
	return 0;
}
`

// How long it takes to say something and hear the answer, by where the two run and who
// carries it. The time is that of the program's own account: cells are not in it.
func BenchmarkPingPong(b *testing.B) {
	l := newLab(b)
	const rounds = 20_000
	for _, c := range []struct {
		cores Cores
		bytes int64
	}{{"", 0}, {Together, 0}, {Apart, 0}, {Together, 1}, {Apart, 1}} {
		name := map[Cores]string{"": "anywhere", Together: "together", Apart: "apart"}[c.cores] + map[int64]string{0: "/direct", 1: "/carried"}[c.bytes]
		b.Run(name, func(b *testing.B) {
			job := &Job{Policy: "judge", Build: []string{"gcc", "-O2", "-o", "main", "main.c"}, Files: []File{{Path: "main.c", Data: []byte(pingPong)}},
				Command: []string{"./main", strconv.Itoa(rounds)}, Cores: c.cores, TranscriptBytes: c.bytes}
			job.Checker = &Checker{Style: judge.Testlib, Interactive: true, Command: []string{"./talk"}, Files: []File{{Path: "main.c", Data: []byte(pingPong)}},
				Build: []string{"sh", "-c", "gcc -O2 -o main main.c && echo '#!/bin/sh\nexec ./main' >talk && chmod 755 talk"}}
			job.Limits.CPUMillis, job.Limits.OutputBytes, job.Checker.Limits.CPUMillis = ptr[int64](15_000), ptr[int64](16<<20), ptr[int64](15_000)
			job.Checker.Limits.OutputBytes = ptr[int64](16 << 20)
			short(job, 60_000)
			var wall int64
			for b.Loop() {
				r := l.run(b, job)
				if r.Verdict != OK {
					b.Fatal(r.told())
				}
				wall += r.Usage.WallNanos
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(wall)/float64(b.N)/rounds, "ns/round")
		})
	}
}

// What a program more in an ensemble costs.
func BenchmarkEnsemble(b *testing.B) {
	l := newLab(b, func(c *Config) { c.Warm, c.WarmMost = 4, 16 })
	for programs := 1; programs <= 4; programs++ {
		b.Run(fmt.Sprint(programs), func(b *testing.B) {
			job := &Job{Policy: "judge", Command: []string{"/bin/true"}, Tests: []Test{{}}}
			last := MainProgram
			for i := 1; i < programs; i++ {
				name := fmt.Sprint("p", i)
				job.Programs = append(job.Programs, Program{Name: name, Command: []string{"/bin/true"}})
				job.Pipes = append(job.Pipes, Pipe{End{last, 1}, End{name, 0}})
				last = name
			}
			for b.Loop() {
				if r := l.run(b, job); r.Verdict != OK {
					b.Fatal(r.told())
				}
			}
		})
	}
}
