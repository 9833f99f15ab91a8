package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// restless are jobs that do not end by themselves, each in its own way.
var restless = []object{
	{"command": []string{"sleep", "1000"}},
	{"command": shell("while :; do :; done"), "limits": object{"cpus": 0.5}},
	// Sessions of their own, every signal ignored that can be.
	{"command": shell(`trap "" HUP INT QUIT TERM USR1; for i in 1 2 3; do setsid sh -c 'setsid sleep 1000 & sleep 1000' & done; sleep 1000`)},
	// A tree that never stands still: processes are born while it is killed.
	{"command": shell(`while :; do (setsid sh -c 'sleep 0.3 & sleep 0.2' &); sleep 0.1; done`)},
	// Writers, to the pipes and into the scratch.
	{"command": shell("while :; do head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2; head -c 1000000 /dev/zero > f; done"),
		"limits": object{"output_bytes": 16 << 20, "cpus": 0.5}},
}

// endings are the ways in which the service is killed: which of its processes, in
// which order. RootlessKit's own are the first two.
var endings = []struct {
	name    string
	servers bool // the fork servers before
	victim  int  // in the order in which the processes start each other
}{
	{"the outer process", false, 0},
	{"the daemon", false, 2},
	{"the fork servers, then the outer process", true, 0},
	{"the fork servers, then the daemon", true, 2},
	{"the process between", false, 1},
}

// deathRounds, jobs at once, and the time within which nothing of a killed service
// may be left. An emulated kernel is too slow to say much about the last.
func deathSize(t *testing.T) (rounds, jobs int, limit time.Duration) {
	if os.Getenv(slowVar) != "" {
		t.Logf("%s is set: one round for each way of dying, 6 jobs in each instead of 50", slowVar)
		return len(endings), 6, time.Minute
	}
	return 20, 50, 2 * time.Second
}

// TestDeath kills the service again and again in the middle of its jobs. The kernel
// ends every job, whatever the jobs do; the next start removes what is left, and
// says so.
func TestDeath(t *testing.T) {
	rounds, jobs, limit := deathSize(t)
	t.Setenv("TMPDIR", t.TempDir()) // so that every mount point there is ours
	state := t.TempDir()
	flags := []string{"--languages", "sh", "--parallel", fmt.Sprint(jobs)}
	d := testkit.StartDaemonIn(t, state, flags...)
	if strings.Contains(d.Log(), sweptMessage) {
		t.Errorf("the first start tells of leftovers:\n%s", d.Log())
	}
	var took []time.Duration
	for i := range rounds {
		how := endings[i%len(endings)]
		s := newService(d.URL, d.Token)
		answers := crowd(t, d, s, jobs)
		traces := d.Traces(t)
		for began := time.Now(); traces.Jobs() < 3*jobs; traces = d.Traces(t) { // with inits: far into their trees
			if time.Since(began) > time.Minute {
				t.Fatalf("%d processes of %d jobs", traces.Jobs(), jobs)
			}
		}
		alive := traces.Left(t) // the same look at the living, or it would prove nothing
		for _, what := range []string{"process ", "group "} {
			if !slices.ContainsFunc(alive, func(l string) bool { return strings.HasPrefix(l, what) }) {
				t.Fatalf("no %sis seen while %d jobs run: %q", what, jobs, alive)
			}
		}
		began := time.Now()
		d.Kill(t, victims(t, traces.Processes(), how.servers, how.victim)...)
		took = append(took, untilGone(t, traces, began, limit))
		t.Logf("round %d, %s: nothing is left after %v", i+1, how.name, took[i].Round(time.Millisecond))
		if early := answers(); len(early) > 0 {
			t.Errorf("%s: answers from a dead service: %s", how.name, early[0])
		}
		d = restart(t, state, traces, flags)
		if t.Failed() {
			t.Fatalf("round %d: %s was killed", i+1, how.name)
		}
	}
	slices.Sort(took)
	t.Logf("%d rounds, %d jobs each: nothing is left after %v at the median, %v at most", rounds, jobs, took[len(took)/2].Round(time.Millisecond),
		took[len(took)-1].Round(time.Millisecond))
	if longest := took[len(took)-1]; longest > limit {
		t.Errorf("it took up to %v until nothing was left, allowed is %v", longest, limit)
	}
}

// crowd starts jobs of every kind and returns when all of them run. What it returns
// waits until all have lost their service, and gives the answers there were.
func crowd(t *testing.T, d *testkit.Daemon, s *service, jobs int) (answers func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var wait sync.WaitGroup
	got := make(chan string, jobs)
	for i := range jobs {
		job := object{"limits": object{}}
		for k, v := range restless[i%len(restless)] {
			job[k] = v
		}
		limits := object{"wall_ms": 120_000, "cpu_ms": 60_000}
		for k, v := range job["limits"].(object) {
			limits[k] = v
		}
		job["limits"] = limits
		body, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			if answer, ok := s.post(ctx, body); ok {
				got <- answer
			}
		})
	}
	for began := time.Now(); running(t, s) < float64(jobs); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute || len(got) > 0 {
			cancel()
			wait.Wait()
			close(got)
			t.Fatalf("not every job runs; first answer: %s\n%s", <-got, d.Log())
		}
	}
	return func() []string {
		wait.Wait()
		close(got)
		var out []string
		for a := range got {
			out = append(out, a)
		}
		s.client.CloseIdleConnections()
		return out
	}
}

// post sends a job to a service that may die: false then.
func (s *service) post(ctx context.Context, body []byte) (string, bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/run", bytes.NewReader(body))
	if err != nil {
		return err.Error(), true
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return clip(string(answer)), err == nil
}

// victims are the pids to be killed, in order.
func victims(t *testing.T, all []testkit.Process, servers bool, which int) []int {
	t.Helper()
	daemon := all[2].Pid
	var pids []int
	for _, p := range all {
		if servers && p.Parent == daemon {
			pids = append(pids, p.Pid)
		}
	}
	if servers && len(pids) == 0 {
		t.Fatalf("no fork server below %d in %v", daemon, all)
	}
	return append(pids, all[which].Pid)
}

// untilGone waits until there is no trace of the service.
func untilGone(t *testing.T, traces *testkit.Traces, began time.Time, limit time.Duration) time.Duration {
	t.Helper()
	for told := false; ; {
		left := traces.Left(t)
		took := time.Since(began)
		if len(left) == 0 {
			return took
		}
		if took > limit && !told {
			told = true
			t.Logf("left after %v: %d, such as %q", took.Round(time.Millisecond), len(left), left[:min(len(left), 5)])
		}
		if took > 2*time.Minute { // a hang
			t.Fatalf("left after %v: %d\n%s", took, len(left), strings.Join(left, "\n"))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

const sweptMessage = "removed what a killed service has left"

// restart starts the service again with the same state: it removes what is left of
// the last one, tells how much that was, and runs jobs.
func restart(t *testing.T, state string, dead *testkit.Traces, flags []string) *testkit.Daemon {
	t.Helper()
	groups, files, roots := dead.Leftovers(t), entries(t, filepath.Join(state, "run")), entries(t, os.TempDir())
	if groups == 0 || len(roots) == 0 {
		t.Errorf("%d groups, roots %q: a killed service leaves some", groups, roots)
	}
	d := testkit.StartDaemonIn(t, state, flags...)
	want := fmt.Sprintf("msg=%q groups=%d run_files=%d roots=%d\n", sweptMessage, groups, len(files), len(roots))
	if strings.Count(d.Log(), sweptMessage) != 1 || !strings.Contains(d.Log(), want) {
		t.Errorf("no single line %q in the log:\n%s", want, d.Log())
	}
	for _, path := range slices.Concat(files, roots) {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	newService(d.URL, d.Token).run(t, object{"command": []string{"true"}}).want(t, "ok")
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		empty := dead.Empty(t) // a moment each, while a cell is made or taken down
		if len(empty) == 0 {
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("groups are left: %v", empty)
		}
	}
	return d
}

// entries are the paths in a directory; none where there is no directory.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}
