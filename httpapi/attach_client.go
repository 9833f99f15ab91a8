package httpapi

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// attacher is a client that is attached to a job.
type attacher struct {
	server  *Server
	conn    *websocket.Conn
	below   net.Conn // what conn stands on
	id      string
	from    string
	watch   bool // it may not write
	at      cursor
	began   [2]int  // the offsets that were asked for
	samples int     // of usage that were told
	mirror  *mirror // of a job that runs elsewhere

	every    time.Duration // between two samples of what is used
	followed *life         // of a job that runs; nil: it does not

	life    chan *liveInput // given to the reading side when the job runs here
	given   bool
	heard   atomic.Int64 // when it last said something, in ns
	waiting atomic.Bool  // its reading side waits for the program
	pinging atomic.Bool
	pings   sync.WaitGroup
	lost    chan struct{}   // closed when a ping could not be sent
	keyEnds <-chan struct{} // closed when the key it came with is not good any more
}

func (a *attacher) hear() { a.heard.Store(time.Now().UnixNano()) }

// run serves the client until the job has ended, the service ends, or either lets go.
func (a *attacher) run() {
	a.hear()
	if !a.watch {
		if !a.server.writers.take(a.id) {
			a.leave(closedTaken)
			return
		}
		defer a.server.writers.give(a.id)
	}
	a.both()
}

// leave tells the client why, and whoever runs the service if that came before the job's end.
func (a *attacher) leave(why *closed) {
	if why != closedEnd && why != closedShutting {
		a.server.metrics.droppedClients.WithLabelValues(why.kind()).Inc()
		a.server.config.Logger.Info("an attached client has gone", "job", a.id, "reason", why.kind(), "from", a.from)
	}
	if why == closedGone {
		_ = a.conn.CloseNow()
		return
	}
	// Close waits for the rest of a message that the client has begun, for ever.
	_ = a.below.SetDeadline(time.Now().Add(farewell))
	_ = a.conn.Close(why.code, why.reason) // what comes of it is not known to anybody
}

// kind is the reason's first word: of a closed set.
func (c *closed) kind() string {
	if c.code < websocket.StatusNormalClosure {
		return "gone"
	}
	kind, _, _ := strings.Cut(c.reason, ":")
	return kind
}

// both reads and writes, until one of the two is over.
func (a *attacher) both() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	read := make(chan *closed, 1)
	go func() { read <- a.read(ctx) }()
	over := make(chan struct{})
	go a.hurry(over)
	why := a.serve(ctx, read)
	cancel() // a write into the program's input waits no more
	a.leave(why)
	close(over)
	<-read
	a.pings.Wait()
}

// hurry cuts off a client to which a message is still on its way when the service ends, or
// its key is not good any more.
func (a *attacher) hurry(over <-chan struct{}) {
	select {
	case <-a.server.ending:
	case <-a.keyEnds:
	case <-over:
		return
	}
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-late.C:
		_ = a.below.Close() // CloseNow does nothing to a connection that is being closed
	case <-over:
	}
}

// farewell is how long a client may take to answer that it is let go.
const farewell = 5 * time.Second

// revoked: the key is not good any more.
func revoked(keyEnds <-chan struct{}) bool {
	select {
	case <-keyEnds:
		return true
	default:
		return false
	}
}

// lastWords is how long a client may take for what it has been sent when the service, or its
// key, ends.
const lastWords = 2 * time.Second

// closedGone: the client has gone, and needs no reason.
var closedGone = &closed{0, "gone"}

// serve tells of the job.
func (a *attacher) serve(ctx context.Context, read chan *closed) *closed {
	changed, stop := a.server.config.Jobs.Queue.Follow(a.id)
	defer stop()
	defer func() { a.server.mirrors.leave(a.mirror) }()
	heart := time.NewTicker(a.server.patience.ping)
	defer heart.Stop()
	look := time.NewTicker(a.every)
	defer look.Stop()
	for {
		news, why := a.tell(ctx)
		if why != nil {
			return why
		}
		select {
		case <-changed:
		case <-news:
		case <-look.C:
			if a.followed != nil {
				a.followed.sample(a.every)
			}
		case <-heart.C:
			if why := a.ping(); why != nil {
				return why
			}
		case <-a.lost:
			return closedGone
		case <-a.keyEnds:
			return closedKey
		case why := <-read:
			read <- nil
			return why
		case <-a.server.ending:
			return closedShutting
		}
	}
}

// ping keeps proxies from closing a connection on which nothing happens, and finds out who
// is not there any more. One whose last message waits for the program need not answer:
// nobody would read that.
func (a *attacher) ping() *closed {
	if a.waiting.Load() {
		a.hear()
	} else if time.Since(time.Unix(0, a.heard.Load())) > 3*a.server.patience.ping {
		return closedSilent
	}
	if !a.pinging.CompareAndSwap(false, true) {
		return nil // one is on its way still
	}
	a.pings.Go(func() {
		// Not the attacher's own context: were it done while a ping is written, the
		// connection would be closed without a word.
		ctx, cancel := context.WithTimeout(context.Background(), a.server.patience.ping)
		defer cancel()
		// One that had to wait too long, for another message or for its answer, says nothing.
		if err := a.conn.Ping(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			close(a.lost) // and there is no further one
			return
		}
		a.pinging.Store(false)
	})
	return nil
}
