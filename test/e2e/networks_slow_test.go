package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// far is a way that takes 40 to 60 ms, and loses a packet of fifty.
var far = testkit.Fault{Delay: 40 * time.Millisecond, Jitter: 20 * time.Millisecond, Lost: 0.02}

// counting is a job for the left one, which has the language, and what it prints.
func counting(lines int) (job object, printed string) {
	for i := range lines {
		printed += strings.Repeat("x", 200) + string(rune('a'+i%26)) + "\n"
	}
	return object{"language": "python", "stdin": printed, "source": "import sys, time\nfor line in sys.stdin:\n    print(line, end='', flush=True)\n    time.sleep(.03)\n"}, printed
}

// testSlow: over ways that are slow and lose packets everything takes longer, and nothing
// else changes.
func (c *cluster) testSlow(t *testing.T) {
	for _, n := range []*node{c.left, c.right} {
		c.network.Both(c.front.machine, n.machine, far)
	}
	defer c.network.Heal()
	var ids []string
	for language, source := range map[string]string{"python": "print(1)", "sh": "echo 1"} { // of the left one, and of the right one
		for range 3 {
			ids = append(ids, c.submitted(t, object{"language": language, "source": source}))
		}
	}
	for _, id := range ids {
		if j := c.front.await(t, id, "done"); j.Result.Stdout != "1\n" || j.Attempts != 1 {
			t.Errorf("%d attempts, %s", j.Attempts, j.Result.step)
		}
	}
	for _, by := range []*node{c.front, c.left} {
		b := c.block(t, false)
		at := c.at(t, b)
		began := time.Now()
		if status, _, answer := by.send(t, http.MethodDelete, "/v1/jobs/"+b.id, by.token, nil); status != http.StatusOK || queuedOf(t, answer).State != "cancelled" {
			t.Errorf("%d: %s", status, answer)
		}
		took := time.Since(began)
		t.Logf("asked at machine %d, a job at machine %d was cancelled within %v", by.machine.Number, at.machine.Number, took.Round(time.Millisecond))
		if took < 2*far.Delay {
			t.Error("the way to it and back was not slow")
		}
		waitFor(t, "its program ends", func() bool { return len(at.runs(t, b.line)) == 0 })
	}
	c.testReader(t)
	if _, lost := c.front.machine.Counts(); lost == 0 {
		t.Error("no packet was lost")
	}
	c.atRest(t)
}

// testReader: who follows a job goes on at another service again and again, and has every
// byte once.
func (c *cluster) testReader(t *testing.T) {
	job, want := counting(60)
	id := c.submitted(t, job)
	after, got, turns := "", "", 0
	for over := false; !over; turns++ {
		at := []*node{c.front, c.left}[turns%2]
		if turns == 2 { // the one that runs it is not heard for a moment
			c.network.Disturb(c.left.machine, c.front.machine, testkit.Cut)
			time.AfterFunc(fleetLease/4, func() { c.network.Disturb(c.left.machine, c.front.machine, far) })
		}
		var part string
		part, after, over = at.readSome(t, id, after, 4)
		got += part
		if turns > 1000 {
			t.Fatal("it does not end")
		}
	}
	if got != want {
		t.Errorf("%d bytes were read, %d are wanted, in %d turns", len(got), len(want), turns)
	}
	if j := c.front.await(t, id, "done"); j.Result.Stdout != want || j.Attempts != 1 {
		t.Errorf("%d attempts, %d bytes", j.Attempts, len(j.Result.Stdout))
	}
	t.Logf("%d bytes in %d turns, each at the other service", len(got), turns)
}

// testFrontKilled: the service with the queue is killed while a job runs elsewhere, and is
// started anew. If that takes no longer than a lease the job goes on; who reads along at
// another service misses nothing of what there was.
func (c *cluster) testFrontKilled(t *testing.T) {
	job, want := counting(60)
	id := c.submitted(t, job)
	got, after, over := c.left.readSome(t, id, "", 4)
	if over || got == want {
		t.Fatal("it has ended before anything could happen")
	}
	fenced := strings.Count(c.left.log(), "longer than the lease: no job is begun")
	c.front.kill(t)
	killed := time.Now()
	c.front.start(t)
	away := time.Since(killed)
	for turns := 0; !over; turns++ {
		var part string
		part, after, over = []*node{c.left, c.front}[turns%2].readSome(t, id, after, 4)
		got += part
		if turns > 1000 {
			t.Fatal("it does not end")
		}
	}
	j := c.front.job(t, id)
	switch {
	case j.State == "done" && j.Attempts == 1 && got == want && j.Result.Stdout == want:
	case j.State == "interrupted" && strings.Count(c.left.log(), "longer than the lease: no job is begun") > fenced && strings.HasPrefix(want, got):
	default:
		t.Errorf("%s after %d attempts, %d bytes were read of %d", j.State, j.Attempts, len(got), len(want))
	}
	t.Logf("the queue was away for %v; the job was %s, and %d of its %d bytes were read", away.Round(time.Millisecond), j.State, len(got), len(want))
	c.atRest(t)
}

// readSome follows a job's events behind one of them, for a number of them: what the
// program has printed by them, the last of them, and whether that was the end.
func (n *node) readSome(t *testing.T, id, after string, events int) (out, last string, over bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+"/v1/jobs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+n.token)
	r.Header.Set("Last-Event-ID", after)
	answer, err := n.client.Do(r)
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
	last = after
	for events > 0 && !over && lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			last = value
		case "event":
			name = value
		case "data":
			over = name == "result"
			if name == "stdout" {
				var chunk struct{ Text string }
				if err := json.Unmarshal([]byte(value), &chunk); err != nil {
					t.Fatal(err)
				}
				out += chunk.Text
			}
		case "": // the event is whole
			events--
		}
	}
	return out, last, over
}
