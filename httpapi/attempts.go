package httpapi

import (
	"math"
	"sync"
	"time"
)

// attempts bounds how many wrong tokens a peer may show: some at once, then one a
// second. It is not what keeps a token from being guessed, which its length does,
// and a right token is never kept waiting: it keeps somebody who tries from
// filling the log unseen, and tells a client with an old token to stop.
type attempts struct {
	now   func() time.Time
	mu    sync.Mutex
	peers map[string]*failures
}

// failures are counted down with time.
type failures struct {
	left float64
	at   time.Time
}

const (
	failuresAtOnce    = 20
	failuresPerSecond = 1
	failuresPeers     = 4096 // peers that are remembered
)

func newAttempts() *attempts { return &attempts{now: time.Now, peers: map[string]*failures{}} }

// failed counts a wrong token, and says how long the peer has to wait: 0 when it
// may go on.
func (a *attempts) failed(peer string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	f := a.peers[peer]
	if f == nil {
		a.makeRoom(now)
		f = &failures{failuresAtOnce, now}
		a.peers[peer] = f
	}
	f.refill(now)
	if f.left >= 1 {
		f.left--
		return 0
	}
	return time.Duration(math.Ceil((1-f.left)/failuresPerSecond)) * time.Second
}

func (f *failures) refill(now time.Time) {
	f.left = min(failuresAtOnce, f.left+max(0, now.Sub(f.at).Seconds())*failuresPerSecond)
	f.at = now
}

// makeRoom forgets peers that have not failed for a while, or else any quarter:
// who has thousands of addresses is not held up by this anyway.
func (a *attempts) makeRoom(now time.Time) {
	if len(a.peers) < failuresPeers {
		return
	}
	for peer, f := range a.peers {
		if f.refill(now); f.left >= failuresAtOnce {
			delete(a.peers, peer)
		}
	}
	for peer := range a.peers {
		if len(a.peers) <= 3*failuresPeers/4 {
			return
		}
		delete(a.peers, peer)
	}
}
