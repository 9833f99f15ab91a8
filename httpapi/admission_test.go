package httpapi

import (
	"context"
	"strings"
	"sync"
	"testing"

	"cordon/sandbox"
)

// gate holds every job until it is opened.
type gate struct {
	arrived chan *sandbox.Job
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan *sandbox.Job, 16), make(chan struct{})} }

func (g *gate) run(_ context.Context, j *sandbox.Job) (*sandbox.Result, error) {
	g.arrived <- j
	<-g.open
	return ended(j, sandbox.OK), nil
}

// TestQueueFull: with every place taken the answer comes before the body is read,
// and only jobs need a place.
func TestQueueFull(t *testing.T) {
	s := start(t, func(c *Config) { c.MaxJobs = 2 })
	g := newGate()
	s.runner.does(g.run)
	var inside sync.WaitGroup
	for range 2 {
		inside.Go(func() {
			if r := s.run(t, `{"command":["true"]}`); r.status != 200 {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
		<-g.arrived
	}
	for range 3 {
		r := s.direct(t, "POST", runPath, unreadable{t})
		p := r.wants(t, CodeQueueFull, "")
		if r.header.Get("Retry-After") != "1" || !strings.Contains(p.Detail, "2 jobs") {
			t.Errorf("%v %s", r.header, p.Detail)
		}
	}
	if r := s.run(t, `{"command":["true"]}`); r.status != 503 {
		t.Errorf("over a connection: %d", r.status)
	}
	for _, path := range []string{"/v1/policies", "/healthz", "/readyz"} {
		if r := s.send(t, "GET", path, nil); r.status != 200 {
			t.Errorf("%s with a full service: %d", path, r.status)
		}
	}
	if m := s.scrape(t); m.value("cordon_jobs_inside") != 2 || m.value("cordon_refused_total", "code", "queue_full") != 4 {
		t.Errorf("inside %v, refused %v", m.value("cordon_jobs_inside"), m.value("cordon_refused_total", "code", "queue_full"))
	}
	close(g.open)
	inside.Wait()
	s.runner.does(succeed)
	for range 3 {
		if r := s.run(t, `{"command":["true"]}`); r.status != 200 {
			t.Errorf("afterwards: %d %s", r.status, r.body)
		}
	}
	if s.runner.count() != 5 {
		t.Errorf("%d jobs ran, want 5", s.runner.count())
	}
}

// TestPlaceGivenBack: however a request ends, its place is free again.
func TestPlaceGivenBack(t *testing.T) {
	s := start(t, func(c *Config) { c.MaxJobs, c.MaxBody = 0, 1000 }) // 0 is as good as 1
	for _, body := range []string{`{`, `{"command":[]}`, `{"policy":"x","command":["a"]}`, `{"stdin":"` + strings.Repeat("x", 2000) + `"}`, `{"command":["a"]}`} {
		s.run(t, body)
		if n := s.admission.inside(); n != 0 {
			t.Errorf("%.40s: %d places taken", body, n)
		}
	}
	s.direct(t, "POST", runPath, strings.NewReader(`{}`)).wants(t, CodeInternal, "") // a recorder has no deadline to set
	if r := s.run(t, `{"command":["true"]}`); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
