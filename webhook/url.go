package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// What a URL can be refused for.
var (
	ErrURL     = errors.New("this is no URL for a webhook")
	ErrHost    = errors.New("the host is not in the operator's list")
	ErrAddress = errors.New("the address is not public, and not in the operator's list")
)

// MaxURL is how many characters a URL may have.
const MaxURL = 1024

// Target is a URL that may be told.
type Target struct {
	URL   string
	Host  string // with the port
	Entry string // of the list, that allows it
}

// Check takes a URL apart and looks for its host in the list. Everybody has to read the
// URL in the same way, so what is written unusually is refused.
func (h *Hosts) Check(text string) (*Target, error) {
	bad := func(format string, args ...any) (*Target, error) {
		return nil, fmt.Errorf("%w: "+format, append([]any{ErrURL}, args...)...)
	}
	if text == "" || len(text) > MaxURL {
		return bad("%d characters given, allowed are 1 to %d", len(text), MaxURL)
	}
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' || c == '\\' || c == '#' {
			return bad("visible ASCII characters are wanted, no \\ and no fragment")
		}
	}
	u, err := url.Parse(text)
	if err != nil {
		return bad("it cannot be read")
	}
	written := strings.ToLower(u.Host)
	switch {
	case defaultPort[u.Scheme] == "" || !strings.HasPrefix(text, u.Scheme+"://"):
		return bad("it has to begin with https:// or, where the operator allows that, http://")
	case u.User != nil:
		return bad("a name or password stands in it; the signature tells who has sent a webhook")
	case !strings.EqualFold(hostPart(text), u.Host):
		return bad("its host is written in an unusual way")
	}
	host, port, err := splitHost(written, u.Scheme)
	if err != nil {
		return bad("%w", err)
	}
	for i := range h.entries {
		if e := &h.entries[i]; e.takes(u.Scheme, host, port) {
			return &Target{text, net.JoinHostPort(host, port), e.text}, nil
		}
	}
	return nil, fmt.Errorf("%w: %s://%s", ErrHost, u.Scheme, net.JoinHostPort(host, port))
}

// hostPart is what stands between the scheme and the path.
func hostPart(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}
