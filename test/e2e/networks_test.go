package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cordon/internal/processes"
	"cordon/internal/testkit"
)

// node is a service on a machine of its own.
type node struct {
	*service
	t       *testing.T // whose end is its
	machine *testkit.Machine
	daemon  *testkit.Daemon
	state   string
	args    []string
	logs    string // of starts that have ended
}

// cluster is three of them: front has the queue and answers, left answers and runs jobs,
// right only runs them. A guest can be added, which has its own kernel.
type cluster struct {
	network             *testkit.Network
	front, left, right  *node
	guest               *testkit.Machine
	secret, ca, address string
	blockers            int // that were submitted: each has its own number
	total               int // jobs that were taken
}

// nodeParallel is how many jobs each of the two runs at once.
const nodeParallel = 3

// TestNetworks has three services in network namespaces, joined by cables that can be cut,
// in one direction too, be slow and lossy; one of them has been on for a hundred days more
// by its clocks, and a fourth has another date altogether.
func TestNetworks(t *testing.T) {
	switch os.Getenv(testkit.NetworksVar) {
	case "":
		t.Skipf("%s is not set: go test -exec test/in-networks", testkit.NetworksVar)
	case "none":
		t.Run("as an ordinary user", func(t *testing.T) { t.Skip("only root can start services in network namespaces") })
		return
	}
	c := startCluster(t)
	guest := c.startGuest(t) // while the rest goes on
	t.Run("slow", c.testSlow)
	t.Run("cut off", func(t *testing.T) {
		c.testLoss(t, loss{victim: c.right, other: c.left, strike: func() { c.network.Both(c.right.machine, c.front.machine, testkit.Cut) }, late: true})
	})
	t.Run("not heard", func(t *testing.T) {
		c.testLoss(t, loss{victim: c.left, other: c.right, strike: func() { c.network.Disturb(c.left.machine, c.front.machine, testkit.Cut) }, late: true})
	})
	t.Run("hears nothing", func(t *testing.T) {
		c.testLoss(t, loss{victim: c.right, other: c.left, strike: func() { c.network.Disturb(c.front.machine, c.right.machine, testkit.Cut) }})
	})
	t.Run("killed", func(t *testing.T) {
		c.testLoss(t, loss{victim: c.left, other: c.right, strike: func() { c.left.kill(t) }, killed: true})
	})
	t.Run("front killed", c.testFrontKilled)
	t.Run("another date", func(t *testing.T) { guest.test(t, c) })
	t.Run("all of it", c.testFaults)
	c.atRest(t)
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	t.Setenv("CORDON_TOKEN", "what-every-service-of-the-networks-knows") // the same for all
	dir := t.TempDir()
	c := &cluster{network: testkit.NewNetwork(t, 3, 1), secret: filepath.Join(dir, "secret")}
	m := c.network.Machines
	c.guest, c.address = m[3], m[0].Address()+":4222"
	if err := os.WriteFile(c.secret, []byte("what the services know\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := certificate(t, dir, m[0].Address())
	c.ca = cert
	same := []string{"--queue-secret", c.secret, "--queue-lease", fleetLease.String()}
	runs := append(slices.Clone(same), "--queue-url", "tls://"+c.address, "--queue-ca", cert, "--parallel", fmt.Sprint(nodeParallel), "--queue-parallel", fmt.Sprint(nodeParallel))
	m[1].Ahead = true
	c.front = newNode(t, m[0], append(slices.Clone(same), "--role", "api", "--queue-listen", c.address, "--queue-listen-cert", cert, "--queue-listen-key", key, "--queue-jobs", "200")...)
	c.left = newNode(t, m[1], append(slices.Clone(runs), "--role", "all", "--languages", "python")...)
	c.right = newNode(t, m[2], append(slices.Clone(runs), "--role", "worker", "--languages", "sh")...)
	for _, n := range []*node{c.front, c.left, c.right} {
		n.start(t)
	}
	c.apart(t)
	return c
}

// apart: the services are where they are meant to be.
func (c *cluster) apart(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, pid := range []int{os.Getpid(), c.front.daemon.Pid, c.left.daemon.Pid, c.right.daemon.Pid} {
		name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil || seen[name] {
			t.Fatalf("process %d is in %s, like another: %v", pid, name, err)
		}
		seen[name] = true
	}
	offsets, err := os.ReadFile(fmt.Sprintf("/proc/%d/timens_offsets", c.left.daemon.Pid))
	if err != nil || !regexp.MustCompile(`(?m)^boottime +8640000 `).Match(offsets) {
		t.Fatalf("its clocks are not ahead: %v: %s", err, offsets)
	}
}

// certificate is one for an address, signed by itself, that holds on every date that a
// machine of these tests may have.
func certificate(t *testing.T, dir, address string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "front.pem"), filepath.Join(dir, "front.key")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: signed}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// newNode is reached by a socket: its network is not the test's.
func newNode(t *testing.T, m *testkit.Machine, args ...string) *node {
	t.Helper()
	n := &node{t: t, machine: m, state: t.TempDir()}
	socket := filepath.Join(n.state, "socket")
	n.args = append([]string{"--socket", socket, "--audit-log", filepath.Join(n.state, "audit"), "--drain", "2s"}, args...)
	n.service = newService("http://localhost", os.Getenv("CORDON_TOKEN"))
	n.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	if n.daemon != nil {
		n.logs += n.daemon.Log()
	}
	n.daemon = testkit.StartDaemonOn(n.t, n.machine, n.state, n.args...)
}

// kill ends a service as the loss of its machine would.
func (n *node) kill(t *testing.T) {
	t.Helper()
	n.daemon.Kill(t, testkit.Descendants(t, n.daemon.Pid)[0].Pid)
}

// log is all that it has said.
func (n *node) log() string { return n.logs + n.daemon.Log() }

// says waits until the log has something that it had not so often before.
func (n *node) says(t *testing.T, what string, before int) {
	t.Helper()
	waitFor(t, fmt.Sprintf("machine %d says %q", n.machine.Number, what), func() bool { return strings.Count(n.log(), what) > before })
}

// runs are the pids of a program of jobs below a service.
func (n *node) runs(t *testing.T, line string) (pids []int) {
	t.Helper()
	for _, p := range testkit.Descendants(t, n.daemon.Pid) {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Pid)); err == nil && string(text) == line {
			pids = append(pids, p.Pid)
		}
	}
	return pids
}

// lives: the process has not ended.
func lives(pid int) bool {
	p, ok := processes.Read(pid)
	return ok && !p.Ended()
}

// begun are the starts of jobs, by the audit log: it is written before a job begins, and
// outlasts its service.
func (n *node) begun(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.state, "audit"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for line := range bytes.Lines(text) {
		var e struct{ Event, Job string }
		if err := json.Unmarshal(line, &e); err == nil && e.Event == "job.started" { // a killed service may have left a part of one
			out[e.Job]++
		}
	}
	return out
}

// waitFor waits for a condition; two minutes are a hang.
func waitFor(t *testing.T, what string, true func() bool) {
	t.Helper()
	for began := time.Now(); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("not within %v: %s", time.Since(began).Round(time.Second), what)
		}
	}
}
