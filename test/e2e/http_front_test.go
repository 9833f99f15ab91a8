package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cordon/internal/testkit"
)

// frontDoor is what a page in a browser on this machine, a name that leads here,
// or a broken proxy may send with a valid token. OWN stands for the listener's
// address, PORT for its port. The whole table is in the unit tests of the HTTP layer.
var frontDoor = []struct {
	name     string
	line     string
	headers  string
	statuses []int
}{
	{"own address", "POST /v1/run HTTP/1.1", "Host: OWN", []int{200}},
	{"localhost", "POST /v1/run HTTP/1.1", "Host: localhost:PORT", []int{200}},
	{"name of the flag", "POST /v1/run HTTP/1.1", "Host: site.example", []int{200}},
	{"second name of the flag", "POST /v1/run HTTP/1.1", "Host: other.example:9443\r\nOrigin: https://other.example:9443", []int{200}},
	{"HTTP/1.0", "POST /v1/run HTTP/1.0", "Host: OWN", []int{200}},
	{"rebound name", "POST /v1/run HTTP/1.1", "Host: evil.example:PORT\r\nOrigin: http://evil.example:PORT\r\nSec-Fetch-Site: same-origin", []int{421}},
	{"another port", "POST /v1/run HTTP/1.1", "Host: localhost:1", []int{421}},
	{"no port", "POST /v1/run HTTP/1.1", "Host: localhost", []int{421}},
	{"no Host in HTTP/1.0", "POST /v1/run HTTP/1.0", "X: y", []int{421}},
	{"no Host", "POST /v1/run HTTP/1.1", "X: y", []int{400}},
	{"two Hosts", "POST /v1/run HTTP/1.1", "Host: OWN\r\nHost: evil.example", []int{400}},
	{"another origin", "POST /v1/run HTTP/1.1", "Host: OWN\r\nOrigin: http://localhost:3000", []int{403}},
	{"opaque origin", "POST /v1/run HTTP/1.1", "Host: OWN\r\nOrigin: null", []int{403}},
	{"cross-site", "POST /v1/run HTTP/1.1", "Host: OWN\r\nSec-Fetch-Site: cross-site", []int{403}},
	{"asking first", "OPTIONS /v1/run HTTP/1.1", "Host: OWN\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST", []int{403}},
	{"two lengths", "POST /v1/run HTTP/1.1", "Host: OWN\r\nTransfer-Encoding: chunked", []int{400}},
	{"folded header", "POST /v1/run HTTP/1.1", "Host: OWN\r\nX: a\r\n b", []int{400}},
	{"bare line feed", "POST /v1/run HTTP/1.1", "Host: OWN\nX: y", []int{400}},
	{"packed body", "POST /v1/run HTTP/1.1", "Host: OWN\r\nContent-Encoding: gzip", []int{415}},
	{"redirect of a path", "POST //v1/run HTTP/1.1", "Host: OWN", []int{404}},
	{"HTTP/2", "PRI * HTTP/2.0", "", []int{400}},
	{"ten thousand headers", "POST /v1/run HTTP/1.1", "Host: OWN" + strings.Repeat("\r\nA: b", 10000), []int{431}},
}

// TestFrontDoor sends it to a real service, and looks whether a job ran.
func TestFrontDoor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api")
	d := testkit.StartDaemon(t, "--languages", "sh", "--socket", socket, "--allow-host", "site.example,Other.example:9443")
	s := newService(d.URL, d.Token)
	_, port, err := net.SplitHostPort(s.address())
	if err != nil {
		t.Fatal(err)
	}
	send := func(t *testing.T, network, addr, line, headers string) []rawAnswer {
		text := line + "\r\n" + headers + "\r\nConnection: close\r\nAuthorization: Bearer " + d.Token +
			"\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n" + `{"command":["true"]}`
		return exchange(t, network, addr, strings.NewReplacer("OWN", s.address(), "PORT", port).Replace(text))
	}
	for _, c := range frontDoor {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			before := jobsSeen(t, s)
			got := send(t, "tcp", s.address(), c.line, c.headers)
			if !slices.Equal(statuses(got), c.statuses) {
				t.Fatalf("%v, want %v", statuses(got), c.statuses)
			}
			for name := range got[0].header {
				if strings.HasPrefix(name, "Access-Control-") || name == "Location" {
					t.Errorf("%s: %s", name, got[0].header.Get(name))
				}
			}
			if ran := jobsSeen(t, s) - before; (ran == 1) != (c.statuses[0] == 200) || ran > 1 {
				t.Errorf("%v jobs ran", ran)
			}
		})
	}
	t.Run("unix_socket", func(t *testing.T) {
		for host, want := range map[string]int{"Host: anything": 200, "Host: site.example\r\nOrigin: https://evil.example": 403} {
			if got := send(t, "unix", socket, "POST /v1/run HTTP/1.1", host); !slices.Equal(statuses(got), []int{want}) {
				t.Errorf("%q: %v, want %d", host, statuses(got), want)
			}
		}
	})
}

// TestAllowHostRefused: a name that no client can send is told at the start.
func TestAllowHostRefused(t *testing.T) {
	for _, c := range []struct{ args, env []string }{{args: []string{"--allow-host", "https://site.example"}}, {env: []string{"CORDON_ALLOW_HOST=*"}}} {
		cmd := testkit.Command(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--state", t.TempDir()}, c.args...)...)
		cmd.Env = append(os.Environ(), c.env...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "allow-host: ") {
			t.Errorf("%v: %v: %s", c, err, out)
		}
	}
}
