package httpapi

import (
	"net"
	"net/netip"
)

// peerOf says whose an address is: one IPv4 address, a /64 of IPv6 (what one
// subscriber has), or "" for whoever comes over a unix socket.
func peerOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return ""
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if net64, err := ip.Prefix(64); err == nil {
			return net64.String()
		}
	}
	return ip.String()
}
