package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// queuedJob is what the API tells of a job.
type queuedJob struct {
	ID       string  `json:"id"`
	State    string  `json:"state"`
	Attempts int     `json:"attempts"`
	Result   *result `json:"result"`
	Problem  *struct {
		Code, Path, Detail string
	} `json:"problem"`
}

func (j *queuedJob) final() bool { return j.State != "queued" && j.State != "running" }

// submit queues a job that must be taken.
func (s *service) submit(t *testing.T, job object) *queuedJob {
	t.Helper()
	body, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	status, header, answer := s.send(t, http.MethodPost, "/v1/jobs", s.token, body)
	j := queuedOf(t, answer)
	if status != http.StatusAccepted || j.State != "queued" && j.State != "running" && !j.final() || header.Get("Location") != "/v1/jobs/"+j.ID {
		t.Fatalf("status %d, Location %q: %s", status, header.Get("Location"), answer)
	}
	return j
}

func queuedOf(t *testing.T, answer []byte) *queuedJob {
	t.Helper()
	var j queuedJob
	if err := json.Unmarshal(answer, &j); err != nil {
		t.Fatalf("%v in %s", err, clip(string(answer)))
	}
	return &j
}

func (s *service) job(t *testing.T, id string) *queuedJob {
	t.Helper()
	status, _, answer := s.send(t, http.MethodGet, "/v1/jobs/"+id, s.token, nil)
	if status != http.StatusOK {
		t.Fatalf("job %s: status %d: %s", id, status, answer)
	}
	return queuedOf(t, answer)
}

// await waits for the end of a job, or for a state; two minutes are a hang.
func (s *service) await(t *testing.T, id, state string) *queuedJob {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		j := s.job(t, id)
		if j.State == state {
			return j
		}
		if j.final() || time.Since(began) > 2*time.Minute {
			t.Fatalf("job %s is %s, want %s: %+v %v", id, j.State, state, j.Problem, j.Result)
		}
	}
}

func TestQueuedJob(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	done := s.await(t, s.submit(t, object{"command": shell("cat; echo err >&2"), "stdin": "in"}).ID, "done")
	done.Result.want(t, "ok")
	if r := done.Result; r.Stdout != "in" || r.Stderr != "err\n" || r.ID != done.ID || done.Attempts != 1 {
		t.Errorf("%+v: %s", done, r.step)
	}
	s.await(t, s.submit(t, object{"command": shell("exit 3")}).ID, "done").Result.want(t, "nonzero")
	s.await(t, s.submit(t, object{"command": []string{"./nothing"}}).ID, "done").Result.want(t, "exec_failed")
	suite := s.submit(t, object{"command": []string{"cat"}, "tests": []object{{"stdin": "a", "expect": "a"}, {"stdin": "a", "expect": "b"}}})
	s.await(t, suite.ID, "done").Result.want(t, "wrong_answer")
}

// A DELETE ends what a job has started, whatever that does against it.
func TestCancelQueuedJobs(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh", "--parallel", fmt.Sprint(len(restless)))
	s := newService(d.URL, d.Token)
	var running []string
	for _, job := range restless {
		running = append(running, s.submit(t, job).ID)
	}
	for _, id := range running {
		s.await(t, id, "running")
	}
	waiting := s.submit(t, object{"command": []string{"true"}}).ID
	slices.Reverse(running)
	var took []time.Duration
	for _, id := range append([]string{waiting}, running...) {
		for range 2 {
			began := time.Now()
			status, _, answer := s.send(t, http.MethodDelete, "/v1/jobs/"+id, s.token, nil)
			took = append(took, time.Since(began))
			j := queuedOf(t, answer)
			if status != http.StatusOK || j.State != "cancelled" {
				t.Fatalf("%d: %s", status, answer)
			}
			if id != waiting {
				j.Result.want(t, "cancelled")
			} else if j.Attempts != 0 || j.Result != nil {
				t.Errorf("the one that waited: %+v", j)
			}
		}
	}
	t.Logf("answers took %v", took)
	s.await(t, s.submit(t, object{"command": []string{"true"}}).ID, "done")
}

// events asks for a job's events behind one of them.
func (s *service) events(t *testing.T, id, after string) (all []string, ids []string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Last-Event-ID", after)
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", answer.StatusCode)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			ids = append(ids, value)
		case "event":
			name = value
		case "data":
			all = append(all, name+" "+value)
		}
	}
	return all, ids
}

func TestEventsOfAJob(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	id := s.submit(t, object{"command": shell("echo one; sleep 2.5; echo two; echo err >&2")}).ID
	all, ids := s.events(t, id, "")
	seen := func(part string) int {
		return slices.IndexFunc(all, func(e string) bool { return strings.Contains(e, part) })
	}
	one, two, end := seen(`"offset":0,"text":"one\n"}`), seen(`"offset":4,"text":"two\n"}`), seen("result ")
	// Another use of the job may have been told before the first output.
	slept := one >= 0 && two > one && slices.ContainsFunc(all[one:two], func(e string) bool { return strings.HasPrefix(e, "usage ") })
	if !slept || end != len(all)-1 || seen("stderr ") < one {
		t.Fatalf("%d %d %d: %s", one, two, end, strings.Join(all, "\n"))
	}
	for i := range ids[:len(ids)-1] { // behind each of them comes the rest
		rest, _ := s.events(t, id, ids[i])
		if !strings.HasPrefix(rest[len(rest)-1], "result ") {
			t.Errorf("behind %s:\n%s", ids[i], strings.Join(rest, "\n"))
		}
		for stream, whole := range map[string]string{"stdout": "one\ntwo\n", "stderr": "err\n"} {
			if before, after := printed(t, all[:i+1], stream), printed(t, rest, stream); before+after != whole {
				t.Errorf("behind %s, %s: %q and %q", ids[i], stream, before, after)
			}
		}
	}
}

// printed is what events tell of a stream.
func printed(t *testing.T, events []string, stream string) (out string) {
	t.Helper()
	for _, e := range events {
		if data, ok := strings.CutPrefix(e, stream+" "); ok {
			var chunk struct{ Text string }
			if err := json.Unmarshal([]byte(data), &chunk); err != nil {
				t.Fatal(err)
			}
			out += chunk.Text
		}
	}
	return out
}

// What is queued has a share of the places, and so have direct requests.
func TestQueueAndDirectRequests(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh", "--parallel", "1")
	s := newService(d.URL, d.Token)
	var last string
	for range 20 {
		last = s.submit(t, object{"command": []string{"sleep", "0.1"}}).ID
	}
	s.run(t, object{"command": []string{"true"}}).want(t, "ok")
	if j := s.job(t, last); j.State != "queued" {
		t.Errorf("the direct job ran behind all that were queued: the last of them is %s", j.State)
	}
	s.await(t, last, "done")
}
