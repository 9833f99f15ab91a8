package main

import (
	"fmt"
	"time"

	"cordon/judge/problem"
	"cordon/policy"
)

// What the format has where a package says nothing.
const (
	usualMemory     = 2048 << 20
	usualOutput     = 8 << 20
	usualValidation = time.Minute
)

// Where a time limit is from.
const (
	fromFlag     = "flag"
	fromPackage  = "package"
	fromMeasured = "measured"
)

// judgeLimits are what the package asks for, within what the policy allows.
type judgeLimits struct {
	rules                         *policy.LimitRules
	time                          time.Duration // CPU time of a case; 0: it has to be measured
	from, why                     string
	run, build, check, checkBuild policy.LimitRequest // run is without times
	memoryWhy, outputWhy          string
	notes                         []string // what the package asked for and does not get
}

func newJudgeLimits(p *problem.Problem, doc *policy.Policy) judgeLimits {
	l := judgeLimits{rules: &doc.Limits}
	within := func(what string, asked, usual int64, rule *policy.Rule[int64], unit string) *int64 {
		v := asked
		if asked == 0 {
			v = usual
		}
		if v > *rule.Max {
			if asked > 0 {
				l.notes = append(l.notes, fmt.Sprintf("%s is %s in the package; policy %s allows %s, and that is what holds",
					what, inUnit(asked, unit), doc.Name, inUnit(*rule.Max, unit)))
			}
			v = *rule.Max
		}
		return &v
	}
	r, b := &doc.Limits, &doc.BuildLimits
	l.run.MemoryBytes = within("memory", p.MemoryBytes, usualMemory, r.MemoryBytes, "bytes")
	l.run.OutputBytes = within("output", p.OutputBytes, usualOutput, r.OutputBytes, "bytes")
	l.memoryWhy, l.outputWhy = why(p.MemoryBytes, *l.run.MemoryBytes), why(p.OutputBytes, *l.run.OutputBytes)
	// Recursion is bounded by the memory, as on the judges that packages are made for.
	l.run.StackBytes = within("stack", 0, *l.run.MemoryBytes, r.StackBytes, "bytes")
	if p.CompileTime > 0 {
		ms := millis(p.CompileTime)
		l.build.CPUMillis = within("compilation_time", ms, 0, b.CPUMillis, "ms")
		l.build.WallMillis = within("", 0, 2**l.build.CPUMillis+1000, b.WallMillis, "ms")
	}
	if p.CompileMemoryBytes > 0 {
		l.build.MemoryBytes = within("compilation_memory", p.CompileMemoryBytes, 0, b.MemoryBytes, "bytes")
	}
	l.checkBuild = l.build
	l.check.CPUMillis = within("validation_time", millis(p.ValidationTime), millis(usualValidation), r.CPUMillis, "ms")
	l.check.WallMillis = within("", 0, 2**l.check.CPUMillis+1000, r.WallMillis, "ms")
	l.check.MemoryBytes = within("validation_memory", p.ValidationMemoryBytes, usualMemory, r.MemoryBytes, "bytes")
	l.check.OutputBytes = within("validation_output", p.ValidationOutputBytes, usualOutput, r.OutputBytes, "bytes")
	l.check.StackBytes = within("", 0, *l.check.MemoryBytes, r.StackBytes, "bytes")
	l.check.DiskBytes = r.DiskBytes.Max // input and answer lie in its scratch
	if p.TimeLimit > 0 {
		ms := within("the time limit", millis(p.TimeLimit), 0, r.CPUMillis, "ms")
		l.set(time.Duration(*ms)*time.Millisecond, fromPackage, why(millis(p.TimeLimit), *ms))
	}
	return l
}

// why a limit is what it is.
func why(asked, got int64) string {
	switch asked {
	case 0:
		return "the package does not say"
	case got:
		return "as the package says"
	}
	return "the most that the policy allows"
}

func (l *judgeLimits) set(limit time.Duration, from, why string) {
	l.time, l.from, l.why = limit, from, why
}

// most is the longest time limit that the policy allows.
func (l *judgeLimits) most() time.Duration {
	return time.Duration(*l.rules.CPUMillis.Max) * time.Millisecond
}

// wall is how long a case may take in all: a program that waits uses no CPU time.
func (l *judgeLimits) wall(limit time.Duration) time.Duration {
	return min(2*limit+time.Second, time.Duration(*l.rules.WallMillis.Max)*time.Millisecond)
}

// timed are the limits of a run with this time limit; 0: the most that there is.
func (l *judgeLimits) timed(limit time.Duration) policy.LimitRequest {
	q := l.run
	cpu, wall := millis(limit), millis(l.wall(limit))
	if limit == 0 {
		cpu, wall = *l.rules.CPUMillis.Max, *l.rules.WallMillis.Max
	}
	q.CPUMillis, q.WallMillis = &cpu, &wall
	return q
}

// derived is the limit that follows from the slowest accepted submission: twice its
// time, in whole seconds and not below one.
func (l *judgeLimits) derived(slowest time.Duration) time.Duration {
	return min(max((2*slowest+time.Second-1).Truncate(time.Second), time.Second), l.most())
}

// millis rounds up: a limit is never less than what was asked for.
func millis(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// inUnit is a limit for a person.
func inUnit(v int64, unit string) string {
	if unit == "ms" {
		return (time.Duration(v) * time.Millisecond).String()
	}
	return size(v).String()
}
