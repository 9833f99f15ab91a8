package image

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"
)

// transportOf is how a registry, and whatever it leads to, is reached.
func transportOf(o PullOptions, idle time.Duration, near *nearness) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: near.control}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig:     &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: idle, IdleConnTimeout: 90 * time.Second, MaxIdleConns: 100,
	}
}

// nearness keeps a registry from leading us to where it could not go itself: to addresses
// that are nearer to this machine than its own, such as those that a cloud tells its
// machines' secrets at. The first connection is the registry's, or the proxy's.
type nearness struct {
	sync.Mutex
	known bool
	first int
}

// control is asked before each connection, when names have become addresses.
func (n *nearness) control(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %s: %w", quoted(address), err)
	}
	near := nearTo(a.Addr())
	n.Lock()
	defer n.Unlock()
	if !n.known {
		n.known, n.first = true, near
	}
	if near > n.first {
		return fmt.Errorf("the registry leads to %s, which is nearer to this machine than itself; it is not asked", a.Addr())
	}
	return nil
}

var carrier = netip.MustParsePrefix("100.64.0.0/10")

// nearTo is 0 for the world, 1 for an organisation's own net, 2 for this machine and its link.
func nearTo(a netip.Addr) int {
	a = a.Unmap()
	switch {
	case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsLinkLocalMulticast(), a.IsInterfaceLocalMulticast(), a.IsUnspecified():
		return 2
	case a.IsPrivate(), a.Is4() && carrier.Contains(a):
		return 1
	}
	return 0
}

// guarded keeps to TLS: the library would go on without it where it takes a registry for
// a near one, and give it the login, too. It waits for nothing without end, and reads no
// more of a manifest than one may have.
type guarded struct {
	next  http.RoundTripper
	plain bool
	idle  time.Duration
}

func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.plain {
		return nil, fmt.Errorf("%s does not speak TLS as it should; --plain-http goes on without it", r.URL.Host)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	answer, err := g.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	l := &lively{ReadCloser: answer.Body, idle: g.idle, ctx: ctx, cancel: cancel, left: -1}
	l.timer = time.AfterFunc(g.idle, l.silent)
	if strings.Contains(r.URL.Path, "/manifests/") {
		l.left = documentMax
	}
	answer.Body = l
	return answer, nil
}

// lively ends an answer of which nothing comes any more.
type lively struct {
	io.ReadCloser
	idle   time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel func(error)
	left   int64 // bytes that may come; negative: as many as do
}

func (l *lively) silent() { l.cancel(fmt.Errorf("nothing has come for %v", l.idle)) }

func (l *lively) Read(p []byte) (int, error) {
	l.timer.Reset(l.idle)
	defer l.timer.Stop() // how long the reader takes is not the registry's matter
	n, err := l.ReadCloser.Read(p)
	if err != nil && err != io.EOF && l.ctx.Err() != nil {
		err = context.Cause(l.ctx)
	}
	if l.left >= 0 {
		if l.left -= int64(n); l.left < 0 {
			l.left = 0
			return 0, rejected("manifest: longer than %d bytes", documentMax)
		}
	}
	return n, err
}

func (l *lively) Close() error {
	l.timer.Stop()
	err := l.ReadCloser.Close()
	l.cancel(nil)
	return err
}
