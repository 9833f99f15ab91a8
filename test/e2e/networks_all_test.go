package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// networkJobs is how many jobs come while everything goes wrong.
func networkJobs() int {
	if n, err := strconv.Atoi(os.Getenv("CORDON_TEST_NETWORK_JOBS")); err == nil {
		return n
	}
	return 300
}

// trouble is what happens one after the other while jobs come and run: of many jobs three
// times, of few once, and without the last two, which testLoss has as well.
func (c *cluster) trouble(t *testing.T, jobs int) []func() {
	front, left, right := c.front.machine, c.left.machine, c.right.machine
	fenced := func(n *node, break_ func()) func() {
		return func() {
			const over, back = "longer than the lease: no job is begun", "the queue is reached again"
			log := n.log()
			break_()
			n.says(t, over, strings.Count(log, over))
			c.network.Heal()
			n.says(t, back, strings.Count(log, back))
		}
	}
	all := []func(){
		func() { c.network.Both(front, right, far); time.Sleep(fleetLease / 4); c.network.Heal() },
		fenced(c.left, func() { c.network.Both(front, left, testkit.Cut) }),
		func() { c.right.kill(t); c.right.start(t) },
		func() { c.front.kill(t); c.front.start(t) },
		fenced(c.right, func() { c.network.Disturb(right, front, testkit.Cut) }),
		fenced(c.left, func() { c.network.Disturb(front, left, testkit.Cut) }),
	}
	if jobs < 1000 {
		return all[:4]
	}
	return slices.Repeat(all, 3)
}

// troubled is job number i of many: every second one may be run again, and every tenth runs for
// a while, so that there are some that trouble ends.
func troubled(i int) object {
	script := fmt.Sprint("echo ", i)
	if i%10 < 2 {
		script = "sleep 0.3; " + script
	}
	return object{"command": shell(script), "retry_safe": i%2 == 0}
}

// testFaults: as many results come as jobs were taken, whatever happens meanwhile, and
// nothing is begun again that may not be.
func (c *cluster) testFaults(t *testing.T) {
	n := networkJobs()
	ids := make([]string, n)
	next := make(chan int)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for i := range next {
				for ids[i] = ""; ids[i] == ""; {
					if ids[i] = c.front.tryJob(fmt.Sprint("troubled-", i), troubled(i)); ids[i] == "" {
						time.Sleep(20 * time.Millisecond) // it is being started, or its queue is full
					}
				}
			}
		})
	}
	began := time.Now()
	all := c.trouble(t, n)
	for i := range n {
		next <- i
		if every := n / (len(all) + 1); (i+1)%every == 0 && (i+1)/every <= len(all) {
			all[(i+1)/every-1]()
		}
	}
	close(next)
	senders.Wait()
	c.total += n
	attempts, ends := c.settled(t, ids)
	took := time.Since(began)
	c.counted(t, ids, attempts)
	c.atRest(t)
	t.Logf("%d jobs, trouble %d times: %s in %v", n, len(all), ends, took.Round(time.Millisecond))
}

// settled waits for every job's end, and holds it against what it was to print.
func (c *cluster) settled(t *testing.T, ids []string) (attempts map[string]int, ends string) {
	t.Helper()
	attempts = map[string]int{}
	states, times := map[string]int{}, map[int]int{}
	for i, id := range ids {
		var j *queuedJob
		waitFor(t, "job "+id+" ends", func() bool { j = c.front.job(t, id); return j.final() })
		switch {
		case attempts[id] > 0:
			t.Errorf("job %d is another one, too: %s", i, id)
		case j.State == "done" && j.Result.Stdout == fmt.Sprintln(i):
		case j.State == "interrupted": // also one that may be run again, when that happened three times
			if i%2 == 0 && j.Attempts < 3 {
				t.Errorf("job %d was to be run again: %+v", i, j)
			}
		default:
			t.Errorf("job %d, %s: %+v %+v", i, id, j, j.Result)
		}
		if i%2 == 1 && j.Attempts != 1 {
			t.Errorf("job %d was begun %d times", i, j.Attempts)
		}
		attempts[id] = j.Attempts
		states[j.State]++
		times[j.Attempts]++
	}
	return attempts, fmt.Sprintf("%d results, %v, by attempts %v", len(attempts), states, times)
}

// counted holds what the services' audit logs say of starts against what may be, and how many
// jobs the queue has against how many were taken.
func (c *cluster) counted(t *testing.T, ids []string, attempts map[string]int) {
	t.Helper()
	left, right := c.left.begun(t), c.right.begun(t)
	at := [2]int{}
	for i, id := range ids {
		times := left[id] + right[id]
		at[0] += left[id]
		at[1] += right[id]
		if times > attempts[id] { // those that may not be run again have one
			t.Errorf("job %d, %s, was started %d times, and its record tells of %d", i, id, times, attempts[id])
		}
	}
	if at[0] == 0 || at[1] == 0 {
		t.Errorf("%d starts at one, %d at the other: the logs have not what is to be counted", at[0], at[1])
	}
	t.Logf("starts: %d at the left one, %d at the right one", at[0], at[1])
	_, _, text := c.front.send(t, http.MethodGet, "/metrics", c.front.token, nil)
	sum := 0
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "cordon_queue_jobs{"); ok {
			_, value, _ := strings.Cut(strings.TrimSpace(number), " ")
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			sum += n
		}
	}
	if sum != c.total {
		t.Errorf("the queue has %d jobs, %d were taken", sum, c.total)
	}
}
