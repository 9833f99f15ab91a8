package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/testkit"
	"cordon/policy"
	"cordon/sandbox/cell"
)

// descriptors lists what this process has open.
func descriptors(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		// The directory just read is gone by now.
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			out[e.Name()] = to
		}
	}
	return out
}

// descriptors are how many this process has, besides those of networks and of lanes, with
// an eventfd each, that are kept: their number is the most that cells have needed at once.
func (l *lab) descriptors(t *testing.T) int {
	n := len(descriptors(t)) - int(l.Stats().Networks)
	for _, to := range descriptors(t) {
		if strings.Contains(to, "/lane-") || to == "anon_inode:[eventfd]" {
			n--
		}
	}
	return n
}

// After many jobs of every kind there is as much as before them, and after Close
// nothing: the lab looks for groups and goroutines, this for the rest.
func TestNothingIsLeft(t *testing.T) {
	if err := cell.HoldProgram(); err != nil { // held from the first Runner on
		t.Fatal(err)
	}
	before := descriptors(t)
	var all []testkit.Process
	t.Run("jobs", func(t *testing.T) {
		const warm = 2
		l := newLab(t, func(c *Config) { c.Warm = warm })
		free := l.config.Ranges.Free()
		l.mixed(t, 12)
		l.settled(t, free, warm)
		steady, mounts := l.descriptors(t), mountCount(t)
		l.mixed(t, 100)
		l.settled(t, free, warm)
		if now := l.descriptors(t); now != steady {
			t.Errorf("%d descriptors, %d before 100 jobs: %v", now, steady, descriptors(t))
		}
		if now := mountCount(t); now != mounts {
			t.Errorf("%d mounts, %d before 100 jobs", now, mounts)
		}
		if n := l.Stats().Running; n != 0 {
			t.Errorf("%d jobs still run", n)
		}
		all = testkit.Descendants(t, os.Getpid())
		// This process, one server, the warm cells.
		if len(all) != 1+1+warm {
			t.Errorf("processes while nothing runs: %v", all)
		}
		l.Close()
		if now := l.config.Ranges.Free(); now != free {
			t.Errorf("%d id ranges free, %d before", now, free)
		}
	})
	for _, p := range testkit.Living(all) {
		if p.Pid != os.Getpid() {
			t.Errorf("a process is left: %v", p)
		}
	}
	if now := descriptors(t); len(now) > len(before) {
		t.Errorf("descriptors before %v\nand after %v", before, now)
	}
}

// mixed runs n jobs with different ends, some at once.
func (l *lab) mixed(t *testing.T, n int) {
	t.Helper()
	kinds := []func() *Job{
		func() *Job { return shell("echo ok > out; sleep 100 & exit 0") },
		func() *Job { return shell("exit 3") },
		func() *Job { return &Job{Policy: "default", Command: []string{"./nothing"}} },
		func() *Job { j := limited(shell("yes"), policy.LimitRequest{OutputBytes: ptr[int64](100)}); return &j },
		func() *Job {
			j := limited(shell("sleep 100"), policy.LimitRequest{WallMillis: ptr[int64](20)})
			return &j
		},
		func() *Job { j := shell("cat x"); j.Build = []string{"/bin/sh", "-c", "echo > x"}; return j },
		func() *Job { j := shell("exit 0"); j.Build = []string{"false"}; return j },
	}
	jobs := make(chan *Job, n)
	for i := range n {
		j := kinds[i%len(kinds)]()
		j.Outputs, j.ID = []string{"out", "*"}, fmt.Sprint(i)
		jobs <- j
	}
	close(jobs)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for j := range jobs {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				r, err := l.Run(ctx, j)
				cancel()
				if err != nil {
					t.Errorf("%q: %v", j.Command, err)
				} else if r.Verdict == InternalError || r.Verdict == Cancelled {
					t.Errorf("%q: %s (%s)", j.Command, r.Verdict, r.Message)
				}
			}
		})
	}
	all.Wait()
}

// settled waits until the pool has as many warm cells as it wants.
func (l *lab) settled(t *testing.T, free, warm int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d warm cells", warm), func() bool {
		l.pool.mu.Lock()
		busy := false
		for _, k := range l.pool.kinds {
			busy = busy || k.filling.Load()
		}
		l.pool.mu.Unlock()
		s := l.Stats()
		return !busy && s.Clearing == 0 && s.WarmCells == int64(warm) && s.FreeIDs == int64(free-warm)
	})
}

func mountCount(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// servers are the pids of the pool's fork servers.
func (l *lab) servers() []int {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	var out []int
	for _, k := range l.pool.kinds {
		out = append(out, k.server.Pid())
	}
	return out
}

// A fork server can be taken by the kernel when the host is out of memory: the
// next job must find a new one.
func TestServerKilled(t *testing.T) {
	for _, warm := range []int{0, 2} {
		t.Run(fmt.Sprintf("%d warm", warm), func(t *testing.T) {
			l := newLab(t, func(c *Config) { c.Warm = warm })
			free := l.config.Ranges.Free()
			l.output(t, shell("echo 1"))
			l.settled(t, free, warm)
			first := l.servers()
			if err := unix.Kill(first[0], unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			for range warm + 3 {
				l.output(t, shell("echo 2"))
			}
			l.settled(t, free, warm)
			if now := l.servers(); len(now) != 1 || now[0] == first[0] {
				t.Errorf("servers %v, before %v", now, first)
			}
		})
	}
}

// Many at once find the server gone: one new server serves all.
func TestServerKilledAmidJobs(t *testing.T) {
	l := newLab(t)
	free := l.config.Ranges.Free()
	l.output(t, shell("echo 1"))
	first := l.servers()
	if err := unix.Kill(first[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	l.mixed(t, 20)
	l.settled(t, free, 0) // a result does not wait for the end of its cell's init
	if now := l.servers(); len(now) != 1 || now[0] == first[0] {
		t.Errorf("servers %v, before %v", now, first)
	}
	if all := testkit.Descendants(t, os.Getpid()); len(all) != 2 {
		t.Errorf("processes: %v", all)
	}
}

// A warm cell that died while it waited is not given to a job.
func TestWarmCellKilled(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 1 })
	free := l.config.Ranges.Free()
	l.output(t, shell("echo 1"))
	l.settled(t, free, 1)
	for _, k := range l.pool.kinds {
		w := <-k.cells
		if err := unix.Kill(w.cell.Pid(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-w.cell.Dead()
		k.cells <- w
	}
	l.output(t, shell("echo 2"))
	l.settled(t, free, 1)
}

// A job that names its own root makes a fork server; there are never more than
// maxKinds, and no job suffers when one makes room for another.
func TestManyRoots(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 1 })
	free := l.config.Ranges.Free()
	root := staticRoot(t)
	var all sync.WaitGroup
	jobs := make(chan *Job, 3*maxKinds)
	for i := range 3 * maxKinds {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("layer", i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		jobs <- &Job{ID: fmt.Sprint(i), Policy: "dev", Command: []string{"/hello"}, RootDirs: []string{dir, root},
			Limits: policy.LimitRequest{MemoryBytes: ptr[int64](64 << 20)}}
	}
	close(jobs)
	for range 4 {
		all.Go(func() {
			for j := range jobs {
				if r, err := l.Run(context.Background(), j); err != nil || r.Verdict != OK {
					t.Errorf("%v: %+v, %v", j.RootDirs, r, err)
				}
			}
		})
	}
	all.Wait()
	if n := len(l.servers()); n != maxKinds {
		t.Errorf("%d fork servers, want %d", n, maxKinds)
	}
	eventually(t, "only the warm cells of the kinds that are left", func() bool {
		return l.config.Ranges.Free() == free-maxKinds
	})
	eventually(t, "only the servers and cells that are left", func() bool {
		return len(testkit.Descendants(t, os.Getpid())) == 1+2*maxKinds
	})
	l.Close()
	if now := l.config.Ranges.Free(); now != free {
		t.Errorf("%d id ranges free, %d before", now, free)
	}
}

// Prepare proves that jobs can run and leaves warm cells.
func TestPrepare(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 2 })
	free := l.config.Ranges.Free()
	if err := l.Prepare("default"); err != nil {
		t.Fatal(err)
	}
	l.settled(t, free, 2)
	if err := l.Prepare("nothing"); err == nil {
		t.Error("a policy that does not exist is prepared")
	}
}
