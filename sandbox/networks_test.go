package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cordon/policies"
	"cordon/seccomp"
)

const (
	whichNetwork = "readlink /proc/self/ns/net"
	// Bytes that the loopback has carried, and sockets of every sort that there are.
	traffic = "sed -n 's/ *lo: *\\([0-9]*\\).*/\\1/p' /proc/net/dev; sed -n 's/^TCP: inuse \\([0-9]*\\).*/\\1/p' /proc/net/sockstat"
	connect = `perl -MIO::Socket::INET -e '$l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die; ` +
		`$c = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $l->sockport) or die; print $c "x" x 1000'`
)

// networksKept waits until the last job's cell has been cleared away.
func (l *lab) networksKept(t *testing.T) int64 {
	t.Helper()
	l.pool.clearing.waitAll()
	return l.Stats().Networks
}

// A network namespace goes from job to job as long as nobody has asked for a
// socket, and not a step further.
func TestNetworksAreKeptUnused(t *testing.T) {
	l := newLab(t)
	first := l.output(t, shell(whichNetwork))
	if n := l.networksKept(t); n != 1 {
		t.Fatalf("%d kept behind a job without a socket, want 1", n)
	}
	if again := l.output(t, shell(whichNetwork)); again != first {
		t.Errorf("in %s, then in %s: an unused one is not used again", first, again)
	}
	for name, script := range map[string]string{
		"tcp":                    connect,
		"unix":                   "perl -e 'socket(S, 1, 1, 0) or die'",
		"socketpair":             "perl -e 'socketpair(A, B, 1, 1, 0) or die'",
		"in a child":             "(perl -e 'socket(S, 2, 2, 0) or die') & wait",
		"one that is denied too": "perl -e 'socket(S, 16, 3, 0) and die; socket(S, 2, 1, 0) or die'",
	} {
		t.Run(name, func(t *testing.T) {
			l.networksKept(t)
			before := l.output(t, shell(whichNetwork))
			l.networksKept(t)
			if used := l.output(t, shell(script+" && "+whichNetwork)); used != before {
				t.Fatalf("in %s, not in the unused %s: this test shows nothing", used, before)
			}
			if n := l.networksKept(t); n != 0 {
				t.Errorf("%d kept behind a job that has had a socket", n)
			}
			if seen := strings.Fields(l.output(t, shell(traffic))); len(seen) != 2 || seen[0] != "0" || seen[1] != "0" {
				t.Errorf("the next job sees %q of loopback bytes and TCP sockets", seen)
			}
		})
	}
	t.Run("denied alone", func(t *testing.T) {
		l.networksKept(t)
		l.output(t, shell("perl -e 'socket(S, 16, 3, 0) and die; exit 0'"))
		if n := l.networksKept(t); n != 1 {
			t.Errorf("%d kept behind a job whose only socket was denied, want 1", n)
		}
	})
}

// The control: a job does see what it has done to its own network.
func TestNetworkTrafficIsSeen(t *testing.T) {
	l := newLab(t)
	if seen := strings.Fields(l.output(t, shell(connect+" && "+traffic))); len(seen) != 2 || seen[0] == "0" {
		t.Errorf("%q: a job does not see its own traffic, so TestNetworksAreKeptUnused shows nothing", seen)
	}
}

// Jobs that run at once never share a network.
func TestNetworksAreApart(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 2; c.WarmMost = 4 })
	const jobs = 4
	for range 3 {
		seen, names := make(chan string, jobs), map[string]bool{}
		for range jobs {
			go func() { seen <- l.output(t, shell(whichNetwork+"; sleep 0.3")) }()
		}
		for range jobs {
			names[<-seen] = true
		}
		if len(names) != jobs {
			t.Errorf("%d networks for %d jobs at once", len(names), jobs)
		}
	}
}

// The pool learns how many cells are of use, and forgets it.
func TestDemand(t *testing.T) {
	surplus := 0
	d := newDemand(2, 16, func() { surplus++ })
	want := func(n int) {
		t.Helper()
		if got := d.wanted(); got != n {
			t.Errorf("%d wanted, want %d", got, n)
		}
	}
	want(2)
	for _, n := range []int{3, 4, 6, 9, 13, 16, 16} {
		d.missed()
		want(n)
	}
	d.reviewed() // in this time all were needed
	want(16)
	d.took(12)
	d.took(10)
	d.reviewed() // ten never were
	want(11)
	d.took(0)
	d.reviewed()
	want(11)
	for _, n := range []int{5, 2} { // nobody comes
		d.reviewed()
		want(n)
	}
	d.reviewed()
	if want(2); surplus != 3 {
		t.Errorf("told %d times of too many, want 3", surplus)
	}
	d.missed()
	d.stop()
	d.reviewed()
	want(3)
}

// A pool that has grown gives up what is of no use.
func TestPoolShrinks(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Warm = 1; c.WarmMost = 8 })
	l.mixed(t, 40)
	var k *kind
	for _, k = range l.pool.kinds {
		for range 4 {
			k.demand.missed()
		}
		l.pool.fill(k)
	}
	eventually(t, "more warm cells", func() bool { return l.Stats().WarmCells > 4 })
	for deadline := time.Now().Add(patience); k.demand.wanted() > 1 && time.Now().Before(deadline); {
		k.demand.reviewed()
	}
	eventually(t, "one warm cell", func() bool { return l.Stats().WarmCells == 1 && l.Stats().Clearing == 0 })
}

// Two policies that differ in nothing but a call that the daemon is told of do not
// share cells, whichever comes first.
func TestDeniedSocketpair(t *testing.T) {
	for _, first := range []bool{true, false} {
		dir := t.TempDir()
		text := "name: nopair\ndescription: For a test.\nextends: default\nseccomp:\n  deny:\n    - {syscalls: [socketpair], reason: test}\n"
		if err := os.WriteFile(filepath.Join(dir, "nopair.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := policies.Load(dir, policies.WithSyscalls(seccomp.Known))
		if err != nil {
			t.Fatal(err)
		}
		l := newLab(t, func(c *Config) { c.Policies = resolver{set} })
		for _, denied := range []bool{first, !first, first, !first} {
			job := shell(`perl -e 'print socketpair(A, B, 1, 1, 0) ? "made" : "$!"'`)
			want := "made"
			if denied {
				job.Policy, want = "nopair", "Operation not permitted"
			}
			if got := l.output(t, job); got != want {
				t.Errorf("under %s: %q, want %q", job.Policy, got, want)
			}
		}
	}
}
