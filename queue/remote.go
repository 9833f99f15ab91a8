package queue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// Remote says how servers of NATS are reached that somebody else runs.
type Remote struct {
	URL         string // one or more, with commas between
	Credentials string // file; "": none
	Secret      string // what Listen wants to hear; "": nothing
	CA          string // file with the certificates that are trusted, besides the system's; "": those alone
	Cert, Key   string // files of the client's own certificate; "": none
	Replicas    int    // of the stream
}

// Connect opens the journal that such servers hold. It is as durable as they are: what
// they acknowledge counts as kept.
func Connect(ctx context.Context, r Remote, log *slog.Logger) (Journal, error) {
	options := []nats.Option{nats.Name("cordon"), nats.MaxReconnects(-1),
		// What could not be sent is told at once, and not sent when nobody expects it any more.
		nats.ReconnectBufSize(-1), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2), nats.ReconnectWait(5 * journalRetry),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("the connection to the queue's servers is lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("the queue's servers are connected again") })}
	if r.Credentials != "" {
		options = append(options, nats.UserCredentials(r.Credentials))
	}
	if r.Secret != "" {
		options = append(options, nats.Token(r.Secret))
	}
	if r.CA != "" {
		options = append(options, nats.RootCAs(r.CA))
	}
	if r.Cert != "" {
		options = append(options, nats.ClientCert(r.Cert, r.Key))
	}
	conn, err := nats.Connect(r.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("queue-url %s: %w", r.URL, err)
	}
	s, err := openStream(ctx, conn, max(r.Replicas, 1), log)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("queue-url %s: %w", r.URL, err)
	}
	return &remote{s}, nil
}

// pingEvery is how soon a connection is known to be dead that nobody has closed.
const pingEvery = 5 * time.Second

type remote struct{ *stream }

// Bus is what the services tell each other.
func (r *remote) Bus() Bus { return natsBus{r.stream} }

// Room is the journal's: the servers say so themselves when they have none.
func (*remote) Room() error { return nil }

// Alone is the journal's.
func (*remote) Alone() bool { return false }

// Close is the journal's.
func (r *remote) Close() error { r.conn.Close(); return nil }
