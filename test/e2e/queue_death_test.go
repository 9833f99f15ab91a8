package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// accepted is a job that was acknowledged.
type accepted struct {
	id        string
	retrySafe bool
}

// TestQueueSurvivesDeath kills the service with jobs in every state, again and again, also
// while more come in. Whatever was acknowledged is there afterwards, and ends: those that
// ran are interrupted, or were begun again where that is allowed; nothing else runs twice.
func TestQueueSurvivesDeath(t *testing.T) {
	rounds, _, _ := deathSize(t)
	rounds = min(rounds, 8)
	state := t.TempDir()
	flags := []string{"--languages", "sh", "--parallel", "4", "--queue-parallel", "3"}
	d := testkit.StartDaemonIn(t, state, flags...)
	var all []accepted
	ended := map[string]string{} // final states that were seen, by job
	logs := ""                   // of every start: what they tell of runs is not the queue's word
	for round := range rounds {
		s := newService(d.URL, d.Token)
		var mu sync.Mutex
		var senders sync.WaitGroup
		for sender := range 4 {
			senders.Go(func() {
				for i := 0; ; i++ {
					time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
					job := accepted{retrySafe: (i+sender)%2 == 0}
					var ok bool
					if job.id, ok = s.trySubmit(job.retrySafe, i); !ok {
						return
					}
					mu.Lock()
					all = append(all, job)
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		traces := d.Traces(t)
		d.Kill(t, traces.Processes()[2*(round%2)].Pid)
		senders.Wait()
		logs += d.Log()
		s.client.CloseIdleConnections()
		untilGone(t, traces, time.Now(), time.Minute)
		d = testkit.StartDaemonIn(t, state, flags...)
		s = newService(d.URL, d.Token)
		cut := 0
		for _, job := range all {
			j := s.job(t, job.id)
			if before := ended[job.id]; before != "" && before != j.State {
				t.Errorf("%s was %s and is %s", job.id, before, j.State)
			}
			switch {
			case j.State == "interrupted":
				cut++
				if job.retrySafe && j.Attempts < 3 || j.Attempts == 0 {
					t.Errorf("interrupted: %+v", j)
				}
			case j.Attempts > 1 && !job.retrySafe:
				t.Errorf("begun again: %+v", j)
			}
			if j.final() {
				ended[job.id] = j.State
			}
		}
		t.Logf("round %d: %d jobs acknowledged so far, %d ended, %d of them interrupted", round+1, len(all), len(ended), cut)
	}
	s := newService(d.URL, d.Token)
	again := 0
	defer func() { t.Logf("%d jobs acknowledged, all ended, %d after more than one attempt", len(all), again) }()
	for _, job := range all {
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			j := s.job(t, job.id)
			if j.final() {
				if j.State == "done" && (j.Result.Verdict != "ok" || j.Result.Stdout != "ran\n") || j.State != "done" && j.State != "interrupted" {
					t.Errorf("%+v %v", j, j.Result)
				}
				if j.Attempts > 1 {
					again++
				}
				if n := strings.Count(logs+d.Log(), "msg=job id="+j.ID); n > j.Attempts || j.State == "done" && n == 0 {
					t.Errorf("%d runs in the logs of %+v", n, j)
				}
				break
			}
			if time.Since(began) > 2*time.Minute {
				t.Fatalf("%s is %s still", job.id, j.State)
			}
		}
	}
	if len(all) < rounds || again == 0 && !t.Failed() {
		t.Errorf("%d jobs, %d were begun again: this test has seen too little", len(all), again)
	}
}

// trySubmit is for a service that may die: only what it has acknowledged counts.
func (s *service) trySubmit(retrySafe bool, i int) (id string, ok bool) {
	body, err := json.Marshal(object{"command": shell("sleep 0.05; echo ran"), "retry_safe": retrySafe,
		"priority": []string{"high", "normal", "low"}[i%3]})
	if err != nil {
		return "", false
	}
	r, err := http.NewRequest(http.MethodPost, s.url+"/v1/jobs", bytes.NewReader(body))
	if err != nil {
		return "", false
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	var j queuedJob
	if answer.StatusCode != http.StatusAccepted || json.NewDecoder(answer.Body).Decode(&j) != nil {
		return "", false
	}
	return j.ID, true
}

// TestQueueDrains: after SIGTERM no job is begun; those that run have their time, and what
// waits is there at the next start.
func TestQueueDrains(t *testing.T) {
	state := t.TempDir()
	flags := []string{"--languages", "sh", "--parallel", "2", "--drain"}
	d := testkit.StartDaemonIn(t, state, append(flags, "20s")...)
	s := newService(d.URL, d.Token)
	first, second := s.submit(t, object{"command": shell("sleep 1.5; echo end")}).ID, s.submit(t, object{"command": shell("sleep 1.5; echo end")}).ID
	waiting := s.submit(t, object{"command": []string{"echo", "later"}}).ID
	s.await(t, first, "running")
	s.await(t, second, "running")
	d.Signal(t, 15)
	d.Wait(t)

	d = testkit.StartDaemonIn(t, state, append(flags, "100ms")...)
	s = newService(d.URL, d.Token)
	for _, id := range []string{first, second} {
		if r := s.await(t, id, "done").Result; r.Verdict != "ok" || r.Stdout != "end\n" {
			t.Errorf("%s", r.step)
		}
	}
	if r := s.await(t, waiting, "done").Result; r.Stdout != "later\n" {
		t.Errorf("%s", r.step)
	}
	long := shell("echo begun; sleep 100")
	once, again := s.submit(t, object{"command": long}).ID, s.submit(t, object{"command": long, "retry_safe": true}).ID
	s.await(t, once, "running")
	s.await(t, again, "running")
	time.Sleep(200 * time.Millisecond)
	d.Signal(t, 15)
	d.Wait(t)

	d = testkit.StartDaemonIn(t, state, append(flags, "100ms")...)
	s = newService(d.URL, d.Token)
	cut := s.await(t, once, "interrupted")
	cut.Result.want(t, "interrupted")
	if cut.Result.Stdout != "begun\n" {
		t.Errorf("%s", cut.Result.step)
	}
	if j := s.await(t, again, "running"); j.Attempts != 2 {
		t.Errorf("%+v", j)
	}
	if status, _, answer := s.send(t, http.MethodDelete, "/v1/jobs/"+again, s.token, nil); status != http.StatusOK {
		t.Errorf("%d: %s", status, answer)
	}
}

// TestSecondServiceOnTheQueue: two never have the same queue.
func TestSecondServiceOnTheQueue(t *testing.T) {
	d := testkit.StartDaemon(t, "--languages", "sh")
	out, err := testkit.Command(t, "serve", "--listen", "127.0.0.1:0", "--state", d.State, "--languages", "sh", "--go-cache", "off").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is in use by a running service") {
		t.Errorf("%v: %s", err, out)
	}
	s := newService(d.URL, d.Token)
	s.await(t, s.submit(t, object{"command": []string{"true"}}).ID, "done")
	if _, err := filepath.Glob(filepath.Join(d.State, "queue", "*")); err != nil {
		t.Error(fmt.Errorf("no journal: %w", err))
	}
}
