package testkit

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Link carries connections to an address, and can be slow, or lose everything without a
// word, as a network does.
type Link struct {
	to       string
	listener net.Listener

	mu    sync.Mutex
	heals *sync.Cond
	delay time.Duration
	cut   bool
	over  bool
	open  map[net.Conn]bool

	inside sync.WaitGroup
}

// NewLink makes one, which ends with the test.
func NewLink(tb testing.TB, to string) *Link {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	k := &Link{to: to, listener: l, open: map[net.Conn]bool{}}
	k.heals = sync.NewCond(&k.mu)
	k.inside.Go(k.accept)
	tb.Cleanup(k.close)
	return k
}

// Address is its near end.
func (k *Link) Address() string { return k.listener.Addr().String() }

// Slow has all that goes through arrive so much later from now on.
func (k *Link) Slow(by time.Duration) { k.mu.Lock(); defer k.mu.Unlock(); k.delay = by }

// Cut has nothing arrive any more. What was sent meanwhile arrives when it is healed, if
// the connection is still there.
func (k *Link) Cut() { k.mu.Lock(); defer k.mu.Unlock(); k.cut = true }

// Heal ends that.
func (k *Link) Heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = false
	k.heals.Broadcast()
}

func (k *Link) close() {
	k.mu.Lock()
	k.over = true
	k.heals.Broadcast()
	k.listener.Close()
	for c := range k.open {
		c.Close()
	}
	k.mu.Unlock()
	k.inside.Wait()
}

func (k *Link) accept() {
	for {
		near, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.inside.Go(func() {
			if !k.passable() {
				near.Close()
				return
			}
			far, err := net.Dial("tcp", k.to)
			if err != nil {
				near.Close()
				return
			}
			var both sync.WaitGroup
			both.Go(func() { k.carry(near, far) })
			both.Go(func() { k.carry(far, near) })
			both.Wait()
		})
	}
}

// passable waits until something may pass; false: never.
func (k *Link) passable() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.cut && !k.over {
		k.heals.Wait()
	}
	return !k.over
}

// piece is what was read at once, and when it may arrive.
type piece struct {
	bytes []byte
	at    time.Time
}

func (k *Link) carry(from, to net.Conn) {
	k.mu.Lock()
	k.open[from] = true
	k.mu.Unlock()
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			k.mu.Lock()
			at := time.Now().Add(k.delay)
			k.mu.Unlock()
			if n > 0 {
				pieces <- piece{b[:n], at}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if !k.passable() {
			break
		}
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	from.Close()
	to.Close()
	for range pieces { // until the reader has seen that
	}
	k.mu.Lock()
	delete(k.open, from)
	k.mu.Unlock()
}
