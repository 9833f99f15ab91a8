package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/child"
)

// look is how often a service is asked how far it is.
const look = 50 * time.Millisecond

// inStates counts the jobs of a service's queue.
func (s *session) inStates(ctx context.Context, service *child.Service) (map[string]int, error) {
	text, err := s.metrics(ctx, service)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for _, state := range []string{"queued", "running", "done", "failed", "cancelled", "expired", "interrupted"} {
		n, err := gauge(text, fmt.Sprintf("cordon_queue_jobs{state=%q}", state))
		if err != nil {
			return nil, err
		}
		out[state] = int(n)
	}
	return out, nil
}

// until waits for a state of the queue, as long as that goes on.
func (s *session) until(ctx context.Context, service *child.Service, reached func(map[string]int) bool) error {
	var before map[string]int
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	for {
		now, err := s.inStates(ctx, service)
		if err != nil || reached(now) {
			return err
		}
		if !maps.Equal(now, before) {
			before = now
			late.Reset(answerWithin)
		}
		select {
		case <-late.C:
			return fmt.Errorf("the queue does not go on: it is at %v for %v", now, answerWithin)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
	}
}

func (s *session) untilIdle(ctx context.Context, service *child.Service) error {
	return s.until(ctx, service, func(n map[string]int) bool { return n["queued"]+n["running"] == 0 })
}

// backlogJobs wait in a full queue.
func (s *session) backlogJobs() int {
	if s.o.Jobs > 0 {
		return s.o.Jobs
	}
	return pick(s.o.Effort, 200, 10_000, 10_000)
}

// backlog: a service whose queue is full is killed, comes again, and runs what waits. It
// is compared with its own starts when the queue is empty, and with the direct path.
func (s *session) backlog(ctx context.Context, direct []sample) (err error) {
	jobs := s.backlogJobs()
	s.note(fmt.Sprintf("%s: %d jobs that wait, kill -9, and their end", Queue, jobs))
	state := s.state()
	service, empty, err := s.emptyStarts(ctx, state)
	if err != nil {
		return err
	}
	defer func() {
		if service != nil {
			err = errors.Join(err, s.stop(service))
		}
	}()
	before, err := s.daemonResident(service)
	if err != nil {
		return err
	}
	if err := s.fill(ctx, service, jobs); err != nil {
		return err
	}
	full, err := s.daemonResident(service)
	if err != nil {
		return err
	}
	if err := crash(service); err != nil {
		return err
	}
	service = nil
	began := time.Now()
	if service, err = s.startIn(ctx, state); err != nil {
		return fmt.Errorf("the start after kill -9: %w", err)
	}
	again := time.Since(began)
	rate, err := s.drain(ctx, service, jobs)
	if err != nil {
		return err
	}
	peak, err := s.daemonPeak(service)
	if err != nil {
		return err
	}
	time.Sleep(pick(s.o.Effort, rest/10, rest, rest))
	after, err := s.daemonResident(service)
	if err != nil {
		return err
	}
	s.tellBacklog(jobs, empty, again, rate, direct, [4]int64{before, full, peak, after})
	return nil
}

// tellBacklog puts down what backlog has measured; memory is in bytes: empty, full, the
// most while the queue was drained, and at rest after it, with all results kept.
func (s *session) tellBacklog(jobs int, empty []float64, again time.Duration, rate float64, direct []sample, memory [4]int64) {
	note := fmt.Sprintf("%d jobs", jobs)
	one := func(v float64) Stat { return Stat{v, v, v} }
	for i, what := range []string{"with an empty queue", "with a full queue", "at most, after kill -9 and while the queue is drained", "at rest after it, with every result kept"} {
		s.amount(Queue, "daemon's RSS "+what, "MiB", one(float64(memory[i])/mib))
	}
	s.report.set("queue_memory", one(float64(memory[1]-memory[0])/float64(jobs)/kib), note)
	s.amount(Queue, "start with an empty queue", "ms", statOf(empty))
	s.amount(Queue, "start after kill -9 with "+note+" waiting", "ms", one(milliseconds(again)))
	s.report.set("queue_recovery", one(milliseconds(again)/statOf(empty).Median), note)
	s.amount(Queue, "time to run "+note, "s", one(float64(jobs)/rate))
	var over []float64
	for _, d := range direct {
		over = append(over, rate/d.perSecond())
	}
	s.report.set("queue_drain", statOf(over), fmt.Sprintf("%s, %.0f a second", note, rate))
}

// emptyStarts starts a service again and again, and leaves it running.
func (s *session) emptyStarts(ctx context.Context, state string) (service *child.Service, took []float64, err error) {
	for i := range 1 + pick(s.o.Effort, 1, 3, 5) {
		if service != nil {
			if err := s.stop(service); err != nil {
				return nil, nil, err
			}
		}
		began := time.Now()
		if service, err = s.startIn(ctx, state); err != nil {
			return nil, nil, err
		}
		if i > 0 { // the first one makes the state directory
			took = append(took, milliseconds(time.Since(began)))
		}
	}
	return service, took, nil
}

// fill has jobs wait: all places are held meanwhile.
func (s *session) fill(ctx context.Context, service *child.Service, jobs int) error {
	c := newJobsClient(service.URL, service.Token)
	defer c.close()
	for range processors() {
		if _, err := c.submit(ctx, map[string]any{"command": sleeper, "priority": "high", "limits": map[string]any{"wall_ms": 300_000, "memory_bytes": 64 * mib}}); err != nil {
			return err
		}
	}
	if err := s.until(ctx, service, func(n map[string]int) bool { return n["running"] == processors() }); err != nil {
		return err
	}
	r, err := s.submission(service.URL, service.Token, map[string]any{"command": []string{s.o.Program}})
	if err != nil {
		return err
	}
	if err := send(r, jobs); err != nil {
		return err
	}
	now, err := s.inStates(ctx, service)
	if err == nil && now["queued"] != jobs {
		err = fmt.Errorf("%d jobs were submitted, and the queue has %v: the places were not held for as long as that takes here; give fewer --jobs", jobs, now)
	}
	return err
}

// send exactly so many requests, by eight clients.
func send(r *request, count int) error {
	var wait sync.WaitGroup
	errs := make([]error, eight)
	for i := range eight {
		n := share(count, i)
		if n == 0 { // a client sends one at least
			continue
		}
		wait.Go(func() {
			c, err := connect(r)
			if err == nil {
				_, err = c.loop(0, n)
				c.close()
			}
			errs[i] = err
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// share of one of the eight.
func share(count, client int) int { return (client+1)*count/eight - client*count/eight }

// crash ends a service as the kernel does when memory is short.
func crash(service *child.Service) error {
	all, err := family(service.Pid)
	if err != nil {
		return err
	}
	pid, err := daemon(all)
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	select {
	case <-service.Ended:
		return nil
	case <-time.After(answerWithin):
		return fmt.Errorf("the service is not gone %v after kill -9 of its daemon", answerWithin)
	}
}

// drain waits until all jobs have run, each of them once, and gives how many a second.
func (s *session) drain(ctx context.Context, service *child.Service, jobs int) (float64, error) {
	began := time.Now()
	first, err := s.inStates(ctx, service)
	if err != nil {
		return 0, err
	}
	if err := s.untilIdle(ctx, service); err != nil {
		return 0, err
	}
	took := time.Since(began)
	now, err := s.inStates(ctx, service)
	if err == nil && (now["done"] != jobs || now["interrupted"] != processors()) {
		err = fmt.Errorf("%d jobs were accepted before kill -9, and %d held the places; of them came: %v", jobs, processors(), now)
	}
	return float64(jobs-first["done"]) / took.Seconds(), err
}

// daemonResident is the memory of a service's daemon, in bytes.
func (s *session) daemonResident(service *child.Service) (int64, error) {
	return daemonMemoryOf(service, "VmRSS")
}

// daemonPeak is the most that it ever was.
func (s *session) daemonPeak(service *child.Service) (int64, error) {
	return daemonMemoryOf(service, "VmHWM")
}

func daemonMemoryOf(service *child.Service, key string) (int64, error) {
	all, err := family(service.Pid)
	if err != nil {
		return 0, err
	}
	pid, err := daemon(all)
	if err != nil {
		return 0, err
	}
	return kibibytes(fmt.Sprintf("/proc/%d/status", pid), key)
}
