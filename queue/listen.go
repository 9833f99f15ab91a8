package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Listen has the server in this process be reached by other services.
type Listen struct {
	Address   string // host and port
	Secret    string // that they have to know
	Cert, Key string // files, for TLS; only a loopback address does without
	CA        string // file with what their certificates have to be signed with; "": they need none
}

// leastSecret is how long a secret is at least.
const leastSecret = 16

// Check says what is wrong with it.
func (l *Listen) Check() error {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("%q given, a host and a port are wanted: %w", l.Address, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q given, 0 to 65535 is wanted", port)
	}
	if len(l.Secret) < leastSecret {
		return fmt.Errorf("others have to know a secret of %d characters at least; the one given has %d", leastSecret, len(l.Secret))
	}
	if (l.Cert == "") != (l.Key == "") {
		return errors.New("a certificate wants its key, and a key its certificate")
	}
	if ip := net.ParseIP(host); l.Cert == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is reached from other machines: a certificate and its key are wanted, for the secret and all jobs go over the network", l.Address)
	}
	if l.CA != "" && l.Cert == "" {
		return errors.New("certificates of others are only looked at with TLS: a certificate and its key are wanted")
	}
	return nil
}

// apply brings it into a server's options; of none it leaves them as they are.
func (l *Listen) apply(o *server.Options) error {
	if l == nil {
		return nil
	}
	if err := l.Check(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	if n == 0 {
		n = server.RANDOM_PORT
	}
	o.DontListen, o.Host, o.Port, o.Authorization = false, host, n, l.Secret
	if l.Cert == "" {
		return nil
	}
	o.TLSTimeout = 5
	o.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{CertFile: l.Cert, KeyFile: l.Key, CaFile: l.CA, Verify: l.CA != ""})
	return err
}

// Address is where others reach the journal's server; "" where they do not.
func Address(j Journal) string {
	e, ok := j.(*embedded)
	if !ok || e.listen == nil {
		return ""
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return ""
	}
	return e.server.Addr().String()
}

const (
	fileStream      = "CORDON_FILES"
	fileDescription = "Files of Cordon"
)

// FilesOf is the journal of the files that services share beside a journal, over the same
// connection; nil where nobody shares it.
func FilesOf(ctx context.Context, j Journal) (Journal, error) {
	switch j := j.(type) {
	case *embedded:
		if j.listen == nil {
			return nil, nil
		}
		s, err := j.beside(ctx, j.conn)
		return &besideEmbedded{s, j}, err
	case *remote:
		s, err := j.beside(ctx, j.conn)
		return &besideRemote{remote{s}}, err
	}
	return nil, nil
}

func (s *stream) beside(ctx context.Context, conn *nats.Conn) (*stream, error) {
	return openStreamAs(ctx, conn, &stream{name: fileStream, prefix: objectSubjects, replicas: s.replicas, log: s.log}, fileDescription)
}

// besideRemote leaves the connection to its owner.
type besideRemote struct{ remote }

// Close is the journal's.
func (besideRemote) Close() error { return nil }

// besideEmbedded writes as its owner does.
type besideEmbedded struct {
	*stream
	of *embedded
}

// Put is the journal's.
func (b *besideEmbedded) Put(ctx context.Context, subject string, meta, data []byte, last uint64) (uint64, error) {
	return b.of.putInto(ctx, b.stream, subject, meta, data, last)
}

// Room is the journal's.
func (b *besideEmbedded) Room() error { return b.of.Room() }

// Alone is the journal's.
func (b *besideEmbedded) Alone() bool { return false }

// Close is the journal's.
func (b *besideEmbedded) Close() error { return nil }
