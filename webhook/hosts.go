package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
)

// MaxEntries is how many hosts a list may have.
const MaxEntries = 32

// Hosts are those that may be told, as the operator lists them. It does not change.
type Hosts struct {
	entries []entry
	listed  []netip.Prefix // addresses that may be dialled though they are not public
	guard   *ssrf.Guardian
}

// entry is one host of a list.
type entry struct {
	text   string // as it was given
	scheme string
	host   string // a name, or an address without brackets
	below  bool   // all names below it, and not it
	port   string
}

// ParseHosts reads a list. An entry is a name, as in hooks.example.org, with a port where
// that is not the scheme's; *.example.org is every name below example.org. It means
// https; with http:// before it, http. An address, as in 10.0.0.5:8443 or [::1], is a
// host and may be dialled though it is not public; a network, as in 10.0.0.0/24, may only
// be dialled.
func ParseHosts(list []string) (*Hosts, error) {
	h := &Hosts{}
	if len(list) > MaxEntries {
		return nil, fmt.Errorf("%d hosts given, %d are allowed", len(list), MaxEntries)
	}
	for _, text := range list {
		if network, err := netip.ParsePrefix(text); err == nil {
			if network != network.Masked() || network.Bits() == 0 || network.Addr().Is4In6() {
				return nil, fmt.Errorf("%q given: a network is wanted by its first address, as in 10.0.0.0/24", text)
			}
			h.listed = append(h.listed, network)
			continue
		}
		e, err := parseEntry(text)
		if err != nil {
			return nil, fmt.Errorf("%q given: %w; wanted is a host such as hooks.example.org, *.example.org, http://10.0.0.5:8080, or a network such as 10.0.0.0/24", text, err)
		}
		if address, err := netip.ParseAddr(e.host); err == nil {
			h.listed = append(h.listed, netip.PrefixFrom(address, address.BitLen()))
		}
		h.entries = append(h.entries, *e)
	}
	var four, six []netip.Prefix
	for _, p := range h.listed {
		if p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	h.guard = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(four...), ssrf.WithAllowedV6Prefixes(six...))
	return h, nil
}

func parseEntry(text string) (*entry, error) {
	e := &entry{text: text, scheme: "https"}
	rest := text
	if scheme, host, found := strings.Cut(text, "://"); found {
		e.scheme, rest = scheme, host
	}
	if defaultPort[e.scheme] == "" {
		return nil, fmt.Errorf("scheme %q is not https or http", e.scheme)
	}
	if below, found := strings.CutPrefix(rest, "*."); found {
		rest, e.below = below, true
	}
	var err error
	if e.host, e.port, err = splitHost(strings.ToLower(rest), e.scheme); err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(e.host); err == nil && e.below {
		return nil, errors.New("nothing is below an address")
	}
	return e, nil
}

var defaultPort = map[string]string{"https": "443", "http": "80"}

// splitHost takes a host apart as it stands in a URL, in lower case. The port is the
// scheme's where none is given.
func splitHost(text, scheme string) (host, port string, err error) {
	host, port = text, defaultPort[scheme]
	if at := strings.LastIndexByte(text, ':'); at >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:at], text[at+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", fmt.Errorf("port %q is not 1 to 65535", port)
		}
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(inner, "]") || !address.Is6() || address.Is4In6() || address.Zone() != "" {
			return "", "", errors.New("what stands in brackets is no IPv6 address, has a zone, or is an IPv4 address")
		}
		return address.String(), port, nil
	}
	if address, err := netip.ParseAddr(host); err == nil && address.Is4() {
		return host, port, nil
	}
	return host, port, checkName(host)
}

// checkName wants a name that cannot be taken for an address: some resolvers read
// 2130706433, 0x7f.1 and 127.1 as one.
func checkName(name string) error {
	if len(name) > 253 {
		return fmt.Errorf("the name has %d characters, 253 are allowed", len(name))
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return errors.New("the name is none: letters, digits, - and _ are wanted between single dots, and international names in their xn-- form")
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return errors.New("a name that ends in a number could be read as an address")
	}
	return nil
}

// takes: the entry is for this host.
func (e *entry) takes(scheme, host, port string) bool {
	if scheme != e.scheme || port != e.port {
		return false
	}
	if e.below {
		return strings.HasSuffix(host, "."+e.host)
	}
	return host == e.host
}

// Len is how many hosts there are; with none nobody is ever told.
func (h *Hosts) Len() int { return len(h.entries) }

// Dial is nil for an address that may be dialled.
func (h *Hosts) Dial(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: %s", ErrAddress, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if err := h.guard.SafeAddr(to.Addr().Unmap().WithZone("")); err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	return nil
}
