package httpapi

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"cordon/queue"
	"cordon/sandbox"
)

// mirrors are the lives of jobs that run in other services and that somebody follows here.
// There is one for each job, however many follow it. It asks the service that runs the job
// for what comes behind what it has: so nothing is missed or repeated, whatever gets lost
// on the way, and that service keeps nothing for anybody.
type mirrors struct {
	mu  sync.Mutex
	all map[mirrorKey]*mirror
}

type mirrorKey struct {
	id      string
	attempt int
}

func newMirrors() mirrors { return mirrors{all: map[mirrorKey]*mirror{}} }

// mirror is one of them.
type mirror struct {
	key     mirrorKey
	life    *life
	readers int // mirrors.mu's
	stop    context.CancelFunc
}

// liveQuestion asks for what a job has printed behind these offsets.
type liveQuestion struct {
	ID      string `json:"id"`
	Attempt int    `json:"attempt"`
	Offset  [2]int `json:"offset"`
	Samples int    `json:"samples"`
	Marks   int    `json:"marks"`    // of when what was printed, that are known and do not change
	Every   int64  `json:"every_ns"` // how often a sample of what is used is wanted
}

// liveAnswer is that, or as much of it as goes into a message.
type liveAnswer struct {
	Runs    bool              `json:"runs"` // here, still
	Out     [2][]byte         `json:"out"`
	Usage   *sandbox.Sample   `json:"usage,omitempty"`
	Samples int               `json:"samples"`
	Marks   []sandbox.Printed `json:"marks,omitempty"` // behind those that are known
}

const (
	livePart = 128 << 10              // bytes of each stream in an answer
	liveWait = 2 * time.Second        // that an answer waits for news
	liveAsk  = liveWait + time.Second // that one is waited for
	liveRest = 100 * time.Millisecond // after one that told nothing
)

// mirrored is the mirror of a job that runs elsewhere. It takes the place of the one that
// its reader had, which may be the same; the reader leaves it at its end.
func (s *Server) mirrored(r *queue.Record, was *mirror) *mirror {
	key := mirrorKey{r.ID, r.Attempts}
	if was != nil && was.key == key {
		return was
	}
	m := &s.mirrors
	m.leave(was)
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.all[key]
	if one == nil {
		ctx, stop := context.WithCancel(context.Background())
		one = &mirror{key: key, life: &life{attempt: r.Attempts, news: make(chan struct{})}, stop: stop}
		one.life.order = &mirroredOrder{life: one.life}
		m.all[key] = one
		go one.follow(ctx, s.config.Jobs.Queue, *r)
	}
	one.readers++
	return one
}

// leave: a reader does not follow it any more.
func (m *mirrors) leave(one *mirror) {
	if one == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if one.readers--; one.readers == 0 {
		one.stop()
		delete(m.all, one.key)
	}
}

// follow asks until nobody follows any more. The end of the job is told by its record.
func (m *mirror) follow(ctx context.Context, q *queue.Queue, r queue.Record) {
	for ctx.Err() == nil {
		answer, err := m.ask(ctx, q, &r)
		if err == nil && m.life.extend(answer) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(liveRest):
		}
	}
}

func (m *mirror) ask(ctx context.Context, q *queue.Queue, r *queue.Record) (answer liveAnswer, err error) {
	now := m.life.look()
	known, every := m.life.asks()
	question := liveQuestion{r.ID, r.Attempts, [2]int{len(now.out[0]), len(now.out[1])}, now.samples, known, int64(every)}
	ctx, stop := context.WithTimeout(ctx, liveAsk)
	defer stop()
	text, err := q.AskLive(ctx, r, mustJSON(question))
	if err != nil {
		return answer, err
	}
	return answer, json.Unmarshal(text, &answer)
}

// extend takes over an answer; it says whether there is to be asked again at once.
func (l *life) extend(a liveAnswer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.out {
		l.out[i] = append(l.out[i], a.Out[i]...)
	}
	l.order.(*mirroredOrder).extend(a.Marks)
	more := len(a.Out[0]) > 0 || len(a.Out[1]) > 0
	if a.Usage != nil && a.Samples != l.samples {
		l.usage, l.samples, more = a.Usage, a.Samples, true
	}
	if more {
		l.tell()
	}
	return a.Runs
}

// tellLive answers a question of another service.
func (s *Server) tellLive(ctx context.Context, question []byte) []byte {
	var q liveQuestion
	var a liveAnswer
	if json.Unmarshal(question, &q) != nil || q.Offset[0] < 0 || q.Offset[1] < 0 || q.Marks < 0 {
		return mustJSON(a)
	}
	enough := time.NewTimer(liveWait)
	defer enough.Stop()
	every := min(max(time.Duration(q.Every), usageLeast), usageUsual)
	look := time.NewTicker(every)
	defer look.Stop()
	for {
		l, began := s.live.get(q.ID, q.Attempt)
		var news <-chan struct{}
		if l == nil { // its record may be known before its life begins
			news = began
		} else {
			if q.Samples == 0 {
				l.sample(every)
			}
			now := l.look()
			a, news = now.behind(&q), now.news
			if a.told(&q) {
				return mustJSON(a)
			}
		}
		select {
		case <-news:
		case <-look.C:
			if l != nil {
				l.sample(every)
			}
		case <-enough.C:
			return mustJSON(a)
		case <-ctx.Done():
			return mustJSON(a)
		case <-s.ending:
			return mustJSON(a)
		}
	}
}

// behind is what a moment of a life has behind what is known.
func (n *seen) behind(q *liveQuestion) liveAnswer {
	a := liveAnswer{Runs: true, Usage: n.usage, Samples: n.samples}
	for i, all := range n.out {
		if q.Offset[i] < len(all) {
			part := all[q.Offset[i]:]
			a.Out[i] = part[:min(len(part), livePart)]
		}
	}
	if n.order != nil {
		a.Marks = n.order.Marks(q.Marks)
	}
	return a
}

// told: there is something in it that was not known.
func (a *liveAnswer) told(q *liveQuestion) bool {
	return len(a.Out[0]) > 0 || len(a.Out[1]) > 0 || a.Samples != q.Samples
}

// mirroredOrder is when what was printed elsewhere, as far as it was told.
type mirroredOrder struct {
	life  *life
	marks []sandbox.Printed
}

// Marks are those behind the first so many.
func (o *mirroredOrder) Marks(behind int) []sandbox.Printed {
	o.life.mu.Lock()
	defer o.life.mu.Unlock()
	return slices.Clone(o.marks[min(behind, len(o.marks)):])
}

// extend takes over what comes behind those that do not change. It is called with the life's
// mu held.
func (o *mirroredOrder) extend(more []sandbox.Printed) {
	if len(more) > 0 {
		o.marks = append(o.marks[:max(len(o.marks)-1, 0)], more...)
	}
}

// want has a mirror ask for samples as often as the one of its readers wants them that wants
// them most often.
func (l *life) want(every time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.every == 0 || every < l.every {
		l.every = every
	}
}

// asks is what a mirror knows already of when what was printed, and how often it wants samples.
func (l *life) asks() (marks int, every time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(len(l.order.(*mirroredOrder).marks)-1, 0), l.every
}
