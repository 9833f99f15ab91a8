package sandbox

import (
	"os"
	"sync"

	"cordon/sandbox/cell"
)

// networks are network namespaces that nobody has used. Making and clearing away
// one costs more than anything else of a cell, and most jobs never ask for a
// socket: the namespace of such a job is as it was made, and is given to a further
// cell. Nothing is reset. A namespace in which any process has asked for a socket
// is never seen again (ADR 7).
type networks struct {
	mu     sync.Mutex
	unused []*os.File
	closed bool
}

// maxNetworks bounds what is kept: each takes some 100 KiB of the kernel's memory.
const maxNetworks = 64

// take gives an unused one, or nil when there is none.
func (n *networks) take() *os.File {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.unused) == 0 {
		return nil
	}
	last := len(n.unused) - 1
	f := n.unused[last]
	n.unused = n.unused[:last]
	return f
}

// keep takes the network of a cell of which no process is left. The caller knows
// that none has ever asked for a socket.
func (n *networks) keep(c *cell.Cell) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.Network == nil || n.closed || len(n.unused) >= maxNetworks {
		return
	}
	n.unused = append(n.unused, c.Network)
	c.Network = nil
}

// kept is how many there are.
func (n *networks) kept() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return int64(len(n.unused))
}

// close lets all go, and keeps none from now on.
func (n *networks) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.drop()
}

// drop lets all go.
func (n *networks) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.unused {
		f.Close()
	}
	n.unused = nil
}
