package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// eight clients at once fill and use the queue.
const eight = 8

// queue: the durable jobs of POST /v1/jobs, against the direct path.
func (s *session) queue(ctx context.Context) error {
	direct, err := s.accepted(ctx)
	if err != nil {
		return err
	}
	if err := s.followed(ctx); err != nil {
		return err
	}
	if err := s.backlog(ctx, direct); err != nil {
		return err
	}
	return s.flood(ctx)
}

// accepted jobs a second, while the service runs what it has accepted. It also gives
// POST /v1/run with as many clients.
func (s *session) accepted(ctx context.Context) (direct []sample, err error) {
	rounds := pick(s.o.Effort, 2, 4, 9)
	slice := pick(s.o.Effort, 100*time.Millisecond, 500*time.Millisecond, time.Second)
	r, err := s.submission(s.service.URL, s.service.Token, map[string]any{"command": []string{s.o.Program}})
	if err != nil {
		return nil, err
	}
	submits := served("POST /v1/jobs", r)
	turns := []turn{{appends(filepath.Join(s.dir, "appended"), len(r.text)), 1, slice / 2}, {submits, 1, slice}, {submits, eight, slice},
		{s.target(), 1, slice}, {s.target(), eight, slice}}
	all := make([][]sample, len(turns))
	for round := range rounds {
		s.note(fmt.Sprintf("%s: accepted jobs, round %d", Queue, round+1))
		for i, t := range turns {
			one, err := measure(ctx, t.target, t.clients, t.slice)
			if err != nil {
				return nil, &targetError{t.target.name, err}
			}
			all[i] = append(all[i], one)
			if err := s.untilIdle(ctx, s.service); err != nil { // or its jobs would be the next one's
				return nil, err
			}
		}
	}
	for i, t := range turns {
		series := seriesOf(Queue, t.target.name, t.clients, all[i])
		s.report.Series = append(s.report.Series, series)
		if i > 0 {
			s.jobs += series.Runs
		}
	}
	note := "while the service runs what it has accepted"
	s.report.set("queue_accepted_1", ratios(all[1], all[3], sample.perSecond), note)
	s.report.set("queue_accepted_8", ratios(all[2], all[4], sample.perSecond), note)
	return all[4], s.remember()
}

// appends to a file, each forced to the disk: what a durable job costs at least.
func appends(name string, size int) target {
	return target{"append and fdatasync", func() (loop, func(), error) {
		f, err := os.Create(name)
		if err != nil {
			return nil, nil, err
		}
		block := make([]byte, size)
		return repeated(func() (time.Duration, error) {
			started := time.Now()
			if _, err := f.Write(block); err != nil {
				return 0, err
			}
			err := unix.Fdatasync(int(f.Fd()))
			return time.Since(started), err
		}), func() { f.Close() }, nil
	}}
}

// followed: a job is submitted and its events are read to the result, in turns with the
// direct path by the same client.
func (s *session) followed(ctx context.Context) error {
	s.note(Queue + ": from submission to result")
	rounds := pick(s.o.Effort, 2, 5, 11)
	slice := pick(s.o.Effort, 200*time.Millisecond, time.Second, 2*time.Second)
	c := newJobsClient(s.service.URL, s.service.Token)
	defer c.close()
	body := map[string]any{"command": []string{s.o.Program}}
	timed := func(once func() error) target {
		return target{"", func() (loop, func(), error) {
			return repeated(func() (time.Duration, error) {
				started := time.Now()
				err := once()
				return time.Since(started), err
			}), func() {}, nil
		}}
	}
	through := timed(func() error {
		id, err := c.submit(ctx, body)
		if err != nil {
			return err
		}
		_, err = c.follow(ctx, id)
		return err
	})
	through.name = "POST /v1/jobs, then its events"
	straight := timed(func() error { return c.run(ctx, body) })
	straight.name = "POST /v1/run, the same client"
	all, err := s.turns(ctx, Queue, rounds, []turn{{through, 1, slice}, {straight, 1, slice}})
	if err != nil {
		return err
	}
	for _, one := range all {
		for _, slice := range one {
			s.jobs += slice.runs()
		}
	}
	s.report.set("queue_latency", ratios(all[0], all[1], sample.p50), "")
	s.report.set("queue_tail", ratios(all[0], all[1], sample.p99), "")
	return nil
}
