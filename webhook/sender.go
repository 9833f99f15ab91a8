package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// Within is how long an attempt may take, from the look-up of the name to the end of the
// answer.
const Within = 15 * time.Second

const (
	dialWithin  = 5 * time.Second // each address
	answerHead  = 16 << 10        // bytes of an answer's headers
	answerBytes = 4 << 10         // of its body, that are read
	waitMost    = 24 * time.Hour  // that a receiver may ask for
)

// Config is what a Sender stands on.
type Config struct {
	Hosts    *Hosts
	Secrets  Secrets
	CA       string        // file with certificates that are trusted besides the system's; "": those alone
	Resolver *net.Resolver // nil: the system's
	Logger   *slog.Logger
}

// Sender makes attempts.
type Sender struct {
	hosts   *Hosts
	secrets atomic.Pointer[Secrets]
	client  *http.Client
	log     *slog.Logger
}

// NewSender makes one. It has no connections between its attempts.
func NewSender(c Config) (*Sender, error) {
	roots, err := trusted(c.CA)
	if err != nil {
		return nil, err
	}
	s := &Sender{hosts: c.Hosts, log: c.Logger}
	s.secrets.Store(&c.Secrets)
	dialer := net.Dialer{Timeout: dialWithin, Resolver: c.Resolver, KeepAlive: -1,
		Control: func(network, address string, _ syscall.RawConn) error { return s.hosts.Dial(network, address) }}
	s.client = &http.Client{
		// A redirect leads elsewhere than the list does.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: nil, DialContext: dialer.DialContext, // not the environment's proxy: it would dial for us
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: dialWithin,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: answerHead}}
	return s, nil
}

// trusted are the system's certificates and those of a file; nil: the system's.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: there is no certificate in it", file)
	}
	return pool, nil
}

// Use takes other secrets from now on.
func (s *Sender) Use(secrets Secrets) { s.secrets.Store(&secrets) }

// Check is the list's: a URL that Send would not even try.
func (s *Sender) Check(url string) (*Target, error) { return s.hosts.Check(url) }

// Message is what is to be told. Its id stays the same at every attempt.
type Message struct {
	ID     string
	Tenant string
	URL    string
	Body   []byte // JSON
}

// Send makes one attempt. 2xx is success.
func (s *Sender) Send(ctx context.Context, m Message) Outcome {
	target, err := s.hosts.Check(m.URL)
	if err != nil {
		return Outcome{Reason: ReasonHost}
	}
	ctx, stop := context.WithTimeout(ctx, Within)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(m.Body))
	if err != nil { // Check takes no such URL
		return Outcome{Reason: ReasonHost}
	}
	now := time.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Cordon-Webhook/1")
	r.Header.Set("Webhook-Id", m.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Webhook-Signature", s.secrets.Load().sign(m.Tenant, m.ID, now, m.Body))
	answer, err := s.client.Do(r)
	if err != nil {
		reason := reasonOf(ctx, err)
		s.log.Info("a webhook was not taken", "id", m.ID, "host", target.Host, "reason", reason, "error", inner(err))
		return Outcome{Reason: reason}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, answerBytes) // the status says all; but some want it read
	return judge(answer, now)
}
