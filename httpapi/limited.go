package httpapi

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// limited takes at most max connections at once, and of one peer three quarters
// of them. Idle and slow clients cost nothing but a place here: when places are
// short, the connection that has least right to its place is closed for a new one,
//
//  1. the oldest that has never shown the token,
//  2. the oldest that has, and is idle,
//
// and none that is being answered to a holder of the token. So those who have no
// token can never keep out those who have one, from whichever address they come.
// Without a limit, connections could take the descriptors that cells need.
func limited(l net.Listener, max int, m connectionMetrics) *limitedListener {
	out := &limitedListener{Listener: l, max: max, perPeer: perPeer(max), peers: map[string]int{}, metrics: m}
	out.changed = sync.NewCond(&out.mu)
	return out
}

// perPeer leaves a quarter of all places to others.
func perPeer(max int) int { return (3*max + 3) / 4 }

// connectionMetrics count what happens to connections.
type connectionMetrics struct {
	open    prometheus.Gauge
	dropped prometheus.Counter // to make room, or for want of it
}

type limitedListener struct {
	net.Listener
	max, perPeer int
	metrics      connectionMetrics

	mu      sync.Mutex
	changed *sync.Cond     // a place was given back, or a connection became idle
	all     list.List      // of *limitedConn, in the order in which they came or became idle
	peers   map[string]int // places by peer
	closed  bool
}

// Accept makes room for a new connection. When every place is that of a request
// with the token, it waits; further connections wait in the kernel's queue.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &limitedConn{Conn: c, home: l, peer: peerOf(c.RemoteAddr().String())}
		switch taken, err := l.take(conn); {
		case err != nil:
			c.Close()
			return nil, err
		case taken:
			return conn, nil
		}
		c.Close()
	}
}

// take finds a place; a peer that has its share already, and answers are on their
// way on all of them, gets no other.
func (l *limitedListener) take(c *limitedConn) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// All that come over a unix socket are the same user's.
	if c.peer != "" && l.peers[c.peer] >= l.perPeer && !l.drop(c.peer) {
		l.metrics.dropped.Inc()
		return false, nil
	}
	for l.all.Len() >= l.max && !l.drop("") {
		if l.closed {
			return false, net.ErrClosed
		}
		l.changed.Wait()
	}
	c.place = l.all.PushBack(c)
	l.peers[c.peer]++
	l.metrics.open.Inc()
	return true, nil
}

// drop closes the connection that has least right to its place, of this peer or
// of all.
func (l *limitedListener) drop(peer string) bool {
	var victim *limitedConn
	for e := l.all.Front(); e != nil; e = e.Next() {
		c := e.Value.(*limitedConn)
		if peer != "" && c.peer != peer || c.serving {
			continue
		}
		if !c.known {
			victim = c
			break
		}
		if victim == nil {
			victim = c
		}
	}
	if victim == nil {
		return false
	}
	l.remove(victim)
	l.metrics.dropped.Inc()
	_ = victim.Conn.Close() // what reads or writes it sees that, and ends
	return true
}

// remove gives a place back, once.
func (l *limitedListener) remove(c *limitedConn) {
	if c.place == nil {
		return
	}
	l.all.Remove(c.place)
	c.place = nil
	if l.peers[c.peer]--; l.peers[c.peer] == 0 {
		delete(l.peers, c.peer)
	}
	l.metrics.open.Dec()
	l.changed.Broadcast()
}

// Close ends Accept, also when it waits for a place.
func (l *limitedListener) Close() error {
	l.mu.Lock()
	l.closed = true
	l.changed.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

// limitedConn is a connection that has a place.
type limitedConn struct {
	net.Conn
	home *limitedListener
	peer string

	// The rest is home.mu's.
	place   *list.Element
	known   bool // has shown the token
	serving bool // a request with the token is being read or answered
}

// Close gives the place back.
func (c *limitedConn) Close() error {
	c.home.mu.Lock()
	c.home.remove(c)
	c.home.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer before it closes: else what a client
// still sends could cost it the answer.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

type connectionKey struct{}

// withConnection is an http.Server's ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

// trust keeps the connection of a request with the token until it is answered.
func trust(ctx context.Context) {
	c, ok := ctx.Value(connectionKey{}).(*limitedConn)
	if !ok {
		return
	}
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	c.known, c.serving = true, true
}

// upgrade lets anything through from now on: the request that this context is of ends HTTP
// on its connection. Its client waits for the answer before it sends anything.
func upgrade(ctx context.Context) {
	if c, ok := ctx.Value(connectionKey{}).(*limitedConn); ok {
		if s, ok := c.Conn.(*strictConn); ok {
			s.upgraded.Store(true)
		}
	}
}

// answered is an http.Server's ConnState: an idle connection may be closed, those
// that have waited longest first.
func answered(conn net.Conn, state http.ConnState) {
	c, ok := conn.(*limitedConn)
	if !ok || state != http.StateIdle {
		return
	}
	c.home.mu.Lock()
	defer c.home.mu.Unlock()
	if !c.serving {
		return
	}
	c.serving = false
	if c.place != nil {
		c.home.all.MoveToBack(c.place)
	}
	c.home.changed.Broadcast()
}
