package policy

import "testing"

// Benchmarks of what every job costs here. For benchstat:
//
//	go test -run '^$' -bench . -count 10 ./policy | tee new.txt

func BenchmarkResolve(b *testing.B) {
	all := LimitRequest{CPUMillis: ptr[int64](500), WallMillis: ptr[int64](900), MemoryBytes: ptr[int64](mib), Pids: ptr[int64](4), CPUs: ptr(0.5)}
	for _, c := range []struct {
		name   string
		asked  Request
		denied bool
	}{
		{"plain", Request{}, false},
		{"limits", Request{Limits: all}, false},
		{"build", Request{HasBuild: true, Limits: all, BuildLimits: all, Files: 3, FileBytes: kib}, false},
		{"denied", Request{Limits: LimitRequest{MemoryBytes: ptr[int64](1 << 40)}}, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := sound()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Resolve(c.asked, p); (err != nil) != c.denied {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	p := sound()
	b.ReportAllocs()
	for b.Loop() {
		if problems := Check(p, nil); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}
