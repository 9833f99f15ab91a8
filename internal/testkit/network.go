package testkit

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
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
		if err != nil {
			if errors.Is(err, os.ErrClosed) {
				return
			}
			time.Sleep(time.Millisecond) // the other end is not there, or not any more
			continue
		}
		p := b[:got]
		if m.guest {
			if got < etherLength || binary.BigEndian.Uint16(p[12:]) != unix.ETH_P_IP {
				continue
			}
			p = p[etherLength:]
		}
		if len(p) < 20 || p[0]>>4 != 4 {
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
