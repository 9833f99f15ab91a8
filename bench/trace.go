package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Stage is a part of a job's way, between two points that the service has noted.
type Stage struct {
	From  string  `json:"from"`
	To    string  `json:"to"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
	Share float64 `json:"share"` // of the medians' sum
}

// Traced is where the time of jobs went.
type Traced struct {
	Machine Machine `json:"machine"`
	Program string  `json:"program"`
	Clients int     `json:"clients"`
	Jobs    int     `json:"jobs"`
	P50     float64 `json:"p50_us"` // as the client sees it
	P99     float64 `json:"p99_us"`
	Stages  []Stage `json:"stages"`
}

// Trace runs jobs on a service that notes when each came to each point of its way.
func Trace(ctx context.Context, o Options, clients int) (traced *Traced, err error) {
	stopping(ctx)
	dir, err := os.MkdirTemp("", "cordon-trace-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trace")
	o.Serve = slices.Concat(o.Serve, []string{"--trace", file})
	s := &session{o: o, report: &Report{Machine: thisMachine()}}
	if s.dir, err = os.MkdirTemp("", "cordon-bench-"); err != nil {
		return nil, err
	}
	one, err := s.traced(ctx, clients)
	if err = errors.Join(err, s.close()); err != nil { // the service writes what is left at its end
		return nil, err
	}
	traced = &Traced{Machine: s.report.Machine, Program: o.Program, Clients: clients, Jobs: one.runs(), P50: 1000 * one.p50(), P99: 1000 * one.p99()}
	traced.Stages, err = readStages(file, one.runs())
	return traced, err
}

func (s *session) traced(ctx context.Context, clients int) (sample, error) {
	if err := s.prepare(ctx); err != nil {
		return sample{}, err
	}
	s.note(fmt.Sprintf("where the time goes, with %d clients", clients))
	return measure(ctx, s.target(), clients, pick(s.o.Effort, 500*time.Millisecond, 5*time.Second, 20*time.Second))
}

// mark is a line's element: when a job came to a point, in nanoseconds.
type mark struct {
	Point string
	Nanos int64
}

// readStages reads the last jobs of a trace: a line of JSON for each.
func readStages(path string, jobs int) ([]Stage, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var all [][]mark
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var marks []mark
		if err := json.Unmarshal(lines.Bytes(), &marks); err != nil {
			return nil, fmt.Errorf("trace: line %d: %w", len(all)+1, err)
		}
		all = append(all, marks)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(all) < jobs || jobs == 0 {
		return nil, fmt.Errorf("trace: %d jobs of %d are in it", len(all), jobs)
	}
	return stages(all[len(all)-jobs:]), nil
}

// stages takes the points in the order of the first job. What the clocks of two
// processes tell the wrong way round took no time.
func stages(all [][]mark) []Stage {
	var out []Stage
	if len(all[0]) == 0 {
		return nil
	}
	var sum float64
	for i := range all[0][:len(all[0])-1] {
		from, to := all[0][i].Point, all[0][i+1].Point
		var times []time.Duration
		for _, marks := range all {
			if i+1 < len(marks) && marks[i].Point == from && marks[i+1].Point == to {
				times = append(times, time.Duration(max(marks[i+1].Nanos-marks[i].Nanos, 0)))
			}
		}
		took := sample{clients: [][]time.Duration{times}}
		s := Stage{From: from, To: to, P50: 1000 * took.p50(), P99: 1000 * took.p99()}
		sum += s.P50
		out = append(out, s)
	}
	for i := range out {
		out[i].Share = out[i].P50 / sum
	}
	return out
}
