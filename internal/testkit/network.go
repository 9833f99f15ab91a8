package testkit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Network joins machines: network namespaces whose only way to each other leads through
// the test, which can delay and lose what goes from one to another. What is lost is lost
// in between, without a word to either: the rest is the kernels' own TCP.
type Network struct {
	Machines []*Machine

	clock  *os.File // a time namespace
	mu     sync.Mutex
	faults map[way]Fault
	lines  map[way]chan packet
	chance *rand.Rand
	over   chan struct{}
	inside sync.WaitGroup
}

// Machine is a place in a network; the first has the number 1.
type Machine struct {
	Number int
	// Ahead has what is started there believe that the machine has been on for a hundred days more.
	Ahead bool

	network *Network
	names   *os.File // its network namespace; nil: a guest
	cable   *os.File
	guest   bool // its cable carries Ethernet

	arrived, lost atomic.Int64
}

// way is one direction between two machines.
type way struct{ from, to int }

// Fault is what happens to packets on one way.
type Fault struct {
	Delay, Jitter time.Duration // the order stays
	Lost          float64       // of them, in parts of 1
}

// Cut loses everything.
var Cut = Fault{Lost: 1}

type packet struct {
	bytes []byte
	at    time.Time // when it may arrive
}

// NetworksVar says where test/in-networks has put what NewNetwork needs; "none" where it
// could not, for want of root.
const NetworksVar = "CORDON_TEST_NETWORKS"

// NewNetwork makes one of some machines, which ends with the test, and a number of places
// for guests.
func NewNetwork(tb testing.TB, machines, guests int) *Network {
	tb.Helper()
	n := &Network{faults: map[way]Fault{}, lines: map[way]chan packet{}, chance: rand.New(rand.NewPCG(1, 2)), over: make(chan struct{})}
	files := makeNetworks(tb, machines)
	n.clock = files[0]
	for i := range machines {
		n.Machines = append(n.Machines, &Machine{Number: i + 1, network: n, names: files[1+2*i], cable: files[2+2*i]})
	}
	for i := range guests {
		n.Machines = append(n.Machines, &Machine{Number: machines + i + 1, network: n, guest: true})
	}
	for _, from := range n.Machines {
		for _, to := range n.Machines {
			if from != to {
				n.lines[way{from.Number, to.Number}] = make(chan packet, 4096)
			}
		}
	}
	for _, m := range n.Machines {
		if !m.guest {
			n.join(m)
		}
	}
	tb.Cleanup(n.close)
	return n
}

// makeNetworks has the helper make them: its descriptors.
func makeNetworks(tb testing.TB, machines int) (files []*os.File) {
	tb.Helper()
	dir := os.Getenv(NetworksVar)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer theirs.Close()
	defer unix.Close(pair[0])
	c := exec.Command(filepath.Join(dir, "make"), filepath.Join(dir, "tun"), fmt.Sprint(machines))
	c.ExtraFiles = []*os.File{theirs}
	if out, err := c.CombinedOutput(); err != nil {
		tb.Fatalf("%s=%s: %v: %s", NetworksVar, dir, err, out)
	}
	control := make([]byte, unix.CmsgSpace(4*(1+2*machines)))
	_, got, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:got])
	if err != nil || len(messages) != 1 {
		tb.Fatalf("%d messages: %v", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1+2*machines {
		tb.Fatalf("%d descriptors: %v", len(fds), err)
	}
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "of a network"))
	}
	return files
}

// Cable is what a guest's end of the network is; its Ethernet address ends in its number.
func (m *Machine) Cable(tb testing.TB) *os.File {
	tb.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		tb.Fatal(err)
	}
	m.cable = os.NewFile(uintptr(pair[0]), "cable")
	m.network.join(m)
	return os.NewFile(uintptr(pair[1]), "guest's end")
}

// Address is that of a machine.
func (m *Machine) Address() string { return fmt.Sprintf("10.77.0.%d", m.Number) }

// Ethernet is a guest's address, or that by which it knows another.
func (m *Machine) Ethernet() net.HardwareAddr {
	return net.HardwareAddr{2, 0, 0, 0, 0, byte(m.Number)}
}

// Enter has a command be started on a machine.
func (m *Machine) Enter(c *exec.Cmd) {
	c.ExtraFiles = []*os.File{m.names}
	if m.Ahead {
		c.ExtraFiles = append(c.ExtraFiles, m.network.clock)
	}
	program := filepath.Join(os.Getenv(NetworksVar), "enter")
	c.Args = append([]string{program, fmt.Sprint(len(c.ExtraFiles)), c.Path}, c.Args[1:]...)
	c.Path = program
}

// Disturb has something happen to what goes from one machine to another, from now on.
func (n *Network) Disturb(from, to *Machine, f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[way{from.Number, to.Number}] = f
}

// Both has it happen in both directions.
func (n *Network) Both(a, b *Machine, f Fault) { n.Disturb(a, b, f); n.Disturb(b, a, f) }

// Heal ends all that.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.faults)
}

// Counts are packets from all that have arrived at a machine, and those lost on their way.
func (m *Machine) Counts() (arrived, lost int64) { return m.arrived.Load(), m.lost.Load() }

const etherLength = 14

// join carries what comes out of a machine, and what is for it.
func (n *Network) join(m *Machine) {
	n.inside.Go(func() { n.read(m) })
	for w, line := range n.lines {
		if w.to == m.Number {
			n.inside.Go(func() { n.deliver(w.from, m, line) })
		}
	}
}

func (n *Network) read(m *Machine) {
	b := make([]byte, 1<<16)
	for {
		got, err := m.cable.Read(b)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		p := b[:got]
		if m.guest {
			if got < etherLength || binary.BigEndian.Uint16(p[12:]) != unix.ETH_P_IP {
				continue
			}
			p = p[etherLength:]
		}
		if err != nil || len(p) < 20 || p[0]>>4 != 4 {
			continue
		}
		n.route(way{m.Number, int(p[19])}, p)
	}
}

// route decides what becomes of a packet.
func (n *Network) route(w way, p []byte) {
	line := n.lines[w]
	if line == nil {
		return // for nobody
	}
	n.mu.Lock()
	f := n.faults[w]
	lost := n.chance.Float64() < f.Lost
	at := time.Now().Add(f.Delay)
	if f.Jitter > 0 {
		at = at.Add(time.Duration(n.chance.Int64N(int64(f.Jitter))))
	}
	n.mu.Unlock()
	if !lost {
		select {
		case line <- packet{append([]byte(nil), p...), at}:
			return
		default: // so much is not kept on the way
		}
	}
	n.Machines[w.to-1].lost.Add(1)
}

func (n *Network) deliver(from int, to *Machine, line chan packet) {
	for {
		select {
		case <-n.over:
			return
		case p := <-line:
			time.Sleep(time.Until(p.at))
			if to.guest {
				frame := append(to.Ethernet(), n.Machines[from-1].Ethernet()...)
				p.bytes = append(binary.BigEndian.AppendUint16(frame, unix.ETH_P_IP), p.bytes...)
			}
			if _, err := to.cable.Write(p.bytes); err != nil { // it is not on
				to.lost.Add(1)
			} else {
				to.arrived.Add(1)
			}
		}
	}
}

func (n *Network) close() {
	close(n.over)
	for _, m := range n.Machines {
		if m.cable != nil {
			m.cable.Close()
		}
		if m.names != nil {
			m.names.Close()
		}
	}
	n.clock.Close()
	n.inside.Wait()
}
