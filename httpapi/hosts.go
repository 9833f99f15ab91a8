package httpapi

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A listener on loopback is reached by every page in every browser of the
// machine. The token keeps them out; these rules keep them from trying, and from
// the routes that need none: a name of the attacker's that leads to this address
// (DNS rebinding) is not a name of the service, and a page of another origin says
// in its headers that it is one.

// ours wants requests for this service that no other site has sent.
func (s *Server) ours(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isOurs(r.Context(), r.Host) {
			turnAway(w, r, problem(CodeUnknownHost, "", fmt.Sprintf("this service is not known as %q; address it by the name and port on which it listens, "+
				"or start it with --allow-host and this name", s.logged(r.Host))))
			return
		}
		for _, origin := range r.Header.Values("Origin") {
			u, err := url.Parse(origin)
			if err != nil || u.Scheme+"://"+u.Host != origin || u.Scheme != "http" && u.Scheme != "https" || !s.isSite(r, u.Host) {
				turnAway(w, r, problem(CodeCrossOrigin, "", "a page of another site sent this: the header Origin does not name this service"))
				return
			}
		}
		for _, site := range r.Header.Values("Sec-Fetch-Site") {
			if site != "same-origin" && site != "none" && !s.visits(r) {
				turnAway(w, r, problem(CodeCrossOrigin, "", "a browser sent this for a page of another site (Sec-Fetch-Site)"))
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isOurs: a name by which the operator wants the service to be known, or the
// address at which the connection arrived. A unix socket has no name, and no
// browser reaches it.
func (s *Server) isOurs(ctx context.Context, host string) bool {
	host = strings.ToLower(host)
	if isUnix(ctx) || slices.Contains(s.config.Hosts, host) {
		return true
	}
	local, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && slices.Contains(namesOf(local.AddrPort()), host)
}

// isSite: an origin is this service when a request could have been sent to it. What
// a proxy passes on over a unix socket was sent to the name that the proxy kept.
func (s *Server) isSite(r *http.Request, host string) bool {
	if isUnix(r.Context()) {
		return strings.EqualFold(host, r.Host) && host != "" || slices.Contains(s.config.Hosts, strings.ToLower(host))
	}
	return s.isOurs(r.Context(), host)
}

func isUnix(ctx context.Context) bool {
	local, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	return local != nil && local.Network() == "unix"
}

// namesOf are the address itself and the names of loopback, with the port; with
// port 80, which browsers leave out, also without.
func namesOf(at netip.AddrPort) []string {
	ip := at.Addr().Unmap().WithZone("")
	var out []string
	for _, name := range []string{ip.String(), "localhost", "127.0.0.1", "::1"} {
		out = append(out, net.JoinHostPort(name, strconv.Itoa(int(at.Port()))))
		if at.Port() == 80 {
			out = append(out, strings.TrimSuffix(net.JoinHostPort(name, ""), ":"))
		}
	}
	return out
}

// CheckHost says why a text is no name that a client can send as Host: a name or
// an address, with its port unless that is the scheme's own.
func CheckHost(host string) error {
	u, err := url.Parse("http://" + host + "/")
	if err != nil || host == "" || u.Host != host || u.Hostname() == "" || strings.ContainsAny(host, "*?#@/\\ ") {
		return fmt.Errorf("%q given; a name or address as clients call the service is wanted, with its port unless that is 80 or 443, such as cordon.example:8080", host)
	}
	if port := u.Port(); port != "" || strings.HasSuffix(host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q given; its port is wanted as a number from 1 to 65535", host)
		}
	}
	return nil
}
