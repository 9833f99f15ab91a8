package cgroup

import "testing"

// The stages of a group's life, each by itself, and all of them as a job has them:
//
//	go test -exec "$PWD/test/as-service-user" -run '^$' -bench . -count 10 ./cgroup

func BenchmarkGroup(b *testing.B) {
	d := live(b)
	limits := Limits{MemoryBytes: 256 * mega, Pids: 64, CPUs: 1}
	create := func(b *testing.B) Group {
		g, err := d.Create()
		if err != nil {
			b.Fatal(err)
		}
		return g
	}
	remove := func(b *testing.B, g Group) {
		if err := g.Remove(); err != nil {
			b.Fatal(err)
		}
	}
	limit := func(b *testing.B, g Group) {
		if _, err := g.SetLimits(limits); err != nil {
			b.Fatal(err)
		}
	}
	read := func(b *testing.B, g Group) {
		if _, err := g.Usage(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("create and remove", func(b *testing.B) {
		for b.Loop() {
			remove(b, create(b))
		}
	})
	for name, stage := range map[string]func(*testing.B, Group){"limit": limit, "usage": read} {
		b.Run(name, func(b *testing.B) {
			g := create(b)
			defer remove(b, g)
			for b.Loop() {
				stage(b, g)
			}
		})
	}
	b.Run("CPU", func(b *testing.B) { // what the timer of a CPU limit reads
		g := create(b)
		defer remove(b, g)
		for b.Loop() {
			if _, err := g.CPU(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			g := create(b)
			limit(b, g)
			read(b, g)
			remove(b, g)
		}
	})
}
