package queue

import (
	"fmt"
	"slices"
	"strings"
)

// Needs say what a service must have to run a job. What is empty needs nothing.
type Needs struct {
	Policy    string   `json:"policy,omitempty"`
	Languages []string `json:"languages,omitempty"`
	Arch      string   `json:"arch,omitempty"`    // as GOARCH has it
	Images    []string `json:"images,omitempty"`  // by one of the names that a service has for each
	Memory    int64    `json:"memory,omitempty"`  // that is promised to it
	Service   string   `json:"service,omitempty"` // the name of the one that has to run it
}

// Abilities are what a service has.
type Abilities struct {
	Policies  []string `json:"policies"`
	Languages []string `json:"languages"` // their ids
	Arch      string   `json:"arch"`
	Images    []string `json:"images,omitempty"` // all names of each that it had at its start
	Memory    int64    `json:"memory,omitempty"` // that jobs may be promised together; 0: any
}

// Meet says whether a job with such needs can run there.
func (a *Abilities) Meet(n *Needs) bool { return len(a.lacks(n)) == 0 }

// lacks are the needs that are not met, in words.
func (a *Abilities) lacks(n *Needs) (out []string) {
	if n.Policy != "" && !slices.Contains(a.Policies, n.Policy) {
		out = append(out, "policy "+n.Policy)
	}
	for _, l := range n.Languages {
		if !slices.Contains(a.Languages, l) {
			out = append(out, "language "+l)
		}
	}
	for _, i := range n.Images {
		if !slices.Contains(a.Images, i) {
			out = append(out, "image "+i)
		}
	}
	if n.Arch != "" && n.Arch != a.Arch {
		out = append(out, "architecture "+n.Arch)
	}
	if a.Memory > 0 && n.Memory > a.Memory {
		out = append(out, fmt.Sprintf("%d bytes of memory for jobs", n.Memory))
	}
	return out
}

// suits says whether a job with such needs can run in the service of this name.
func (a *Abilities) suits(service string, n *Needs) bool {
	return (n.Service == "" || n.Service == service) && a.Meet(n)
}

// words are the needs as a sentence has them.
func (n *Needs) words() string {
	all := (&Abilities{Memory: 1}).lacks(n)
	if len(all) == 0 {
		return "nothing in particular"
	}
	return strings.Join(all, ", ")
}

// WaitingFor says what is missing for a job that waits, of which no service that lives
// can run it; "" where one can, and it waits for its turn.
func (q *Queue) WaitingFor(r *Record) string {
	if r.State != Queued {
		return ""
	}
	if a := q.config.Abilities; a != nil && a.suits(q.config.Worker, &r.Needs) || a == nil && q.bus == nil {
		return ""
	}
	able, n := false, 1
	if q.watched != nil {
		able, n = q.watched.able(&r.Needs)
	}
	switch {
	case able:
		return ""
	case r.Needs.Service != "": // its name is not everybody's to know
		return "the service that took it in: it is not there, or cannot run it any more"
	case n == 0:
		return "a worker: none is there"
	case n == 1:
		return fmt.Sprintf("a worker that has %s: the one that is there has not", r.Needs.words())
	}
	return fmt.Sprintf("a worker that has %s: none of the %d that are there has all of it", r.Needs.words(), n)
}

// Away says whether a job that has not ended runs in another service, or can only run there.
func (q *Queue) Away(r *Record) bool {
	switch {
	case q.bus == nil || r.State.Final():
		return false
	case r.State == Running:
		return !q.Here(r)
	}
	return q.config.Abilities == nil || r.Needs.Service != "" && r.Needs.Service != q.config.Worker
}

// Service is the name of this service among those that share the queue; "" where none do.
func (q *Queue) Service() string {
	if q.bus == nil {
		return ""
	}
	return q.config.Worker
}
