package httpapi

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cordon/sandbox"
)

// insiders are the jobs that this service runs, or that wait in it for a place: for the
// operator to see.
type insiders struct {
	mu   sync.Mutex
	jobs map[*insider]bool
}

// insider is one of them.
type insider struct {
	job      *sandbox.Job
	language string
	queued   bool // it came by the queue
	since    time.Time
	placed   atomic.Int64 // when it got its place, in ns; 0: it waits
}

// enter notes a job that is about to be run; leave is called when it has ended.
func (i *insiders) enter(j *sandbox.Job, language string, queued bool) (leave func()) {
	one := &insider{job: j, language: language, queued: queued, since: time.Now()}
	if j.Gauge == nil {
		j.Gauge = &sandbox.Gauge{}
	}
	j.Placed = func() { one.placed.Store(time.Now().UnixNano()) }
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.jobs == nil {
		i.jobs = map[*insider]bool{}
	}
	i.jobs[one] = true
	return func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.jobs, one)
	}
}

// shownInside is how many of them an answer has.
const shownInside = 200

// JobInside is a job that runs, or waits for a place, as the operator sees it.
type JobInside struct {
	ID       string       `json:"id"`
	Tenant   string       `json:"tenant,omitempty" doc:"Absent: the operator's"`
	Policy   string       `json:"policy"`
	Language string       `json:"language,omitempty" doc:"As the request names it"`
	Queued   bool         `json:"queued" doc:"It came by POST /v1/jobs, and has a page of its own there; else by POST /v1/run"`
	Waiting  bool         `json:"waiting" doc:"It has no place yet"`
	Since    time.Time    `json:"since" doc:"When it got its place; of one that waits when it came"`
	Usage    *UsageSample `json:"usage,omitempty" doc:"What its program has used so far; absent while there is none, as between two steps, and of tests"`
}

// look shows them, the oldest first.
func (i *insiders) look() (shown []JobInside, all int, running map[string]int) {
	i.mu.Lock()
	jobs := make([]*insider, 0, len(i.jobs))
	for one := range i.jobs {
		jobs = append(jobs, one)
	}
	i.mu.Unlock()
	slices.SortFunc(jobs, func(a, b *insider) int { return strings.Compare(a.job.ID, b.job.ID) }) // UUIDv7: by time
	shown, running = []JobInside{}, map[string]int{}
	for _, one := range jobs {
		placed := one.placed.Load()
		if placed != 0 {
			running[one.job.Tenant]++
		}
		if len(shown) == shownInside {
			continue
		}
		in := JobInside{ID: one.job.ID, Tenant: one.job.Tenant, Policy: one.job.Policy, Language: one.language, Queued: one.queued, Waiting: placed == 0, Since: one.since.UTC()}
		if placed != 0 {
			in.Since = time.Unix(0, placed).UTC()
		}
		if used, ok := one.job.Gauge.Read(); ok {
			sample := UsageSample(used)
			in.Usage = &sample
		}
		shown = append(shown, in)
	}
	return shown, len(jobs), running
}
