package bench

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	"cordon/internal/child"
)

// sleeper sleeps for longer than it is watched.
var sleeper = []string{"/bin/sleep", "280"}

// sleep starts jobs that sleep until end is called, which the service notices as
// callers that are gone.
func (s *session) sleep(ctx context.Context, service *child.Service, jobs int) (end func() error, err error) {
	r, err := s.job(service, map[string]any{"command": sleeper, "limits": map[string]any{"wall_ms": 300_000}})
	if err != nil {
		return nil, err
	}
	before, err := s.running(ctx, service)
	if err != nil {
		return nil, err
	}
	var all []net.Conn
	end = func() error {
		for _, c := range all {
			c.Close()
		}
		all = nil
		return s.untilRunning(ctx, service, before)
	}
	for range jobs {
		c, err := net.Dial("tcp", r.address)
		if err == nil {
			all = append(all, c)
			_, err = c.Write(r.text)
		}
		if err != nil {
			_ = end() // the first error is told
			return nil, err
		}
	}
	if err := s.untilRunning(ctx, service, before+jobs); err != nil {
		_ = end() // likewise
		return nil, err
	}
	return end, nil
}

func (s *session) running(ctx context.Context, service *child.Service) (int, error) {
	text, err := s.metrics(ctx, service)
	if err != nil {
		return 0, err
	}
	n, err := gauge(text, "cordon_jobs_running")
	return int(n), err
}

// untilRunning waits for so many jobs to run.
func (s *session) untilRunning(ctx context.Context, service *child.Service, jobs int) error {
	for deadline := time.Now().Add(answerWithin); ; time.Sleep(20 * time.Millisecond) {
		n, err := s.running(ctx, service)
		if err != nil || n == jobs {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d jobs run, %d are wanted:\n%s", n, jobs, strings.TrimSpace(service.Logged()))
		}
	}
}

// sleepOutside starts the same program so many times.
func sleepOutside(count int) (end func() error, err error) {
	var all []*exec.Cmd
	end = func() error {
		for _, c := range all {
			_ = c.Process.Kill()
			_ = c.Wait() // ended by the signal
		}
		return nil
	}
	for range count {
		c := exec.Command(sleeper[0], sleeper[1:]...)
		if err := c.Start(); err != nil {
			_ = end() // which cannot fail
			return nil, err
		}
		all = append(all, c)
	}
	return end, nil
}
