package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func list(t testing.TB, entries ...string) *Hosts {
	t.Helper()
	h, err := ParseHosts(entries)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// notPublic are addresses of every special-purpose range that IANA has for IPv4 and IPv6,
// the first and the last of each, and of what leads to IPv4 addresses by detours.
var notPublic = map[string][]string{
	"this network":              {"0.0.0.0", "0.255.255.255"},
	"private, RFC 1918":         {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"},
	"shared, CGNAT":             {"100.64.0.0", "100.127.255.255"},
	"loopback":                  {"127.0.0.1", "127.255.255.255", "::1"},
	"link-local":                {"169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"protocol assignments":      {"192.0.0.0", "192.0.0.8", "192.0.0.170", "192.0.0.255", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"documentation":             {"192.0.2.0", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"AS112":                     {"192.31.196.0", "192.31.196.255", "192.175.48.0", "192.175.48.255", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"},
	"AMT":                       {"192.52.193.0", "192.52.193.255", "2001:3::1"},
	"6to4 relays":               {"192.88.99.0", "192.88.99.255"},
	"benchmarks":                {"198.18.0.0", "198.19.255.255", "2001:2::1"},
	"multicast":                 {"224.0.0.0", "239.255.255.255", "ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"reserved and broadcast":    {"240.0.0.0", "255.255.255.254", "255.255.255.255"},
	"unspecified":               {"::"},
	"IPv4-mapped":               {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"},
	"IPv4-compatible":           {"::7f00:1", "::a00:1"},
	"NAT64":                     {"64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
	"discard only":              {"100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::1"},
	"Teredo, ORCHID, DRIP":      {"2001:0:7f00:1::1", "2001:10::1", "2001:20::1", "2001:30::1"},
	"6to4":                      {"2002:7f00:1::1", "2002:a00:1::1", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"segment routing":           {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"unique local":              {"fc00::", "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	"site-local, deprecated":    {"fec0::1"},
	"not assigned":              {"1::1", "4000::1", "e000::1"},
	"link-local with its zone":  {"fe80::1%lo"},
	"loopback with a zone":      {"::1%lo"},
	"IPv4-mapped with its zone": {"::ffff:127.0.0.1%lo"},
}

// public is the control: what is next to some of them.
var public = []string{"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "8.8.8.8",
	"2000::1", "2001:200::1", "2001:4860:4860::8888", "2600::1", "2003::1", "3ffe::1", "::ffff:8.8.8.8"}

func join(address string) string {
	return netip.AddrPortFrom(netip.MustParseAddr(address), 443).String()
}

func TestOnlyPublicAddresses(t *testing.T) {
	h := list(t, "hooks.example.org")
	for kind, all := range notPublic {
		for _, address := range all {
			if err := h.Dial("tcp4", join(address)); !errors.Is(err, ErrAddress) {
				t.Errorf("%s, %s: may be dialled: %v", address, kind, err)
			}
			// What the operator lists may be, and only that.
			bare := netip.MustParseAddr(address).WithZone("").Unmap()
			listed := list(t, "hooks.example.org", netip.PrefixFrom(bare, bare.BitLen()).String())
			if err := listed.Dial("tcp6", join(address)); err != nil {
				t.Errorf("%s, %s: listed and refused: %v", address, kind, err)
			}
			if other := bare.Next(); other.IsValid() && listed.Dial("tcp4", join(other.String())) == nil && h.Dial("tcp4", join(other.String())) != nil {
				t.Errorf("%s: %s may be dialled, too", address, other)
			}
		}
	}
	for _, address := range public {
		if err := h.Dial("tcp6", join(address)); err != nil {
			t.Errorf("%s is public and refused: %v", address, err)
		}
	}
	for _, network := range []string{"udp4", "unix", "tcp", ""} {
		if h.Dial(network, "8.8.8.8:443") == nil {
			t.Errorf("network %q may be dialled", network)
		}
	}
	for _, address := range []string{"", "8.8.8.8", "host:443", "/run/socket"} {
		if h.Dial("tcp4", address) == nil {
			t.Errorf("address %q may be dialled", address)
		}
	}
}

func TestListedNetworks(t *testing.T) {
	h := list(t, "hooks.example.org", "10.1.0.0/16", "fd00:1::/32", "192.168.7.7:8443")
	for address, may := range map[string]bool{"10.1.255.255": true, "10.2.0.0": false, "fd00:1:2::3": true, "fd00:2::1": false, "192.168.7.7": true,
		"192.168.7.8": false, "::ffff:10.1.0.1": true, "::ffff:10.2.0.1": false, "127.0.0.1": false} {
		if err := h.Dial("tcp4", join(address)); (err == nil) != may {
			t.Errorf("%s: %v, want %t", address, err, may)
		}
	}
	if _, err := h.Check("https://10.1.0.1/"); !errors.Is(err, ErrHost) {
		t.Errorf("a network is no host: %v", err)
	}
}

func TestURLs(t *testing.T) {
	h := list(t, "hooks.example.org", "Odd.Example.org:8443", "*.wild.example", "http://plain.example", "http://10.0.0.5:8080", "https://[fd00::5]", "xn--bcher-kva.example")
	for text, want := range map[string]Target{
		"https://hooks.example.org":              {Host: "hooks.example.org:443", Entry: "hooks.example.org"},
		"https://hooks.example.org/a/b?c=d%20e":  {Host: "hooks.example.org:443", Entry: "hooks.example.org"},
		"https://hooks.example.org?x":            {Host: "hooks.example.org:443", Entry: "hooks.example.org"},
		"https://HOOKS.example.ORG:443/":         {Host: "hooks.example.org:443", Entry: "hooks.example.org"},
		"https://odd.example.org:8443/x":         {Host: "odd.example.org:8443", Entry: "Odd.Example.org:8443"},
		"https://a.wild.example/":                {Host: "a.wild.example:443", Entry: "*.wild.example"},
		"https://a.b.wild.example/":              {Host: "a.b.wild.example:443", Entry: "*.wild.example"},
		"http://plain.example/":                  {Host: "plain.example:80", Entry: "http://plain.example"},
		"http://10.0.0.5:8080/":                  {Host: "10.0.0.5:8080", Entry: "http://10.0.0.5:8080"},
		"https://[fd00::5]/":                     {Host: "[fd00::5]:443", Entry: "https://[fd00::5]"},
		"https://[FD00:0::5]:443/":               {Host: "[fd00::5]:443", Entry: "https://[fd00::5]"},
		"https://xn--bcher-kva.example/":         {Host: "xn--bcher-kva.example:443", Entry: "xn--bcher-kva.example"},
		"https://hooks.example.org/http://other": {Host: "hooks.example.org:443", Entry: "hooks.example.org"},
	} {
		got, err := h.Check(text)
		if want.URL = text; err != nil || *got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"https://example.org/", "https://hooks.example.org:8443/", "https://odd.example.org/", "http://hooks.example.org/",
		"https://wild.example/", "https://awild.example/", "https://hooks.example.org.evil.example/", "https://evilhooks.example.org/", "https://plain.example/",
		"http://plain.example:8080/", "http://10.0.0.5/", "https://10.0.0.5:8080/", "http://10.0.0.6:8080/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/"} {
		if got, err := h.Check(text); !errors.Is(err, ErrHost) {
			t.Errorf("%s: %+v, %v, want: not in the list", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "hooks.example.org", "//hooks.example.org/", "ftp://hooks.example.org/", "file:///etc/passwd", "HTTPS://hooks.example.org/",
		"https:hooks.example.org", "https:/hooks.example.org", "https:///hooks.example.org", "https://", "https:///", "https://user@hooks.example.org/",
		"https://user:password@hooks.example.org/", "https://hooks.example.org@evil.example/", "https://evil.example\\@hooks.example.org/", "https://hooks.example.org\\.evil.example",
		"https://hooks.example.org/#fragment", "https://hooks.example.org#@evil.example/", "https://hooks.example.org:0/", "https://hooks.example.org:65536/",
		"https://hooks.example.org:0443/", "https://hooks.example.org:/", "https://hooks.example.org:x/", "https://hooks.example.org./", "https://.hooks.example.org/",
		"https://hooks..example.org/", "https://h%6foks.example.org/", "https://hooks.example.org%2eevil.example/", "https://bücher.example/", "https://hooks.example.org/ä",
		"https://hooks.example.org/a b", "https://hooks.example.org/\r\nX: y", " https://hooks.example.org/", "https://2130706433/", "https://0x7f.1/", "https://0x7f000001/",
		"https://127.1/", "https://0177.0.0.1/", "https://[::ffff:10.0.0.5]/", "https://[fe80::1%25lo]/", "https://[fd00::5/", "https://fd00::5/", "https://[10.0.0.5]:8080/",
		"https://a_b.1/", "https://-a.wild.example/", "https://*.wild.example/", "https://hooks.example.org,evil.example/",
		"https://hooks.example.org/" + strings.Repeat("x", MaxURL)} {
		if got, err := h.Check(text); !errors.Is(err, ErrURL) {
			t.Errorf("%q: %+v, %v, want: no URL", text, got, err)
		}
	}
}

func TestBadLists(t *testing.T) {
	for _, text := range []string{"*", "*.", "", "https://", "ftp://a.example", "a.example/path", "user@a.example", "*.10.0.0.1", "a.*.example", "*a.example", "10.0.0.1/8",
		"0.0.0.0/0", "::/0", "a.example:0", "a.example:99999", "2130706433", "a.example.", "fd00::5", "[::ffff:10.0.0.1]", "::ffff:10.0.0.0/120", "[fe80::1%lo]", "bücher.example"} {
		if h, err := ParseHosts([]string{text}); err == nil {
			t.Errorf("%q was taken: %+v", text, h.entries)
		}
	}
	if _, err := ParseHosts(make([]string, MaxEntries+1)); err == nil {
		t.Error("a list without end was taken")
	}
	if h := list(t); h.Len() != 0 {
		t.Error("nobody is listed")
	} else if _, err := h.Check("https://hooks.example.org/"); !errors.Is(err, ErrHost) {
		t.Errorf("an empty list allows: %v", err)
	}
}

// FuzzURL: what is allowed is what Go's own client would connect to, and stands in the
// list.
func FuzzURL(f *testing.F) {
	h := list(f, "hooks.example.org", "*.wild.example", "http://10.0.0.5:8080", "https://[fd00::5]:8443")
	for _, text := range []string{"https://hooks.example.org/a?b", "https://a.wild.example", "http://10.0.0.5:8080/", "https://[fd00::5]:8443/", "https://hooks.example.org@evil.example/",
		"https://evil.example\\@hooks.example.org/", "https://h%6foks.example.org/", "https://0x7f.1/", "https://hooks.example.org:443:443/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := h.Check(text)
		if err != nil {
			if !errors.Is(err, ErrURL) && !errors.Is(err, ErrHost) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		u, err := url.Parse(target.URL)
		if err != nil || u.User != nil || u.Fragment != "" {
			t.Fatalf("%q: %v, %v", text, u, err)
		}
		host := strings.ToLower(u.Hostname())
		if address, err := netip.ParseAddr(host); err == nil {
			host = address.String()
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		switch where := u.Scheme + " " + host + " " + port; {
		case where == "https hooks.example.org 443", where == "http 10.0.0.5 8080", where == "https fd00::5 8443",
			u.Scheme == "https" && port == "443" && strings.HasSuffix(host, ".wild.example") && len(host) > len(".wild.example"):
		default:
			t.Fatalf("%q leads to %s", text, where)
		}
	})
}
