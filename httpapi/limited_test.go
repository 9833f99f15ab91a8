package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// scripted gives connections as a test wants them.
type scripted struct{ next chan net.Conn }

func (s scripted) Accept() (net.Conn, error) {
	c, ok := <-s.next
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (s scripted) Close() error   { close(s.next); return nil }
func (s scripted) Addr() net.Addr { return &net.TCPAddr{} }

// crowd is a limited listener without a network.
type crowd struct {
	*limitedListener
	t    *testing.T
	next chan net.Conn
}

func newCrowd(t *testing.T, max int) *crowd {
	next := make(chan net.Conn, 1)
	return &crowd{limited(scripted{next}, max, connectionMetrics{prometheus.NewGauge(prometheus.GaugeOpts{}), prometheus.NewCounter(prometheus.CounterOpts{})}), t, next}
}

// reads gives a metric's number.
func reads(m prometheus.Metric) float64 {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		panic(err)
	}
	return out.GetGauge().GetValue() + out.GetCounter().GetValue()
}

// comes accepts a connection of this peer.
func (c *crowd) comes(ip string) *limitedConn {
	c.t.Helper()
	c.next <- &readOnly{r: strings.NewReader(""), remote: &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
	conn, err := c.Accept()
	if err != nil {
		c.t.Fatal(err)
	}
	return conn.(*limitedConn)
}

// holds checks which connections are open, places included.
func (c *crowd) holds(open, closed []*limitedConn) {
	c.t.Helper()
	for i, conn := range open {
		if conn.Conn.(*readOnly).closed || conn.place == nil {
			c.t.Errorf("open[%d] was closed", i)
		}
	}
	for i, conn := range closed {
		if !conn.Conn.(*readOnly).closed || conn.place != nil {
			c.t.Errorf("closed[%d] is open", i)
		}
	}
	if int(reads(c.metrics.open)) != c.all.Len() {
		c.t.Errorf("the metric says %v, %d are open", reads(c.metrics.open), c.all.Len())
	}
}

func (c *limitedConn) asks() { trust(withConnection(context.Background(), c)) }
func (c *limitedConn) idle() { answered(c, http.StateIdle) }

// TestLimitedStrangersGoFirst: who never showed the token gives way, then who is
// idle, and nobody who is being answered.
func TestLimitedStrangersGoFirst(t *testing.T) {
	c := newCrowd(t, 4)
	var all []*limitedConn
	for i := range 4 {
		all = append(all, c.comes(fmt.Sprintf("10.0.0.%d", i)))
	}
	all[0].asks()
	all[0].idle()
	all[1].asks()
	all[3].idle() // an answer to a stranger changes nothing
	e := c.comes("10.0.1.1")
	c.holds([]*limitedConn{all[0], all[1], all[3], e}, []*limitedConn{all[2]})
	f := c.comes("10.0.1.2")
	c.holds([]*limitedConn{all[0], all[1], e, f}, []*limitedConn{all[3]})
	e.asks()
	f.asks()
	g := c.comes("10.0.1.3") // the one that is known, and idle
	c.holds([]*limitedConn{all[1], e, f, g}, all[:1])
	g.asks()
	e.idle()
	all[1].idle() // later than e
	h := c.comes("10.0.1.4")
	c.holds([]*limitedConn{all[1], f, g, h}, []*limitedConn{e})
	if got := reads(c.metrics.dropped); got != 4 {
		t.Errorf("%v dropped, want 4", got)
	}
	for _, conn := range []*limitedConn{all[1], f, g, h, e} {
		conn.Close()
		conn.Close() // a place is given back once
	}
	if c.all.Len() != 0 || len(c.peers) != 0 {
		t.Errorf("%d places, peers %v", c.all.Len(), c.peers)
	}
}

// TestLimitedWaits: when all are being answered, a new one waits for a place, and
// the end of the listener ends that.
func TestLimitedWaits(t *testing.T) {
	c := newCrowd(t, 2)
	a, b := c.comes("10.0.0.1"), c.comes("10.0.0.2")
	a.asks()
	b.asks()
	accepted := make(chan *limitedConn)
	go func() { accepted <- c.comes("10.0.0.3") }()
	select {
	case <-accepted:
		t.Error("a third connection was taken")
	case <-time.After(50 * time.Millisecond):
	}
	b.Close()
	third := <-accepted
	third.asks()
	ended := make(chan error)
	c.next <- &readOnly{remote: &net.TCPAddr{IP: net.ParseIP("10.0.0.4")}}
	go func() {
		_, err := c.Accept()
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond)
	c.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	c.holds([]*limitedConn{a, third}, []*limitedConn{b})
}

// TestLimitedPerPeer: one peer has three quarters, its own connections give way to
// its new ones, and a new one is not taken when all are being answered.
func TestLimitedPerPeer(t *testing.T) {
	c := newCrowd(t, 8)
	other := c.comes("10.0.0.2")
	var all []*limitedConn
	for range 6 {
		all = append(all, c.comes("2001:db8::1")) // and its /64
	}
	for _, conn := range all[1:] {
		conn.asks()
	}
	next := c.comes("2001:db8::2")
	c.holds(append([]*limitedConn{other, next}, all[1:]...), all[:1])
	next.asks()
	refused := &readOnly{remote: &net.TCPAddr{IP: net.ParseIP("2001:db8::3")}}
	c.next <- refused
	go func() { c.next <- &readOnly{remote: &net.TCPAddr{IP: net.ParseIP("10.0.0.2")}} }()
	got, err := c.Accept()
	if err != nil || got.(*limitedConn).peer != "10.0.0.2" || !refused.closed {
		t.Errorf("%v %+v, refused: %v", err, got, refused.closed)
	}
	c.holds([]*limitedConn{other, next}, nil)
}

func TestPeerOf(t *testing.T) {
	for remote, want := range map[string]string{"127.0.0.1:5": "127.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::/64",
		"[2001:db8:1:2:9::]:7": "2001:db8:1:2::/64", "[fe80::1%lo]:5": "fe80::/64", "@": "", "": "", "/run/s": ""} {
		if got := peerOf(remote); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}

// TestStrangersCannotFill: with every place taken by those who say nothing, who
// has the token is answered, over new connections and from the same address.
func TestStrangersCannotFill(t *testing.T) {
	s := serveWith(t, time.Hour, nil, func(c *Config) { c.MaxConns = 8 })
	var silent []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
		if r := <-s.post(t); r == nil || r.status != 200 {
			t.Fatalf("%+v", r)
		}
		s.client.CloseIdleConnections()
	}
	if m := s.scrape(t); m.value("cordon_connections_dropped_total") < 40 || m.value("cordon_connections") > 8 {
		t.Errorf("dropped %v, open %v", m.value("cordon_connections_dropped_total"), m.value("cordon_connections"))
	}
	for _, c := range silent {
		c.Close()
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}
