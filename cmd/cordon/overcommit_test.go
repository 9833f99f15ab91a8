package main

import (
	"log/slog"
	"strings"
	"testing"

	"cordon/cgroup"
	"cordon/internal/testkit"
	"cordon/policies"
	"cordon/sandbox"
)

func TestOvercommit(t *testing.T) {
	const gibi = 1 << 30
	host := machine{memory: 1000 * gibi, cpus: 2.5}
	for _, c := range []struct {
		text     string
		parallel int
		memory   int64
		cpus     float64
	}{
		{"", 1, 4000 * gibi, 4},
		{defaultConfig().Overcommit, 4096, 4096 * gibi, 4 * 4096},
		{"memory=1.5,cpu=4", 4096, 1500 * gibi, 10},
		{"cpu=0.5", 64, 4000 * gibi, 1.25},
		{"memory=0.5", 64, 500 * gibi, 256},
	} {
		f := config{Overcommit: c.text}
		o, err := f.overcommit()
		if err != nil {
			t.Fatal(err)
		}
		if memory, cpus := host.promises(o, c.parallel); memory != c.memory || cpus != c.cpus {
			t.Errorf("%q: %d bytes and %g processors, want %d and %g", c.text, memory, cpus, c.memory, c.cpus)
		}
	}
	many := machine{memory: 1000, cpus: 31.5}
	if _, cpus := many.promises(overcommit{}, 2); cpus != 32 {
		t.Errorf("%g of %g processors", cpus, many.cpus)
	}
}

// The least counts: what there is, or what a group leaves of it.
func TestMachineWithin(t *testing.T) {
	own := machine{100, 4, "the host", "all"}
	for _, c := range []struct {
		b    cgroup.Bounds
		want machine
	}{
		{cgroup.Bounds{}, own},
		{cgroup.Bounds{Memory: 200, MemoryBy: "m", CPUs: 8, CPUsBy: "c"}, own},
		{cgroup.Bounds{Memory: 99, MemoryBy: "m", CPUs: 0.5, CPUsBy: "c"}, machine{99, 0.5, "m", "c"}},
		{cgroup.Bounds{Memory: 0, MemoryBy: "m"}, machine{0, 4, "m", "all"}},
	} {
		m := own
		if m.within(c.b); m != c.want {
			t.Errorf("%+v: %+v", c.b, m)
		}
	}
}

// Who promises less than the defaults of a policy is told, and nobody else.
func TestWarnOfPolicies(t *testing.T) {
	set, err := policies.Load("", policyOptions...)
	if err != nil {
		t.Fatal(err)
	}
	for memory, want := range map[int64]int{1 << 40: 0, 3 << 29: 2, 1 << 20: 5} { // dev and ci have 2 GiB
		var log testkit.Journal
		var c config
		c.warnOfPolicies(set, &sandbox.Config{Policies: resolver{set}, Memory: memory, CPUs: 4, HostCPUs: 2}, slog.New(slog.NewTextHandler(&log, nil)))
		told := 0
		for _, name := range set.Names() {
			if strings.Contains(log.String(), "policy="+name+" ") {
				told++
			}
		}
		if told != want {
			t.Errorf("%d bytes: %d policies are told of, want %d:\n%s", memory, told, want, log.String())
		}
	}
}
