package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cordon/internal/testkit"
)

// slowClients is how many attack at once: more than the service has places for
// connections, which is the point.
const slowClients = 1000

// memoryOfAttack is what the memory of the service may grow by meanwhile: the
// buffers, goroutines and kernel structures of its few hundred connections, and
// garbage that has not been collected yet.
const memoryOfAttack = 32 << 20

// TestSlowClients: from the very address of a good client, a thousand slow ones
// keep it from nothing, cost little, and leave nothing. slowhttptest is the attack
// where an exec is not dear; clients of our own send the same everywhere.
func TestSlowClients(t *testing.T) {
	t.Parallel() // it waits most of the time
	d := testkit.StartDaemon(t, "--languages", "sh")
	s := newService(d.URL, d.Token)
	s.run(t, object{"command": []string{"true"}}).want(t, "ok")
	first := load(t, d, s)
	defer func() {
		if last := load(t, d, s); last.memory-first.memory > memoryOfAttack {
			t.Errorf("after all: %v, at first %v", last, first)
		}
	}()
	for _, mode := range []struct {
		name, request string // of each connection; the rest follows a byte at a time
		reads         bool
	}{
		{"headers", "GET /v1/policies HTTP/1.1\r\nHost: " + s.address() + "\r\nX-Slow: ", true},
		{"body", "POST /v1/run HTTP/1.1\r\nHost: " + s.address() + "\r\nContent-Type: application/json\r\nContent-Length: 8192\r\n\r\n{", true},
		{"read", strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: "+s.address()+"\r\n\r\n", 50), false},
		{"nothing", "", true},
	} {
		t.Run("own_"+mode.name, func(t *testing.T) {
			withstand(t, d, s, 12*time.Second, func(ctx context.Context) { ownSlowClients(ctx, s.address(), mode.request, mode.reads) })
		})
	}
	if os.Getenv(slowVar) != "" {
		t.Logf("%s is set: slowhttptest is left to machines of its own speed; the clients above have sent the same", slowVar)
		return
	}
	for _, mode := range []struct {
		name string
		args []string
	}{
		{"headers", []string{"-H", "-i", "2", "-x", "24", "-u", s.url + "/v1/policies"}},
		{"body", []string{"-B", "-i", "2", "-x", "24", "-s", "8192", "-f", "application/json", "-u", s.url + "/v1/run"}},
		{"read", []string{"-X", "-w", "1", "-y", "64", "-n", "2", "-z", "5", "-k", "10", "-u", s.url + "/openapi.yaml"}},
	} {
		t.Run("slowhttptest_"+mode.name, func(t *testing.T) {
			withstand(t, d, s, time.Minute, func(ctx context.Context) { slowhttptest(ctx, t, mode.args) })
		})
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// slowhttptest runs Debian's program of that name for ten seconds.
func slowhttptest(ctx context.Context, t *testing.T, args []string) {
	args = append(args, "-c", fmt.Sprint(slowClients), "-r", "500", "-l", "10", "-p", "3", "-v", "1")
	out, err := exec.CommandContext(ctx, "slowhttptest", args...).CombinedOutput()
	text := string(out)
	if err != nil && ctx.Err() == nil {
		t.Errorf("slowhttptest: %v; make test installs it: %s", err, text)
		return
	}
	if at := strings.LastIndex(text, "slow HTTP test status"); at >= 0 {
		t.Log(strings.Join(strings.Fields(colours.ReplaceAllString(text[at:], "")), " "))
	}
	if !strings.Contains(text, "service available:") {
		t.Errorf("slowhttptest has not attacked: %s", text)
	}
}

// persist asks as clients do that know of networks: a connection that is closed
// before there is an answer is tried again, for under a flood a new one may have to
// go before its token was read. It says how often.
func persist(t *testing.T, s *service, method, path, body string) (answer []byte, again int) {
	t.Helper()
	for ; ; again++ {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		answer, err = answered(s, req)
		if err == nil {
			return answer, again
		}
		if again == 5 {
			t.Fatalf("%s: no answer in %d tries: %v", path, again+1, err)
		}
	}
}

func answered(s *service, req *http.Request) ([]byte, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// withstand asks as a good client does while an attack goes on, which is so long at most,
// and looks at the service before, meanwhile and afterwards.
func withstand(t *testing.T, d *testkit.Daemon, s *service, long time.Duration, attack func(context.Context)) {
	before := atRest(t, d, s)
	ctx, stop := context.WithTimeout(t.Context(), long)
	defer stop()
	var attacking sync.WaitGroup
	attacking.Go(func() { attack(ctx); stop() })
	most, answers, again := before, 0, 0
	kept := newService(s.url, s.token) // one connection for all that it asks
	for ctx.Err() == nil {
		fresh := newService(s.url, s.token)
		fresh.client.Transport = &http.Transport{DisableKeepAlives: true}
		for _, client := range []*service{kept, fresh} {
			text, tries := persist(t, client, http.MethodPost, "/v1/run", `{"command": ["true"]}`)
			var r result
			if err := json.Unmarshal(text, &r); err != nil || r.Verdict != "ok" {
				t.Fatalf("%v: %s", err, text)
			}
			again += tries
			answers++
		}
		now := load(t, d, fresh)
		most = pressure{max(most.memory, now.memory), max(most.fds, now.fds), max(most.connections, now.connections), now.dropped, now.refused}
		time.Sleep(50 * time.Millisecond)
	}
	attacking.Wait()
	kept.client.CloseIdleConnections()
	var after pressure
	for range 1200 { // what the service holds by then ends with a time limit of its own
		s.client.CloseIdleConnections()
		if after = load(t, d, s); after.fds <= before.fds && after.connections <= before.connections {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d answers meanwhile, %d of them to a second try; before %v; at most %v; after %v", answers, again, before, most, after)
	if after.fds > before.fds || after.connections > before.connections {
		t.Errorf("connections or descriptors are left: %v, before %v", after, before)
	}
	for when, memory := range map[string]float64{"meanwhile": most.memory, "afterwards": after.memory} {
		if grown := memory - before.memory; grown > memoryOfAttack {
			t.Errorf("%s the service has grown by %.0f MiB", when, grown/(1<<20))
		}
	}
	// Those who send a body without the token are answered, and are gone.
	if most.connections < 100 && after.refused-before.refused < slowClients/2 {
		t.Errorf("there was no attack: %v connections at most, %v refused requests", most.connections, after.refused-before.refused)
	}
	if answers < 4 {
		t.Errorf("only %d answers meanwhile", answers)
	}
}

// pressure is what clients cost the service.
type pressure struct{ memory, fds, connections, dropped, refused float64 }

func (p pressure) String() string {
	return fmt.Sprintf("%.1f MiB, %.0f descriptors, %.0f connections (%.0f dropped), %.0f requests refused", p.memory/(1<<20), p.fds, p.connections, p.dropped, p.refused)
}

func load(t *testing.T, d *testkit.Daemon, s *service) pressure {
	t.Helper()
	text, _ := persist(t, s, http.MethodGet, "/metrics", "")
	m := samples(text)
	files := float64(openFiles(t, testkit.Descendants(t, d.Pid)))
	return pressure{m["process_resident_memory_bytes"], files, m["cordon_connections"], m["cordon_connections_dropped_total"],
		m[`cordon_http_requests_total{route="other",status="4xx"}`]}
}

// atRest waits until the service has cleared up behind its jobs and has its warm
// cells again: until then it has fewer descriptors, or more.
func atRest(t *testing.T, d *testkit.Daemon, s *service) pressure {
	t.Helper()
	before := load(t, d, s)
	for range 100 {
		time.Sleep(200 * time.Millisecond)
		now := load(t, d, s)
		if now.fds == before.fds && metrics(t, s)["cordon_clearing_cells"] == 0 {
			return now
		}
		before = now
	}
	t.Fatal("the service does not come to rest")
	return pressure{}
}

// ownSlowClients keeps a thousand connections busy until ctx ends; one that the
// service closes is made anew.
func ownSlowClients(ctx context.Context, addr, request string, reads bool) {
	var all sync.WaitGroup
	for range slowClients {
		all.Go(func() {
			for ctx.Err() == nil {
				slowClient(ctx, addr, request, reads)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	all.Wait()
}

// slowClient sends a request and then a byte every half second, until the service
// closes the connection.
func slowClient(ctx context.Context, addr, request string, reads bool) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return // the queue of the listener is full
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if !reads {
		_ = c.(*net.TCPConn).SetReadBuffer(1) // the kernel's least
	}
	if _, err := io.WriteString(c, request); err != nil {
		return
	}
	if request == "" || !reads {
		<-ctx.Done()
		return
	}
	for ctx.Err() == nil {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
}
