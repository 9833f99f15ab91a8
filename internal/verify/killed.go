package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/processes"
	"cordon/test/victims"
)

// emptyWithin is what a killed service's jobs have to be gone in.
const emptyWithin = 10 * time.Second

// manyJobs run when the daemon is killed.
const manyJobs = 20

// daemonKilled: a second service dies with twenty jobs. They die with it, and the
// next start tidies up.
func (s *session) daemonKilled(ctx context.Context, o *Outcome) {
	state := filepath.Join(s.dir, "second")
	second, err := startService(ctx, s.o.Binary, state, append([]string{"--parallel", "20", "--warm", "0"}, s.o.Serve...))
	if err != nil {
		o.problem("%v", err)
		return
	}
	other := *s
	other.service = second
	var wg sync.WaitGroup
	for i := range manyJobs {
		wg.Go(func() {
			row := victims.Row{Command: []string{"sh", "-c", "(setsid sleep 1000 &); exec sleep 1000"}, Limits: map[string]any{"wall_ms": 60000}}
			if i%2 == 0 {
				row.Command = []string{"sh", "-c", "trap '' TERM HUP INT; while :; do :; done"}
				row.Limits["cpu_ms"] = 60000
			}
			_, _ = second.post(ctx, other.request(&row)) // there is no answer from the dead
		})
	}
	all, groups := other.untilRunning(manyJobs)
	if len(all) == 0 {
		o.problem("the jobs do not start:\n%s", second.logged())
	}
	for _, p := range all {
		if kind(p) == "daemon" {
			_ = unix.Kill(p.Pid, unix.SIGKILL)
		}
	}
	wg.Wait()
	<-second.ended
	if left := gone(all); len(left) > 0 {
		o.escape("%v after the death of the daemon, of %d processes still there: %v", emptyWithin, len(all), left)
	}
	again, err := startService(ctx, s.o.Binary, state, append([]string{"--parallel", "20", "--warm", "0"}, s.o.Serve...))
	if err != nil {
		o.problem("the next start: %v", err)
		return
	}
	if err := again.stop(); err != nil {
		o.problem("the next start: %v", err)
	}
	for _, dir := range groups {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			o.escape("%s is left by the dead service", dir)
		}
	}
}

// untilRunning waits for so many jobs and lists the service's processes and the
// groups of its cells.
func (s *session) untilRunning(jobs int) (all []processes.Process, groups []string) {
	for deadline := time.Now().Add(startWithin); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		every, err := processes.All()
		if err != nil {
			continue
		}
		all, groups = processes.Below(every, s.service.pid), nil
		seen, running := map[string]bool{}, map[int]bool{}
		for _, p := range all {
			for _, dir := range cellGroups(p) {
				if !seen[dir] {
					seen[dir] = true
					groups = append(groups, dir)
				}
			}
			if len(p.Inner) > 1 && !p.First() && p.Name != "cordon-cell" {
				running[p.Parent] = true
			}
		}
		if len(running) >= jobs {
			return all, groups
		}
	}
	return nil, nil
}

// gone waits for processes to end and says which do not.
func gone(all []processes.Process) (left []processes.Process) {
	for deadline := time.Now().Add(emptyWithin); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		left = nil
		for _, p := range all {
			if now, ok := processes.Read(p.Pid); ok && !now.Ended() && now.Name == p.Name && now.UID == p.UID {
				left = append(left, now)
			}
		}
		if len(left) == 0 {
			return nil
		}
	}
	return left
}
