package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"time"

	"cordon/internal/child"
)

// scale: how the cost of a job grows with what there is besides it.
func (s *session) scale(ctx context.Context) error {
	for _, part := range []func(context.Context) error{s.scaleRunning, s.scalePolicies, s.scaleRoots, s.scaleOutput, s.scaleInput} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// point measures one point of a curve.
func (s *session) point(ctx context.Context, c *Curve, x int, r *request) error {
	s.note(fmt.Sprintf("%s: %s: %d", Scale, c.X, x))
	slice := pick(s.o.Effort, 100*time.Millisecond, 700*time.Millisecond, 3*time.Second)
	one, err := measure(ctx, served(c.ID, r), 1, slice)
	if err != nil {
		return fmt.Errorf("%s %d: %w", c.X, x, err)
	}
	c.Points = append(c.Points, Point{float64(x), Stat{one.p50(), one.quantile(0.25), one.quantile(0.75)}})
	return nil
}

// curve is finished: its figure is the steepest part of it.
func (s *session) curve(figure string, c Curve) {
	steepest := math.Inf(-1)
	for i := 1; i < len(c.Points); i++ {
		a, b := c.Points[i-1], c.Points[i]
		steepest = max(steepest, math.Log(b.Y.Median/a.Y.Median)/math.Log(b.X/a.X))
	}
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	s.report.Curves = append(s.report.Curves, c)
	s.report.set(figure, Stat{steepest, steepest, steepest}, fmt.Sprintf("1 is linear; p50 %.2f ms at %g, %.2f ms at %g", first.Y.Median, first.X, last.Y.Median, last.X))
}

func millisecondsAgainst(id, title, x string) Curve {
	return Curve{ID: id, Title: title, X: x, Y: "p50 of a job, ms"}
}

// with runs a service of its own for a part.
func (s *session) with(ctx context.Context, args []string, use func(*child.Service) error) error {
	service, err := s.start(ctx, args...)
	if err != nil {
		return err
	}
	if err := use(service); err != nil {
		return errors.Join(err, service.Stop())
	}
	return s.stop(service)
}

// scaleRunning: jobs that sleep beside.
func (s *session) scaleRunning(ctx context.Context) error {
	counts := pick(s.o.Effort, []int{1, 10, 50}, []int{1, 10, 100, 500}, []int{1, 10, 100, 500, 1000})
	c := millisecondsAgainst("running", "Cost of a job against the jobs that sleep beside it", "running jobs")
	return s.with(ctx, []string{"--parallel", fmt.Sprint(counts[len(counts)-1] + 4), "--queue", "16"}, func(service *child.Service) error {
		r, err := s.job(service, map[string]any{"command": []string{s.o.Program}})
		if err != nil {
			return err
		}
		before := 0
		for _, count := range counts {
			end, err := s.sleep(ctx, service, count-before)
			if err != nil {
				return err
			}
			defer func() { _ = end() }() // the service ends anyway
			before = count
			if err := s.point(ctx, &c, count, r); err != nil {
				return err
			}
		}
		s.curve("scale_running", c)
		return nil
	})
}

// scalePolicies: files in the directory of policies.
func (s *session) scalePolicies(ctx context.Context) error {
	c := millisecondsAgainst("policies", "Cost of a job against the number of policies", "policies")
	for _, count := range pick(s.o.Effort, []int{1, 10}, []int{1, 10, 100}, []int{1, 10, 100, 1000}) {
		dir := filepath.Join(s.dir, fmt.Sprintf("policies-%d", count))
		for i := range count {
			name := fmt.Sprintf("bench-%d", i)
			text := fmt.Sprintf("name: %s\ndescription: One of many, for cordon bench.\nextends: default\n", name)
			if err := writePolicy(dir, name, text); err != nil {
				return err
			}
		}
		err := s.with(ctx, []string{"--policies", dir}, func(service *child.Service) error {
			r, err := s.job(service, map[string]any{"policy": "bench-0", "command": []string{s.o.Program}})
			if err != nil {
				return err
			}
			return s.point(ctx, &c, count, r)
		})
		if err != nil {
			return err
		}
	}
	s.curve("scale_policies", c)
	return nil
}

// scaleOutput: jobs that write ever more.
func (s *session) scaleOutput(ctx context.Context) error {
	program, err := s.compiled(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		s.report.missing(noCompiler, "scale_output")
		return nil
	}
	if err != nil {
		return err
	}
	c := millisecondsAgainst("output", "Cost of a job against what it writes", "bytes of output")
	for _, size := range pick(s.o.Effort, []int{kib, mib}, []int{kib, 32 * kib, mib, 16 * mib}, []int{kib, 8 * kib, 64 * kib, 512 * kib, 4 * mib, 16 * mib}) {
		r, err := s.job(s.service, map[string]any{"command": []string{"./work", "flood", fmt.Sprint(size)}, "files": []any{file("work", program)},
			"limits": map[string]any{"output_bytes": 16 * mib}})
		if err != nil {
			return err
		}
		if err := s.point(ctx, &c, size, r); err != nil {
			return err
		}
	}
	s.curve("scale_output", c)
	return nil
}

// scaleInput: jobs that bring ever more files.
func (s *session) scaleInput(ctx context.Context) error {
	c := millisecondsAgainst("input_files", "Cost of a job against the files that it brings", "input files")
	for _, count := range pick(s.o.Effort, []int{1, 16}, []int{1, 16, 64, 256}, []int{1, 4, 16, 64, 256}) {
		var files []any
		for i := range count {
			files = append(files, file(fmt.Sprintf("in/%d", i), []byte("sixteen bytes...")))
		}
		r, err := s.job(s.service, map[string]any{"command": []string{s.o.Program}, "files": files})
		if err != nil {
			return err
		}
		if err := s.point(ctx, &c, count, r); err != nil {
			return err
		}
	}
	s.curve("scale_input_files", c)
	return nil
}
