package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// guest is a fourth machine with a kernel of its own (test/uml/run), and so with a date of
// its own: it is wrong by years, and jumps back and forth.
type guest struct {
	dir   string // what both sides see
	ended chan error
}

// firstInGuest is what its root does. A jump is told, so that the test can wait for some.
const firstInGuest = `ip addr add %[1]s/24 dev vec0 && ip link set vec0 up && ip neigh replace %[2]s lladdr %[3]s nud permanent dev vec0 || return 1
date -s '2031-05-06 07:08:09 UTC' > /dev/null
while sleep 1; do date -s '2012-03-04 05:06:07 UTC' > /dev/null; echo jumped back; sleep 1; date -s '2031-05-06 07:08:09 UTC' > /dev/null; echo jumped ahead; done &
`

// inGuest is its command: the service, until the test wants it to end.
const inGuest = `./cordon serve "$@" 2>&1 & while [ ! -e stop ]; do sleep .3; done; kill $!; wait $!`

// startGuest has it begin to start.
func (c *cluster) startGuest(t *testing.T) *guest {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "cordon-guest.") // /tmp is another one there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	first := fmt.Sprintf(firstInGuest, c.guest.Address(), c.front.machine.Address(), c.front.machine.Ethernet())
	for name, from := range map[string]string{"cordon": testkit.Binary(t), "secret": c.secret, "ca": c.ca, "first": ""} {
		text := []byte(first)
		if from != "" {
			if text, err = os.ReadFile(from); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cable := c.guest.Cable(t)
	defer cable.Close()
	r := exec.Command(filepath.Join(testkit.Root(t), "test", "uml", "run"), me.Username, "/bin/bash", "-c", inGuest, "cordon",
		"--role", "worker", "--listen", "127.0.0.1:0", "--state", "/tmp/state", "--go-cache", "off", "--languages", "bash", "--warm", "1", "--warm-most", "1",
		"--queue-url", "tls://"+c.address, "--queue-secret", "secret", "--queue-ca", "ca", "--queue-lease", fleetLease.String(), "--parallel", "2", "--overcommit", "memory=0.2", "--drain", "1s")
	r.Dir, r.Stdout, r.Stderr, r.ExtraFiles = dir, log, log, []*os.File{cable}
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.Env = append(os.Environ(), "CORDON_UML_MEMORY=512M", "CORDON_UML_FIRST="+filepath.Join(dir, "first"), "CORDON_UML_TIMEOUT=3600",
		"CORDON_UML_DEVICES=vec0:transport=fd,fd=3,mac="+c.guest.Ethernet().String())
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	g := &guest{dir: dir, ended: make(chan error, 1)}
	go func() { g.ended <- r.Wait() }()
	t.Cleanup(func() { g.stop(t, r.Process.Pid) })
	return g
}

// stop ends it as an operator would.
func (g *guest) stop(t *testing.T, group int) {
	for began := time.Now(); !strings.Contains(g.log(t), "msg=ready") && len(g.ended) == 0 && time.Since(began) < time.Minute; {
		time.Sleep(20 * time.Millisecond) // a start that is broken off has no good end
	}
	if err := os.WriteFile(filepath.Join(g.dir, "stop"), nil, 0o600); err != nil {
		t.Error(err)
	}
	select {
	case err := <-g.ended:
		if err != nil {
			t.Errorf("the service of the guest: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the guest does not end")
		_ = syscall.Kill(-group, syscall.SIGTERM) // upon which its kernel ends what it has
		<-g.ended
	}
	for _, word := range []string{"panic", "msg=leak"} {
		if strings.Contains(g.log(t), word) {
			t.Errorf("%q in the guest's log", word)
		}
	}
	if t.Failed() {
		t.Logf("log of the guest:\n%s", g.log(t))
	}
}

func (g *guest) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// inBash is a job for the guest, which alone has the language.
func inBash(script string, retrySafe bool) object {
	return object{"language": "bash", "source": script, "retry_safe": retrySafe, "limits": object{"memory_bytes": 32 << 20, "wall_ms": 300_000, "disk_bytes": 8 << 20}}
}

// test: a service whose date is wrong, and changes by years while it runs, runs jobs and has
// a lease like the others.
func (g *guest) test(t *testing.T, c *cluster) {
	waitFor(t, "the guest's service is ready", func() bool { return strings.Contains(g.log(t), "msg=ready") })
	const back, ahead = "jumped back", "jumped ahead"
	log := g.log(t)
	jumps := func(what string) int { return strings.Count(g.log(t), what) - strings.Count(log, what) }
	n := 0
	for ; n < 1000 && (jumps(back) < 1 || jumps(ahead) < 1); n++ {
		j := c.front.await(t, c.submitted(t, inBash("date +%Y", true)), "done") // should a slow host cost it a lease, it runs again
		if year := strings.TrimSpace(j.Result.Stdout); year != "2031" && year != "2012" {
			t.Errorf("in the year %q: %s", year, j.Result.step)
		}
		c.dated(t, j.ID)
	}
	t.Logf("%d jobs while the date changed %d times", n, jumps(back)+jumps(ahead))
	safe, unsafe := c.submitted(t, inBash("sleep 1000", true)), c.submitted(t, inBash("sleep 1000", false))
	before := c.front.await(t, safe, "running").Attempts
	c.front.await(t, unsafe, "running")
	log = g.log(t)
	c.network.Both(c.front.machine, c.guest, testkit.Cut)
	c.front.await(t, unsafe, "interrupted")
	c.front.await(t, safe, "queued")
	waitFor(t, "the guest has no lease", func() bool { return jumps("longer than the lease: no job is begun") > 0 })
	c.network.Heal()
	if j := c.front.await(t, safe, "running"); j.Attempts != before+1 {
		t.Errorf("begun %d times, %d before the network broke", j.Attempts, before)
	}
	c.cancel(t, &blocker{id: safe})
	if j := c.front.job(t, unsafe); j.State != "interrupted" || j.Attempts != 1 {
		t.Errorf("%+v", j)
	}
}

// dated: what a job's record says of times is of now, by the clock of the queue's server,
// which is that of the test.
func (c *cluster) dated(t *testing.T, id string) {
	t.Helper()
	_, _, text := c.front.send(t, http.MethodGet, "/v1/jobs/"+id, c.front.token, nil)
	var j struct {
		Created  time.Time `json:"created_at"`
		Started  time.Time `json:"started_at"`
		Finished time.Time `json:"finished_at"`
	}
	if err := json.Unmarshal(text, &j); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{j.Created, j.Started, j.Finished} {
		if time.Since(at).Abs() > time.Hour {
			t.Errorf("it is %v, and the record says %s", time.Now(), text)
			return
		}
	}
}
