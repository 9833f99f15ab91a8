package sandbox

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// BenchmarkRun is a job from Run to its Result, without HTTP:
//
//	go test -exec "$PWD/test/as-service-user" -run '^$' -bench . -count 10 ./sandbox
func BenchmarkRun(b *testing.B) {
	for _, warm := range []int{0, 2} {
		b.Run(fmt.Sprintf("true/warm=%d", warm), func(b *testing.B) {
			l := newLab(b, func(c *Config) { c.Warm = warm })
			repeat(b, l, &Job{Policy: "default", Command: []string{"/bin/true"}}, 1)
		})
	}
	b.Run("true/clients=2", func(b *testing.B) {
		l := newLab(b, func(c *Config) { c.Warm = 2 })
		repeat(b, l, &Job{Policy: "default", Command: []string{"/bin/true"}}, 2)
	})
	b.Run("stdout/1MiB", func(b *testing.B) {
		l := newLab(b, func(c *Config) { c.Warm = 2 })
		b.SetBytes(1 << 20)
		repeat(b, l, &Job{Policy: "default", Command: []string{"head", "-c", "1048576", "/dev/zero"}}, 1)
	})
	b.Run("files/64", func(b *testing.B) {
		l := newLab(b, func(c *Config) { c.Warm = 2 })
		job := &Job{Policy: "default", Command: []string{"/bin/true"}}
		for i := range 64 {
			job.Files = append(job.Files, File{Path: fmt.Sprintf("in/%d", i), Data: []byte("x")})
		}
		repeat(b, l, job, 1)
	})
}

// BenchmarkContent is what a job costs that is given a kept file: as one of its files, or
// as its input; the file itself, or a copy of it.
func BenchmarkContent(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10, 16 << 20, 256 << 20} {
		f := share(b, strings.Repeat("x", size))
		job := func(own bool, as string) *Job {
			j := &Job{Policy: "dev", Command: []string{"/bin/true"}}
			kept := Kept(f)
			if !own {
				kept = struct{ Kept }{f}
			}
			if as == "file" {
				j.Files = []File{{Path: "f", Mode: 0o555, Kept: kept}}
			} else {
				j.Stdin.Kept = kept
			}
			return j
		}
		for _, as := range []string{"file", "input"} {
			for _, way := range []string{"copied", "itself"} {
				b.Run(fmt.Sprintf("%s/%dKiB/%s", as, size>>10, way), func(b *testing.B) {
					l := newLab(b, func(c *Config) { c.Warm = 2 })
					repeat(b, l, job(way == "itself", as), 1)
				})
			}
		}
	}
	f := share(b, "x")
	for _, mode := range []os.FileMode{0o644, 0o555} {
		b.Run(fmt.Sprintf("64files/%o", mode), func(b *testing.B) {
			l := newLab(b, func(c *Config) { c.Warm = 2 })
			j := &Job{Policy: "dev", Command: []string{"/bin/true"}}
			for i := range 64 {
				j.Files = append(j.Files, File{Path: fmt.Sprintf("in/%d", i), Mode: mode, Kept: f})
			}
			repeat(b, l, j, 1)
		})
	}
}

// repeat runs a job again and again, from some clients at once.
func repeat(b *testing.B, l *lab, job *Job, clients int) {
	b.Helper()
	one := func() bool {
		copied := *job
		result, err := l.Run(b.Context(), &copied)
		if err != nil || result.Verdict != OK {
			b.Errorf("%q: %+v, %v", job.Command, result, err)
			return false
		}
		return true
	}
	for range 10 { // the fork server, and the first warm cells
		if !one() {
			b.FailNow()
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for i := c; i < b.N; i += clients {
				if !one() {
					return
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
}
