package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cordon/judge"
	"cordon/policy"
)

const gibi = int64(1) << 30

func memoryAndCPUs(bytes int64, cpus float64) policy.LimitRequest {
	return policy.LimitRequest{MemoryBytes: &bytes, CPUs: &cpus}
}

// What is promised is the most that a job can use at once in one place.
func TestPromise(t *testing.T) {
	l := newLab(t, func(c *Config) { c.HostCPUs = 6 })
	for name, c := range map[string]struct {
		change func(*Job)
		memory int64
		cpus   float64
	}{
		"the policy's default": {func(*Job) {}, gibi / 2, 1},
		"what is asked for":    {func(j *Job) { j.Limits = memoryAndCPUs(3*gibi, 2) }, 3 * gibi, 2},
		"its build": {func(j *Job) {
			j.Build, j.BuildLimits, j.Limits = []string{"true"}, memoryAndCPUs(2*gibi, 1), memoryAndCPUs(gibi, 3)
		}, 2 * gibi, 3},
		"its largest test": {func(j *Job) {
			j.Tests = []Test{{Limits: memoryAndCPUs(2*gibi, 1)}, {}, {}, {Limits: memoryAndCPUs(gibi, 1.5)}}
		}, 2 * gibi, 1.5},
		"the job's own limits in a later test": {func(j *Job) {
			j.Limits, j.Tests = memoryAndCPUs(2*gibi, 1), []Test{{Limits: memoryAndCPUs(gibi, 1)}, {}}
		}, 2 * gibi, 1},
		"a checker behind its test": {func(j *Job) {
			j.Tests = []Test{{}}
			j.Checker = &Checker{Style: judge.Testlib, Command: []string{"true"}, Limits: memoryAndCPUs(gibi, 2)}
		}, gibi, 2},
		"a checker's build": {func(j *Job) {
			j.Tests = []Test{{}}
			j.Checker = &Checker{Style: judge.Testlib, Command: []string{"true"}, Build: []string{"true"}, BuildLimits: memoryAndCPUs(4*gibi, 1)}
		}, 4 * gibi, 1},
		"an interactor at the same time": {func(j *Job) {
			j.Checker = &Checker{Style: judge.Testlib, Interactive: true, Command: []string{"true"}, Limits: memoryAndCPUs(gibi, 2)}
		}, gibi + gibi/2, 3},
		"programs at the same time": {func(j *Job) {
			j.Limits = memoryAndCPUs(gibi, 1)
			j.Programs = []Program{{Name: "b", SameAs: MainProgram}, {Name: "c", Command: []string{"true"}, Limits: memoryAndCPUs(gibi/4, 2)}}
			j.Pipes = []Pipe{{From: End{MainProgram, 1}, To: End{"b", 0}}, {From: End{"b", 1}, To: End{"c", 0}}}
		}, 2*gibi + gibi/4, 4},
		"no more processors than there are": {func(j *Job) {
			j.Limits = memoryAndCPUs(gibi, 4)
			j.Programs = []Program{{Name: "b", SameAs: MainProgram}}
			j.Pipes = []Pipe{{From: End{MainProgram, 1}, To: End{"b", 0}}}
		}, 2 * gibi, 6},
	} {
		job := shell("true")
		c.change(job)
		if got, err := l.Promise(job); err != nil || got != (Promise{c.memory, c.cpus}) {
			t.Errorf("%s: %+v, %v; want %d and %g", name, got, err, c.memory, c.cpus)
		}
		// A service that runs no jobs says the same, but for the processors there are.
		if got, err := PromiseElsewhere(l.config.Policies, job); err != nil || got.Memory != c.memory || got.CPUs != c.cpus && (c.cpus != 6 || got.CPUs != 8) {
			t.Errorf("%s, elsewhere: %+v, %v; want %d and %g", name, got, err, c.memory, c.cpus)
		}
	}
	job := shell("true")
	job.Programs = []Program{{Name: "b", SameAs: MainProgram}, {Name: "c", SameAs: MainProgram}, {Name: "d", SameAs: MainProgram}}
	job.Pipes = []Pipe{{From: End{MainProgram, 1}, To: End{"b", 0}}, {From: End{"b", 1}, To: End{"c", 0}}, {From: End{"c", 1}, To: End{"d", 0}}}
	job.Cores = Apart // on cores that only another service may have
	if _, err := PromiseElsewhere(l.config.Policies, job); err != nil {
		t.Error(err)
	}
	job.Limits = memoryAndCPUs(1<<50, 1)
	var denied *policy.DeniedError
	if _, err := PromiseElsewhere(l.config.Policies, job); !errors.As(err, &denied) {
		t.Errorf("%v", err)
	}
}

// A place that was reserved for more processors than there are here is one with all of them.
func TestReservedElsewhere(t *testing.T) {
	l := newLab(t, func(c *Config) { c.HostCPUs, c.CPUs = 2, 2 })
	p, err := l.Reserve(t.Context(), "", Promise{Memory: gibi, CPUs: 16})
	if err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.CPUs != 2 {
		t.Errorf("%g processors are promised", s.CPUs)
	}
	p.Give()
}

// What could never be let in is refused at once, by the field that asks for most, and what
// just fits is run.
func TestPromisedTooMuch(t *testing.T) {
	l := newLab(t, func(c *Config) {
		c.Memory, c.CPUs = gibi, 3
		c.Tenants = func(name string) Share {
			if name == "small" {
				return Share{Memory: gibi / 2}
			}
			return Share{}
		}
	})
	for _, c := range []struct {
		field, says string
		change      func(*Job)
	}{
		{"limits.memory_bytes", "1073741825 asked for, allowed for all jobs that run at once are 1073741824", func(j *Job) { j.Limits = memoryAndCPUs(gibi+1, 1) }},
		{"limits.cpus", "3.5 asked for", func(j *Job) { j.Limits = memoryAndCPUs(gibi, 3.5) }},
		{"build.limits.memory_bytes", "--overcommit", func(j *Job) { j.Build, j.BuildLimits = []string{"true"}, memoryAndCPUs(2*gibi, 1) }},
		{"tests[1].limits.memory_bytes", "wait for ever", func(j *Job) { j.Tests = []Test{{}, {Limits: memoryAndCPUs(2*gibi, 1)}} }},
		{"programs", "all programs of the job together: 1610612736", func(j *Job) {
			j.Programs = []Program{{Name: "b", SameAs: MainProgram}, {Name: "c", SameAs: MainProgram}}
			j.Pipes = []Pipe{{From: End{MainProgram, 1}, To: End{"b", 0}}, {From: End{"b", 1}, To: End{"c", 0}}}
		}},
		{"limits.memory_bytes", "of this tenant", func(j *Job) { j.Tenant, j.Limits = "small", memoryAndCPUs(gibi, 1) }},
	} {
		job := shell("true")
		c.change(job)
		_, promised := l.Promise(job)
		_, run := l.Run(t.Context(), job)
		for _, err := range []error{promised, run} {
			var wrong *InvalidError
			if !errors.As(err, &wrong) || wrong.Field != c.field || !strings.Contains(wrong.Detail, c.says) {
				t.Errorf("%s: %v", c.field, err)
			}
		}
	}
	if _, err := l.Reserve(t.Context(), "", Promise{Memory: 2 * gibi}); !errors.Is(err, ErrInvalidJob) {
		t.Error(err)
	}
	job := shell("echo fits")
	job.Limits = memoryAndCPUs(gibi, 3)
	if l.output(t, job) != "fits\n" {
		t.Error("what just fits was not run")
	}
	if s := l.Stats(); s.Memory != 0 || s.CPUs != 0 || s.MemoryAll != gibi || s.CPUsAll != 3 {
		t.Errorf("%+v", s)
	}
}

// Jobs run at once as far as their memory may be promised at once, and no further; so do the
// tests of a suite.
func TestAdmittedBySum(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel, c.Memory = 4, gibi })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ends := make(chan error)
	began := []*signal{newSignal(), newSignal(), newSignal()}
	for _, s := range began {
		job := shell("echo here; sleep 1000")
		job.Stdout, job.Limits = s, memoryAndCPUs(gibi*2/5, 1)
		go func() { _, err := l.Run(ctx, job); ends <- err }()
	}
	eventually(t, "two run and one waits", func() bool {
		s := l.Stats()
		return s.Running == 2 && s.Waiting == 1 && s.Tenants == 1 && s.Memory == 2*(gibi*2/5) && s.CPUs == 2
	})
	told := 0
	for _, s := range began {
		select {
		case <-s.told:
			told++
		default:
		}
	}
	if told > 2 {
		t.Error("three run")
	}
	cancel()
	for range began {
		<-ends
	}
	suite := doubles(test("", "1", "2"), test("", "2", "4"), test("", "3", "6"), test("", "4", "8"))
	suite.ParallelTests, suite.Limits = 4, memoryAndCPUs(gibi/2, 1)
	if r := l.run(t, suite); r.Verdict != OK || r.Summary.Parallel != 2 {
		t.Errorf("%s: %+v", r.Verdict, r.Summary)
	}
}

// Every cell of a job is charged: its build, its tests, several programs.
func TestCharged(t *testing.T) {
	l := newLab(t)
	const spin = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"
	one := l.run(t, shell(spin))
	if one.CPUNanos == 0 || one.CPUNanos != one.Usage.CPUNanos {
		t.Fatalf("%d of %d", one.CPUNanos, one.Usage.CPUNanos)
	}
	job := shell(spin)
	job.Build, job.Tests = []string{"/bin/sh", "-c", spin}, []Test{{}, {}}
	r := l.run(t, job)
	sum := r.Build.Usage.CPUNanos + r.Tests[0].Usage.CPUNanos + r.Tests[1].Usage.CPUNanos
	if r.Verdict != OK || r.CPUNanos != sum {
		t.Errorf("%s: %d, the sum is %d", r.Verdict, r.CPUNanos, sum)
	}
}

// A place that turns out to be promised too little is given for another.
func TestReservedTooLittle(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Parallel, c.Memory = 2, gibi })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := l.Reserve(ctx, "", Promise{}) // as of a record that does not say
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Reserve(ctx, "", Promise{Memory: gibi, CPUs: 1})
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan error)
	go func() {
		r, err := p.Run(ctx, shell("true"))
		if err == nil && r.Verdict != OK {
			err = errors.New(r.Message)
		}
		waits <- err
	}()
	eventually(t, "it waits for what it needs", func() bool { s := l.Stats(); return s.Waiting == 1 && s.Running == 1 })
	other.Give()
	if err := <-waits; err != nil {
		t.Error(err)
	}
	if s := l.Stats(); s.Running != 0 || s.Memory != 0 {
		t.Errorf("%+v", s)
	}
}
