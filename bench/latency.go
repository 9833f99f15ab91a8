package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// noGoJudge is why the figures about go-judge are missing.
const noGoJudge = "no go-judge was named: --peer go-judge=URL"

// pause of a paced client: longer than what the service does behind a job.
const pause = 5 * time.Millisecond

// latency: one client, without a pause and paced.
func (s *session) latency(ctx context.Context) error {
	rounds := pick(s.o.Effort, 2, 7, 15)
	slice := pick(s.o.Effort, 200*time.Millisecond, time.Second, 2*time.Second)
	turns := []turn{{bare(s.o.Program), 1, slice / 2}, {s.target(), 1, slice}}
	peers, err := s.served()
	if err != nil {
		return err
	}
	for _, p := range peers {
		turns = append(turns, turn{p.target, 1, slice})
	}
	judge := slices.IndexFunc(peers, func(p servedPeer) bool { return p.kind == goJudge })
	s.report.missing(noGoJudge, "latency_over_go_judge", "paced_over_go_judge")
	all, err := s.turns(ctx, Latency, rounds, turns)
	if err != nil {
		return err
	}
	s.latencies("latency", all, judge)
	var tails, client []float64
	for _, one := range all[1] {
		tails = append(tails, one.p99()/one.p50())
		client = append(client, float64(one.own.Microseconds())/float64(one.runs()))
	}
	s.report.set("p99_over_p50", statOf(tails), "")
	s.amount(Latency, "CPU time of the client itself, each job", "µs", statOf(client))
	for i := range turns {
		turns[i].target = turns[i].target.paced(pause)
	}
	if all, err = s.turns(ctx, Latency, rounds, turns); err != nil {
		return err
	}
	s.latencies("paced", all, judge)
	return nil
}

// latencies of the service over those of the bare program and of go-judge, which is
// at that place of the peers, or at none.
func (s *session) latencies(id string, all [][]sample, judge int) {
	s.report.set(id+"_over_bare", ratios(all[1], all[0], sample.p50), "")
	if judge >= 0 {
		s.report.set(id+"_over_go_judge", ratios(all[1], all[2+judge], sample.p50), "")
	}
}

// throughput: several clients, and a longer while.
func (s *session) throughput(ctx context.Context) error {
	rounds := pick(s.o.Effort, 2, 4, 9)
	slice := pick(s.o.Effort, 200*time.Millisecond, time.Second, 3*time.Second)
	peers, err := s.served()
	if err != nil {
		return err
	}
	judge := slices.IndexFunc(peers, func(p servedPeer) bool { return p.kind == goJudge })
	for _, clients := range []int{2, 4, 8} {
		turns := []turn{{s.target(), clients, slice}}
		for _, p := range peers {
			turns = append(turns, turn{p.target, clients, slice})
		}
		if clients == 2 {
			turns = append(turns, turn{bare(s.o.Program), clients, slice / 2})
		}
		all, err := s.turns(ctx, Throughput, rounds, turns)
		if err != nil {
			return err
		}
		id := fmt.Sprintf("throughput_%d_over_go_judge", clients)
		s.report.missing(noGoJudge, id)
		if judge >= 0 {
			s.report.set(id, ratios(all[0], all[1+judge], sample.perSecond), "")
		}
	}
	return s.sustained(ctx)
}

// sustained: so long that no pool helps, against the bare prototype, which keeps
// as many loops as the service runs jobs at once.
func (s *session) sustained(ctx context.Context) error {
	whole := s.o.Sustain
	if whole == 0 {
		whole = pick(s.o.Effort, 2*time.Second, 30*time.Second, 120*time.Second)
	}
	const slices = 3
	loops := runtime.NumCPU()
	clients := 2 * loops
	s.note(fmt.Sprintf("%s: %v of jobs, and the bare prototype in turns", Throughput, whole))
	var theirs []float64
	var own []sample
	for range slices {
		one, err := measure(ctx, s.target(), clients, whole/slices)
		if err != nil {
			return err
		}
		own = append(own, one)
		s.jobs += one.runs()
		if err := s.remember(); err != nil {
			return err
		}
		made, err := s.prototype(ctx, whole/slices/2)
		if err != nil {
			return fmt.Errorf("the bare prototype: %w", err)
		}
		theirs = append(theirs, made.PerSecond)
	}
	series := seriesOf(Throughput, ours+", sustained", clients, own)
	s.report.Series = append(s.report.Series, series)
	s.amount(Throughput, fmt.Sprintf("bare prototype, %d loops", loops), "cells/s", statOf(theirs))
	var over []float64
	for i := range own {
		over = append(over, own[i].perSecond()/theirs[i])
	}
	s.report.set("sustained_over_prototype", statOf(over), fmt.Sprintf("%v in all, %d clients, against %d loops", whole, clients, loops))
	s.jobsDone(own)
	return nil
}

// jobsDone: whether the last jobs cost what the first ones did.
func (s *session) jobsDone(own []sample) {
	parts := 10
	for _, one := range own {
		for _, times := range one.clients {
			parts = min(parts, len(times)) // each has leastRuns: no part is empty
		}
	}
	c := Curve{ID: "jobs_done", Title: "Cost of a job against the jobs done before", X: "jobs done", Y: "p50 of a job, ms", Linear: true}
	done := s.jobs
	for _, one := range own {
		done -= one.runs()
	}
	for _, one := range own {
		for i := range parts {
			part := one.part(i, parts)
			done += part.runs()
			c.Points = append(c.Points, Point{float64(done), Stat{part.p50(), part.quantile(0.25), part.quantile(0.75)}})
		}
	}
	s.report.Curves = append(s.report.Curves, c)
	median := func(points []Point) float64 {
		var values []float64
		for _, p := range points {
			values = append(values, p.Y.Median)
		}
		return statOf(values).Median
	}
	over := median(c.Points[len(c.Points)-parts:]) / median(c.Points[:parts])
	s.report.set("scale_jobs_done", Stat{over, over, over}, fmt.Sprintf("the service had run %d by then", done))
}

// prototype runs the bare prototype, which needs the daemon's user namespace.
func (s *session) prototype(ctx context.Context, length time.Duration) (made Made, err error) {
	command := exec.CommandContext(ctx, s.o.Binary, slices.Concat([]string{PrototypeCommand, "--state", s.dir + "/p",
		"--for", length.String(), "--program", s.o.Program}, s.o.Serve)...)
	text, err := command.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return made, err
	}
	return made, json.Unmarshal(text, &made)
}
