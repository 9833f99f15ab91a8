package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// fleet are two services that answer, one of which has the queue, and two that run jobs, each
// behind a link of its own.
type fleet struct {
	*service
	t      *testing.T // whose end is theirs
	api    *testkit.Daemon
	secret string
	at     string // where the queue is reached
	links  [2]*testkit.Link
	states [2]string
	worker [2]*testkit.Daemon
	logs   [2]string // of starts that have ended

	second     *testkit.Daemon // answers, too
	tenants    string          // the file that all have
	hookSecret string
	hooked     string // key of a tenant
	mail       *mailbox
	told       map[string]string // what has come of whose end, by job
}

var queueAddress = regexp.MustCompile(`queue_listen=(\S+)`)

// freePort is one that nobody has now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, secret: filepath.Join(t.TempDir(), "secret"), at: freePort(t)}
	if err := os.WriteFile(f.secret, []byte("what the services know\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.shareTenants(t)
	f.startAPI(t, t.TempDir())
	f.startSecond(t, t.TempDir())
	for i := range f.worker {
		f.links[i], f.states[i] = testkit.NewLink(t, f.at), t.TempDir()
		f.startWorker(t, i)
	}
	return f
}

// fleetLease is short, so that the test is.
var fleetLease = map[bool]time.Duration{true: 10 * time.Second, false: 2 * time.Second}[os.Getenv("CORDON_TEST_SLOW") != ""]

func (f *fleet) startAPI(t *testing.T, state string) {
	t.Helper()
	f.api = testkit.StartDaemonIn(f.t, state, append(f.answering(), "--queue-listen", f.at)...)
	f.service = newService(f.api.URL, f.api.Token)
	if m := queueAddress.FindStringSubmatch(f.api.Log()); m == nil || m[1] != f.at {
		t.Fatalf("the queue is not at %s: %s", f.at, f.api.Log())
	}
}

func (f *fleet) startWorker(t *testing.T, i int) {
	t.Helper()
	if d := f.worker[i]; d != nil {
		f.logs[i] += d.Log()
	}
	f.worker[i] = testkit.StartDaemonIn(f.t, f.states[i], "--role", "worker", "--queue-url", "nats://"+f.links[i].Address(), "--queue-secret", f.secret,
		"--queue-lease", fleetLease.String(), "--languages", "sh", "--parallel", "2", "--drain", "20s", "--tenants", f.tenants)
}

// log is all that a worker has said.
func (f *fleet) log(i int) string { return f.logs[i] + f.worker[i].Log() }

// longJob is what runs until it is ended; nothing else here has its command line.
var longJob = object{"command": []string{"sleep", "1000.5"}, "retry_safe": true, "limits": object{"wall_ms": 30_000}}

// running are the processes of long jobs below a worker.
func (f *fleet) running(t *testing.T, i int) (pids []int) {
	t.Helper()
	for _, p := range testkit.Descendants(t, f.worker[i].Pid) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid))
		if err == nil && string(line) == "sleep\x001000.5\x00" {
			pids = append(pids, p.Pid)
		}
	}
	return pids
}

// runsAt is the worker that runs a long job.
func (f *fleet) runsAt(t *testing.T, id string) (worker, pid int) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		for i := range f.worker {
			if pids := f.running(t, i); len(pids) == 1 {
				return i, pids[0]
			}
		}
	}
	t.Fatalf("nobody runs %s", id)
	return 0, 0
}

// again waits until a job runs for the second time.
func (f *fleet) again(t *testing.T, id string) time.Duration {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		j := f.job(t, id)
		if j.State == "running" && j.Attempts == 2 {
			return time.Since(began)
		}
		if j.final() || time.Since(began) > time.Minute {
			t.Fatalf("%s is %s after %d attempts", id, j.State, j.Attempts)
		}
	}
}

func (f *fleet) cancel(t *testing.T, id string) time.Duration {
	t.Helper()
	began := time.Now()
	if status, _, answer := f.send(t, http.MethodDelete, "/v1/jobs/"+id, f.token, nil); status != http.StatusOK || queuedOf(t, answer).State != "cancelled" {
		t.Errorf("%d: %s", status, answer)
	}
	return time.Since(began)
}

// TestFleet has services that answer and two that run jobs, and does to them what happens
// to machines.
func TestFleet(t *testing.T) {
	f := startFleet(t)
	t.Run("direct", f.testDirect)
	t.Run("files", f.testFiles)
	t.Run("tenants", f.testTenants)
	t.Run("killed", f.testKilled)
	t.Run("partition", f.testPartition)
	t.Run("slow", f.testSlow)
	t.Run("rolling restart", f.testRolling)
	f.mail.once(t, f.told)
}

func (f *fleet) testDirect(t *testing.T) {
	body, err := json.Marshal(object{"language": "sh", "source": "read a; echo got $a", "stdin": "this"})
	if err != nil {
		t.Fatal(err)
	}
	status, _, answer := f.send(t, http.MethodPost, "/v1/run", f.token, body)
	var r result
	if err := json.Unmarshal(answer, &r); err != nil || status != http.StatusOK || r.Verdict != "ok" || r.Stdout != "got this\n" {
		t.Errorf("%d: %v: %s", status, err, answer)
	}
	j := f.submit(t, object{"command": shell("echo begun; sleep 100")})
	f.await(t, j.ID, "running")
	t.Logf("a job elsewhere was cancelled within %v", f.cancel(t, j.ID))
}

func (f *fleet) testFiles(t *testing.T) {
	content := strings.Repeat("a file that is larger than a message\n", 40_000)
	sum := sumOf(content)
	if status, _, answer := f.send(t, http.MethodPut, "/v1/files/"+sum, f.token, []byte(content)); status != http.StatusCreated {
		t.Fatalf("%d: %s", status, answer)
	}
	j := f.submit(t, object{"command": shell("wc -c < in; tail -c 8 in > out"), "files": []object{{"path": "in", "sha256": sum}}, "outputs": []string{"out"}, "keep_outputs": true})
	r := f.await(t, j.ID, "done").Result
	if strings.TrimSpace(r.Stdout) != strconv.Itoa(len(content)) || len(r.Files) != 1 || r.Files[0].SHA256 != sumOf("message\n") {
		t.Fatalf("%s %+v", r.step, r.Files)
	}
	if status, _, answer := f.send(t, http.MethodGet, "/v1/files/"+r.Files[0].SHA256, f.token, nil); status != http.StatusOK || string(answer) != "message\n" {
		t.Errorf("%d: %q", status, answer)
	}
}

// A worker is killed, and before it the service that took its job in: what may be run
// again is, at the other; and of its end is told once.
func (f *fleet) testKilled(t *testing.T) {
	again := f.longHooked(t, newService(f.second.URL, f.hooked))
	f.await(t, again.ID, "running")
	victim, _ := f.runsAt(t, again.ID)
	f.second.Kill(t, f.second.Pid)
	traces := f.worker[victim].Traces(t)
	f.worker[victim].Kill(t, traces.Processes()[0].Pid)
	t.Logf("begun again %v after the death of the worker, with a lease of %v", f.again(t, again.ID), fleetLease)
	if now, _ := f.runsAt(t, again.ID); now == victim {
		t.Error("it runs where it was")
	}
	f.cancel(t, again.ID)
	f.toldOnce(t, again.ID, "job.cancelled")
	f.startWorker(t, victim)
	f.startSecond(t, f.second.State)
}

// A worker that is cut off ends what it runs before another begins it.
func (f *fleet) testPartition(t *testing.T) {
	again := f.submit(t, longJob)
	f.await(t, again.ID, "running")
	victim, pid := f.runsAt(t, again.ID)
	f.links[victim].Cut()
	defer f.links[victim].Heal()
	cut := time.Now()
	ended := make(chan time.Duration, 1)
	go func() {
		for syscall.Kill(pid, 0) != syscall.ESRCH && time.Since(cut) < time.Minute {
			time.Sleep(5 * time.Millisecond)
		}
		ended <- time.Since(cut)
	}()
	f.again(t, again.ID)
	begun := time.Since(cut)
	if over := <-ended; over >= begun {
		t.Errorf("it ran twice at once: ended after %v, begun again after %v", over, begun)
	} else {
		t.Logf("cut off: the job ended after %v, and was begun elsewhere after %v", over, begun)
	}
	f.links[victim].Heal()
	f.cancel(t, again.ID)
	for began := time.Now(); !strings.Contains(f.worker[victim].Log(), "the queue is reached again"); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the worker does not come back")
		}
	}
	if j := f.job(t, again.ID); j.Attempts != 2 {
		t.Errorf("%+v", j)
	}
}

func (f *fleet) testSlow(t *testing.T) {
	for _, link := range f.links {
		link.Slow(40 * time.Millisecond)
	}
	defer func() {
		for _, link := range f.links {
			link.Slow(0)
		}
	}()
	for range 10 {
		if r := f.await(t, f.submit(t, object{"command": []string{"echo", "slow"}}).ID, "done"); r.Result.Stdout != "slow\n" || r.Attempts != 1 {
			t.Errorf("%+v %s", r, r.Result.step)
		}
	}
	j := f.submit(t, object{"command": shell("echo begun; sleep 100")})
	f.await(t, j.ID, "running")
	t.Logf("with 40 ms on the way, a job was cancelled within %v", f.cancel(t, j.ID))
}

// fleetJobs is how many jobs come during the restarts; CORDON_TEST_FLEET_JOBS=10000 for
// the whole.
func fleetJobs() int {
	if n, err := strconv.Atoi(os.Getenv("CORDON_TEST_FLEET_JOBS")); err == nil {
		return n
	}
	if os.Getenv("CORDON_TEST_SLOW") != "" {
		return 60
	}
	return 400
}

// Each service is ended and started anew while jobs come: as many results come as jobs,
// and nothing is begun twice.
func (f *fleet) testRolling(t *testing.T) {
	n := fleetJobs()
	ids := make([]string, n)
	next := make(chan int)
	var mu sync.Mutex // f.service, which changes when the api is started anew
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for i := range next {
				for ids[i] == "" {
					mu.Lock()
					s := f.service
					mu.Unlock()
					ids[i] = s.tryKeyed(i)
					if ids[i] == "" {
						time.Sleep(20 * time.Millisecond)
					}
				}
			}
		})
	}
	began := time.Now()
	for i := range n {
		next <- i
		switch i {
		case n / 4, n / 2:
			victim := i / (n / 4) % 2
			f.worker[victim].Signal(t, 15)
			f.worker[victim].Wait(t)
			f.startWorker(t, victim)
		case 3 * n / 4:
			f.api.Signal(t, 15)
			f.api.Wait(t)
			mu.Lock()
			f.startAPI(t, f.api.State)
			mu.Unlock()
		}
	}
	close(next)
	senders.Wait()
	seen := map[string]bool{}
	for i, id := range ids {
		j := f.await(t, id, "done")
		if want := fmt.Sprintf("%d\n", i); j.Result.Stdout != want || j.Attempts != 1 || seen[id] {
			t.Errorf("job %d, %s: %d attempts, %q", i, id, j.Attempts, j.Result.Stdout)
		}
		seen[id] = true
	}
	logs := f.log(0) + f.log(1)
	for id := range seen {
		if runs := strings.Count(logs, "msg=job id="+id); runs != 1 {
			t.Errorf("%s was run %d times", id, runs)
		}
	}
	for _, state := range []string{"queued", "running", "failed", "expired", "interrupted"} {
		// A service follows the others' records: what it counts comes to that soon.
		awaitThat(t, "there are no jobs that are "+state, func() bool {
			_, _, answer := f.send(t, http.MethodGet, "/metrics", f.token, nil)
			return bytes.Contains(answer, []byte(`cordon_queue_jobs{state="`+state+`"} 0`))
		})
	}
	t.Logf("%d jobs during the restart of each service: %d results, in %v", n, len(seen), time.Since(began).Round(time.Millisecond))
}

func sumOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// tryKeyed submits a job to a service that may be ending; "" where it was not taken.
func (s *service) tryKeyed(i int) string {
	return s.tryJob(fmt.Sprint("job-", i), object{"command": []string{"echo", strconv.Itoa(i)}})
}

// tryJob submits one under a key likewise.
func (s *service) tryJob(key string, job object) string {
	body, err := json.Marshal(job)
	if err != nil {
		return ""
	}
	r, err := http.NewRequest(http.MethodPost, s.url+"/v1/jobs", bytes.NewReader(body))
	if err != nil {
		return ""
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	answer, err := s.client.Do(r)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	var j queuedJob
	if answer.StatusCode != http.StatusAccepted || json.NewDecoder(answer.Body).Decode(&j) != nil {
		return ""
	}
	return j.ID
}
