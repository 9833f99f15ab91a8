package line

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkTake is what the line costs a job: by itself, besides others that run, and with
// many that wait behind it.
func BenchmarkTake(b *testing.B) {
	for _, bounded := range []bool{false, true} {
		b.Run(fmt.Sprintf("alone/bounded=%t", bounded), func(b *testing.B) {
			c := Config{All: Share{Places: 64}}
			if bounded {
				c.All.Memory, c.All.CPUs = 1<<40, 64
				c.Tenants = func(string) Share { return Share{Places: 8, Memory: 1 << 30} }
			}
			l := New(c)
			b.ReportAllocs()
			for b.Loop() {
				p, err := l.Take(context.Background(), Want{Tenant: "a", Memory: 1 << 20, CPUs: 1})
				if err != nil {
					b.Fatal(err)
				}
				p.Give(time.Millisecond)
			}
		})
	}
	for _, tenants := range []int{1, 100} {
		b.Run(fmt.Sprintf("waiting=2000/tenants=%d", tenants), func(b *testing.B) {
			l := New(Config{All: Share{Places: 2}})
			var inside sync.WaitGroup
			ctx, cancel := context.WithCancel(b.Context())
			left := make(chan struct{}, b.N)
			for i := range 2000 {
				inside.Go(func() {
					for {
						p, err := l.Take(ctx, Want{Tenant: fmt.Sprint(i % tenants)})
						if err != nil {
							return
						}
						p.Give(time.Millisecond)
						left <- struct{}{}
					}
				})
			}
			b.ResetTimer()
			for range b.N {
				<-left
			}
			b.StopTimer()
			cancel()
			go func() {
				for range left {
				}
			}()
			inside.Wait()
			close(left)
		})
	}
}
