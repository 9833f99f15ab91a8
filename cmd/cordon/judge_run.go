package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cordon/judge/problem"
)

// judge runs the submissions that were asked for.
func (j *judging) judge(ctx context.Context) {
	var wanted []*trial
	for _, t := range j.trials {
		if t.chosen {
			wanted = append(wanted, t)
		}
	}
	if j.limits.time == 0 {
		wanted = j.measure(ctx, wanted)
	}
	if j.limits.time > 0 {
		j.each(ctx, wanted, j.limits.time)
	}
	j.report.limits(j)
}

// measure finds a time limit with the accepted submissions, and returns those that are
// still to be judged.
func (j *judging) measure(ctx context.Context, wanted []*trial) []*trial {
	var models []*trial
	for _, t := range j.trials {
		if slices.Equal(t.Expected, []problem.Expect{problem.Accepted}) {
			models = append(models, t)
		}
	}
	j.each(ctx, models, 0)
	var slowest time.Duration
	n := 0
	for _, t := range models {
		if t.Verdict == accepted {
			n++
			// A limit is made longer by the scale when it is enforced.
			slowest = max(slowest, time.Duration(float64(t.CPUNanos)/j.scale))
		}
	}
	rest := slices.DeleteFunc(slices.Clone(wanted), func(t *trial) bool { return slices.Contains(models, t) })
	if ctx.Err() != nil {
		return rest
	}
	if n == 0 {
		j.report.note("no submission was accepted, so that no time limit could be measured and the others were not judged; give --time-limit, or mend " +
			models[0].Name + ": " + string(models[0].Verdict) + " " + models[0].Message)
		j.report.failed = slices.ContainsFunc(models, func(t *trial) bool { return t.Verdict == judgeError })
		return rest
	}
	limit := j.limits.derived(slowest)
	j.limits.set(limit, fromMeasured, fmt.Sprintf("twice the %v of the slowest of %d accepted submissions, in whole seconds", slowest.Round(10*time.Millisecond), n))
	if 2*slowest > limit {
		j.report.note(fmt.Sprintf("twice the slowest accepted submission is %v; policy %s allows %v, and that is what holds", (2 * slowest).Round(10*time.Millisecond), j.policy.Name, limit))
	}
	// They had all the time there is: one that waited for longer than is allowed is
	// judged once more.
	for _, t := range models {
		if t.chosen && t.Verdict == accepted && time.Duration(float64(t.WallNanos)/j.scale) > j.limits.wall(limit) {
			rest = append(rest, t)
		}
	}
	return rest
}

// each judges submissions, so many at once as were asked for. Cases of one are never
// run at the same time: its verdict is that of the first that fails.
func (j *judging) each(ctx context.Context, trials []*trial, limit time.Duration) {
	j.progress.expect(len(trials))
	next := make(chan *trial)
	var workers sync.WaitGroup
	for range min(j.flags.parallel, len(trials)) {
		workers.Go(func() {
			for t := range next {
				if ctx.Err() != nil {
					continue
				}
				j.progress.begin(t.Name, len(j.cases))
				t.judge(ctx, j, limit)
				j.progress.end(t)
			}
		})
	}
	for _, t := range trials {
		next <- t
	}
	close(next)
	workers.Wait()
}
