package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// submitted is a job that was taken.
func (c *cluster) submitted(t *testing.T, job object) (id string) {
	t.Helper()
	c.total++
	return c.front.submit(t, job).ID
}

// blocker is a job that runs until it is ended, with a command line of its own.
type blocker struct {
	id, line string
}

// block submits one.
func (c *cluster) block(t *testing.T, retrySafe bool) *blocker {
	t.Helper()
	c.blockers++
	seconds := fmt.Sprintf("1000.%04d", c.blockers)
	id := c.submitted(t, object{"command": []string{"sleep", seconds}, "retry_safe": retrySafe, "limits": object{"wall_ms": 300_000}})
	return &blocker{id, "sleep\x00" + seconds + "\x00"}
}

// at is where it runs.
func (c *cluster) at(t *testing.T, b *blocker) *node {
	t.Helper()
	var found *node
	waitFor(t, "somebody runs "+b.id, func() bool {
		for _, n := range []*node{c.left, c.right} {
			if len(n.runs(t, b.line)) == 1 {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// fill has every place be taken: as many jobs run as there are places, so each is free
// before. What runs where is what it gives.
func (c *cluster) fill(t *testing.T) map[*node][]*blocker {
	t.Helper()
	all := make([]*blocker, 2*nodeParallel)
	for i := range all {
		all[i] = c.block(t, true)
	}
	out := map[*node][]*blocker{}
	for _, b := range all {
		n := c.at(t, b)
		out[n] = append(out[n], b)
	}
	if len(out[c.left]) != nodeParallel || len(out[c.right]) != nodeParallel {
		t.Fatalf("%d run at one and %d at the other, %d places each", len(out[c.left]), len(out[c.right]), nodeParallel)
	}
	return out
}

// cancel ends jobs, which may have been begun again meanwhile.
func (c *cluster) cancel(t *testing.T, all ...*blocker) {
	t.Helper()
	for _, b := range all {
		if status, _, answer := c.front.send(t, http.MethodDelete, "/v1/jobs/"+b.id, c.front.token, nil); status != http.StatusOK {
			t.Fatalf("%d: %s", status, answer)
		}
		c.front.await(t, b.id, "cancelled")
	}
}

// loss is what makes one of two services unable to go on.
type loss struct {
	victim, other *node
	strike        func()
	killed        bool // it is; else the network heals afterwards
	late          bool // what the victim says cannot arrive: it comes too late
}

// testLoss: jobs run at a service that is lost. What may run again does so elsewhere, when it
// does not run there any more; the rest is interrupted, once and for all, whatever its
// service says later.
func (c *cluster) testLoss(t *testing.T, l loss) {
	places := c.fill(t)
	c.cancel(t, places[l.victim]...)
	safe, unsafe := c.block(t, true), c.block(t, false)
	brief := c.submitted(t, object{"command": shell("sleep 1; echo late")}) // ends while its service cannot tell
	for _, b := range []*blocker{safe, unsafe} {
		if c.at(t, b) != l.victim {
			t.Fatal("there was no place elsewhere, and yet")
		}
	}
	c.front.await(t, brief, "running")
	pid, log := l.victim.runs(t, safe.line)[0], l.victim.log()
	_, lost := l.victim.machine.Counts()
	_, more := c.front.machine.Counts()
	l.strike()
	struck := time.Now()
	c.cancel(t, places[l.other][0]) // a place for what may run again
	over, began := l.moves(t, safe, pid, struck)
	c.front.await(t, unsafe.id, "interrupted")
	ended := c.front.job(t, brief)
	for ; !ended.final(); ended = c.front.job(t, brief) {
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("ended after %v, begun elsewhere after %v; the short one was %s", over.Round(time.Millisecond), began.Round(time.Millisecond), ended.State)
	if _, now := l.victim.machine.Counts(); !l.killed {
		if _, both := c.front.machine.Counts(); now == lost && both == more {
			t.Error("nothing was lost on the way: the network was whole")
		}
	}
	c.recover(t, &l, log, safe, unsafe, brief)
	if j := c.front.job(t, brief); j.State != ended.State || j.Attempts != 1 || ended.State != "interrupted" && ended.State != "done" {
		t.Errorf("it was %s, and is %s after %d attempts", ended.State, j.State, j.Attempts)
	}
	if j := c.front.job(t, unsafe.id); j.State != "interrupted" || j.Attempts != 1 {
		t.Errorf("%+v", j)
	}
	if j := c.front.job(t, safe.id); j.State != "running" || j.Attempts != 2 {
		t.Errorf("%+v", j)
	}
	c.cancel(t, append(places[l.other][1:], safe)...)
	c.atRest(t)
}

// moves waits until a job runs at the other service: when it had ended at the first, and
// when it was seen to begin.
func (l *loss) moves(t *testing.T, b *blocker, pid int, struck time.Time) (over, began time.Duration) {
	t.Helper()
	for ; began == 0; time.Sleep(2 * time.Millisecond) {
		if over == 0 && !lives(pid) {
			over = time.Since(struck)
		}
		if len(l.other.runs(t, b.line)) > 0 {
			began = time.Since(struck)
		}
		if time.Since(struck) > 2*time.Minute {
			t.Fatalf("%s is not begun again", b.id)
		}
	}
	if lives(pid) {
		t.Errorf("begun again after %v, while it still ran", began)
	}
	return over, began
}

// recover has the victim come back, and waits until it has said what it had to say.
func (c *cluster) recover(t *testing.T, l *loss, log string, safe, unsafe *blocker, brief string) {
	t.Helper()
	if l.killed {
		l.victim.start(t)
		return
	}
	const back, late = "the queue is reached again", "was not written down"
	l.victim.says(t, "longer than the lease: no job is begun", strings.Count(log, "longer than the lease: no job is begun"))
	c.network.Heal()
	l.victim.says(t, back, strings.Count(log, back))
	if !l.late {
		return
	}
	for _, id := range []string{safe.id, unsafe.id, brief} { // refused, each of them
		if c.front.job(t, id).State == "done" {
			continue // before the network broke
		}
		waitFor(t, "the late end of "+id+" is refused", func() bool {
			for line := range strings.Lines(l.victim.log()[len(log):]) {
				if strings.Contains(line, late) && strings.Contains(line, id) && strings.Contains(line, "settled by somebody else") {
					return true
				}
			}
			return false
		})
	}
}

// atRest: nothing waits, runs or holds a place, anywhere.
func (c *cluster) atRest(t *testing.T) {
	t.Helper()
	waitFor(t, "the queue is empty", func() bool {
		_, _, text := c.front.send(t, http.MethodGet, "/metrics", c.front.token, nil)
		return strings.Contains(string(text), `cordon_queue_jobs{state="queued"} 0`) && strings.Contains(string(text), `cordon_queue_jobs{state="running"} 0`)
	})
	for _, n := range []*node{c.left, c.right} {
		waitFor(t, "no job holds a place", func() bool { return n.metric(t, "cordon_jobs_running") == 0 && n.metric(t, "cordon_jobs_waiting") == 0 })
		for _, p := range n.daemon.Traces(t).Processes() {
			if strings.Contains(p.Arguments(), "sleep 1000.") {
				t.Errorf("a job's process is left: %s", p)
			}
		}
	}
}
