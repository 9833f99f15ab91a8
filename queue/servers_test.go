package queue

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// servers are three that hold one journal together.
type servers struct {
	t       *testing.T
	options []*server.Options
	all     []*server.Server
}

func startServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{t: t, all: make([]*server.Server, 3)}
	var routes []*url.URL
	var ports [2][3]int
	for kind := range ports {
		for i := range ports[kind] {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			ports[kind][i] = l.Addr().(*net.TCPAddr).Port
		}
	}
	for _, port := range ports[1] {
		routes = append(routes, &url.URL{Scheme: "nats", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	}
	for i := range s.all {
		s.options = append(s.options, &server.Options{ServerName: fmt.Sprint("server", i), Host: "127.0.0.1", Port: ports[0][i], JetStream: true, StoreDir: t.TempDir(),
			SyncAlways: true, NoSigs: true, NoLog: true, Cluster: server.ClusterOpts{Name: "cordon", Host: "127.0.0.1", Port: ports[1][i]}, Routes: routes})
	}
	t.Cleanup(func() {
		for i := range s.all {
			s.end(i)
		}
	})
	return s
}

func (s *servers) begin(i int) {
	s.t.Helper()
	one, err := server.NewServer(s.options[i])
	if err != nil {
		s.t.Fatal(err)
	}
	s.all[i] = one
	one.Start()
}

func (s *servers) end(i int) {
	if s.all[i] != nil {
		s.all[i].Shutdown()
		s.all[i].WaitForShutdown()
		s.all[i] = nil
	}
}

// leader is the server that leads the journal, of those that are there.
func (s *servers) leader() int {
	for i, one := range s.all {
		if one != nil && one.JetStreamIsStreamLeader("$G", streamName) {
			return i
		}
	}
	return -1
}

func (s *servers) open(t testing.TB) Journal {
	t.Helper()
	var urls []string
	for _, o := range s.options {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", o.Port))
	}
	var j Journal
	until(t, "the servers answer", func() (so bool) {
		var err error
		j, err = Connect(t.Context(), Remote{URL: strings.Join(urls, ","), Replicas: 3}, slog.New(slog.DiscardHandler))
		return err == nil
	})
	return j
}

// TestThreeServers has the journal on three servers, of which the one that leads is ended
// while jobs come and run: nothing is lost, and nothing begun twice.
// CORDON_TEST_SERVERS has how often that happens, each time to the next leader.
func TestThreeServers(t *testing.T) {
	t.Parallel() // it mostly waits
	s := startServers(t)
	for i := range s.all {
		s.begin(i)
	}
	c := hire(t, s, 2, 2, func() { time.Sleep(time.Millisecond) })
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("CORDON_TEST_SERVERS")); err == nil {
		rounds = n
	}
	jobs := 60 * rounds
	next := make(chan int)
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for i := range next {
				id := fmt.Sprintf("job%05d", i)
				until(t, id+" is taken", func() bool { // what was not acknowledged is sent again, with its key
					_, _, err := c.api.Submit(t.Context(), Submission{ID: id, Request: []byte("request of " + id), Priority: Normal, TTL: time.Hour, Key: id})
					return err == nil
				})
			}
		})
	}
	ended := -1
	for i := range jobs {
		next <- i
		if i%60 != 20 {
			continue
		}
		if ended >= 0 {
			s.begin(ended)
			back := s.all[ended]
			until(t, "the server is back", func() bool { return back.JetStreamIsCurrent() })
		}
		until(t, "there is a leader", func() bool { return s.leader() >= 0 })
		ended = s.leader()
		s.end(ended)
	}
	close(next)
	senders.Wait()
	c.finished(jobs)
}

// finished: every job has its result, and was begun once for each attempt that its record
// knows of.
func (c *crew) finished(jobs int) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.tell()
		}
	}()
	until(c.t, "all have ended", func() bool { return c.api.Stats().Jobs[Done] == int64(jobs) })
	page, more := c.api.List("", "", jobs+1)
	if len(page) != jobs || more {
		c.t.Errorf("%d jobs, want %d", len(page), jobs)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range page {
		r := &page[i]
		if n := c.begun[r.ID]; n != 1 || r.Attempts != 1 {
			c.t.Errorf("%s was begun %d times, with %d attempts", r.ID, n, r.Attempts)
		}
		if result := c.api.result(r.ID); result != "result of "+r.ID {
			c.t.Errorf("%s: %q", r.ID, result)
		}
	}
}

// tell says what every service knows of the jobs that have not ended.
func (c *crew) tell() {
	for _, q := range append([]*opened{c.api}, c.all...) {
		c.t.Logf("%s: %v, %d can be begun, leased %t, refused %d", q.config.Worker, q.Stats().Jobs, q.Waiting(), q.leased(), q.Refused())
		if q.config.Abilities != nil {
			ctx, stop := context.WithTimeout(c.t.Context(), reply)
			c.t.Logf("  a beat: %v", q.beat(ctx))
			stop()
		}
		for _, state := range []State{Queued, Running} {
			page, _ := q.List(state, "", 5)
			for i := range page {
				r := &page[i]
				known, err := q.lookUp(c.t.Context(), r.ID)
				c.t.Logf("  %s is %s, %d attempts, by %s; the journal: %s, %d attempts, by %s: %v", r.ID, r.State, r.Attempts, r.Worker, known.State, known.Attempts, known.Worker, err)
			}
		}
	}
}
