package httpapi

import (
	"sync"
	"time"

	"cordon/sandbox"
)

// lives are the jobs of the queue that run here, with what they have printed so far.
type lives struct {
	mu    sync.Mutex
	jobs  map[string]*life
	began chan struct{} // closed when the next one begins
}

func newLives() lives { return lives{jobs: map[string]*life{}, began: make(chan struct{})} }

// life is a job that runs. Who follows it reads from any place in what it has printed:
// so nobody who reads slowly keeps others waiting, or the job. What is held is bounded by
// the job's output_bytes.
type life struct {
	attempt int
	input   *liveInput // of an interactive job; else nil

	mu      sync.Mutex
	out     [2][]byte // stdout and stderr
	usage   *sandbox.Sample
	samples int           // of usage
	sampled time.Time     // the last one
	news    chan struct{} // closed when there is more

	gauge *sandbox.Gauge // of a job that runs here; else nil
	order order          // in which it was printed
	every time.Duration  // of a mirror: how often its readers want samples
}

// order has what a job has printed in the order in which it came.
type order interface {
	// Marks are those behind the first so many; the last one may grow still.
	Marks(behind int) []sandbox.Printed
}

func (l *lives) begin(id string, attempt int, input *liveInput) *life {
	one := &life{attempt: attempt, input: input, news: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs[id] = one
	close(l.began)
	l.began = make(chan struct{})
	return one
}

func (l *lives) end(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.jobs[id]; one != nil && one.input != nil {
		one.input.end()
	}
	delete(l.jobs, id)
}

// get gives the job's life in an attempt; where there is none, yet, began says when to
// look again.
func (l *lives) get(id string, attempt int) (found *life, began <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.jobs[id]; one != nil && one.attempt == attempt {
		return one, nil
	}
	return nil, l.began
}

// follow has a job tell. One that is run more than once to be measured prints more than
// its result has: of that there is nothing to be seen before its end.
func (l *life) follow(j *sandbox.Job) {
	j.Gauge = &sandbox.Gauge{}
	l.mu.Lock() // who follows may be there already
	defer l.mu.Unlock()
	l.gauge = j.Gauge
	if len(j.Tests) == 0 && j.Measure.Repeat <= 1 && !j.Measure.WarmUp {
		j.Stdout, j.Stderr = lifeWriter{l, 0}, lifeWriter{l, 1}
		if j.Timeline == nil {
			j.Timeline = &sandbox.Timeline{}
		}
		l.order = j.Timeline
	}
}

// lifeWriter is one of the two streams.
type lifeWriter struct {
	life   *life
	stream int
}

// Write takes over what the job has printed.
func (w lifeWriter) Write(b []byte) (int, error) {
	l := w.life
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out[w.stream] = append(l.out[w.stream], b...)
	l.tell()
	return len(b), nil
}

// sample looks at what the job uses, for those who follow it: once for all of them within
// most of the time between two looks that one of them wants.
func (l *life) sample(every time.Duration) {
	l.mu.Lock()
	gauge := l.gauge
	due := gauge != nil && time.Since(l.sampled) >= every*3/4
	if due {
		l.sampled = time.Now()
	}
	l.mu.Unlock()
	if !due {
		return
	}
	now, ok := gauge.Read() // not with mu held: the job's output shall not wait for it
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usage = &now
	l.samples++
	l.tell()
}

// tell is called with mu held.
func (l *life) tell() {
	close(l.news)
	l.news = make(chan struct{})
}

// seen is a moment of a life.
type seen struct {
	out     [2][]byte // that nobody writes to: what comes is behind it
	usage   *sandbox.Sample
	samples int
	order   order // nil: it is not known
	news    <-chan struct{}
}

func (l *life) look() seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	return seen{l.out, l.usage, l.samples, l.order, l.news}
}
