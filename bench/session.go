package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"cordon/internal/child"
)

// Options of a run.
type Options struct {
	Binary  string        // the cordon binary: the service, and the bare prototype
	Serve   []string      // further arguments of both, as --cgroup
	Program string        // absolute path, ends at once with status 0
	Peers   []Peer        // running services to measure as well
	Groups  []string      // empty: all but Scale and Queue
	Effort  Effort        // how long it may take
	Sustain time.Duration // 0: as Effort says
	Jobs    int           // that wait in a full queue; 0: as Effort says
	Tenants Tenants       // nil: what needs two is left out
	Soak    int           // jobs after which the daemon's memory is read; 0: those that the run has made
	Note    func(string)  // called before each part; may be nil
}

// Effort is how much time is spent for one figure.
type Effort int

// Quick is for a first look and for tests, Full for figures to keep.
const (
	Normal Effort = iota
	Quick
	Full
)

// pick chooses by effort: quick, normal, full.
func pick[T any](e Effort, quick, normal, full T) T { return [...]T{normal, quick, full}[e] }

// session is a run under way.
type session struct {
	o       Options
	dir     string
	report  *Report
	service *child.Service // the one that most is measured with
	run     *request       // the program as a job
	daemon  int            // its daemon
	rss     []Point        // what that holds after so many jobs
	jobs    int            // that the service has run
	starts  int            // services so far
}

// parts are the groups' measurements.
var parts = map[string]func(*session, context.Context) error{
	Latency: (*session).latency, Peers: (*session).peers, Throughput: (*session).throughput, Judging: (*session).judging, Work: (*session).work,
	Memory: (*session).memory, Output: (*session).output, Scale: (*session).scale, Queue: (*session).queue,
}

// Measure runs what was asked for. A figure that cannot be had says why in the
// report; an error is a service that fails.
func Measure(ctx context.Context, o Options) (report *Report, err error) {
	stopping(ctx)
	s := &session{o: o, report: &Report{Version: reportVersion, Started: time.Now().Truncate(time.Second), Machine: thisMachine(),
		Program: o.Program, Figures: figures(), Series: []Series{}, Amounts: []Amount{}, Curves: []Curve{}, Notes: []string{}}}
	if s.dir, err = os.MkdirTemp("", "cordon-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	groups := o.Groups
	if len(groups) == 0 {
		groups = slices.DeleteFunc(slices.Clone(Groups), func(g string) bool { return g == Scale || g == Queue })
	}
	started := time.Now()
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	for _, group := range Groups {
		if !slices.Contains(groups, group) {
			s.report.missingGroup(notAsked(group), group)
			continue
		}
		s.note(group)
		if err := parts[group](s, ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", group, err)
		}
	}
	s.report.Seconds = time.Since(started).Seconds()
	return s.report, nil
}

// notAsked is why a whole group is missing.
func notAsked(group string) string {
	switch group {
	case Scale:
		return "not asked for: --scale"
	case Queue:
		return "not asked for: --service"
	}
	return "left out by --only"
}

func (s *session) note(what string) {
	if s.o.Note != nil {
		s.o.Note(what)
	}
}

// prepare starts the service and runs the first jobs.
func (s *session) prepare(ctx context.Context) (err error) {
	s.note("a service of its own")
	if s.service, err = s.start(ctx); err != nil {
		return err
	}
	all, err := family(s.service.Pid)
	if err != nil {
		return err
	}
	if s.daemon, err = daemon(all); err != nil {
		return err
	}
	if err := s.remember(); err != nil {
		return err
	}
	if s.run, err = s.job(s.service, map[string]any{"command": []string{s.o.Program}}); err != nil {
		return err
	}
	answer, err := s.once(s.run)
	if err != nil {
		return err
	}
	s.report.Machine.Cgroup, _, _ = strings.Cut(answer.Limits["memory_bytes"].EnforcedBy, " ")
	for range 20 { // which fill caches and pools
		if _, err := s.once(s.run); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) close() error {
	var err error
	if s.service != nil {
		err = s.stop(s.service)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// turns measures and keeps the series. Runs of the main service are counted.
func (s *session) turns(ctx context.Context, group string, rounds int, turns []turn) ([][]sample, error) {
	all, err := inTurns(ctx, rounds, turns)
	if err != nil {
		return nil, err
	}
	for i, t := range turns {
		series := seriesOf(group, t.target.name, t.clients, all[i])
		s.report.Series = append(s.report.Series, series)
		if t.target.name == ours {
			s.jobs += series.Runs
		}
	}
	return all, s.remember()
}

func (s *session) amount(group, name, unit string, value Stat) {
	s.report.Amounts = append(s.report.Amounts, Amount{group, name, unit, value})
}

// ours is the name of the series that the main service gives.
const ours = "POST /v1/run"

// target is the main service.
func (s *session) target() target { return served(ours, s.run) }

// processors that everything here shares.
func processors() int { return runtime.NumCPU() }
