package queue

import "time"

// Wait is how many jobs of one tenant and priority wait.
type Wait struct {
	Tenant   string
	Priority Priority
	Jobs     int64
	Oldest   time.Time // when the one that waits longest came
}

// Waits are all of them, in no order.
func (q *Queue) Waits() (out []Wait) {
	type key struct {
		tenant   string
		priority Priority
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	at := map[key]int{}
	for e := range q.index.active[Queued] {
		k := key{e.Tenant, e.Priority}
		i, there := at[k]
		if !there {
			i = len(out)
			at[k] = i
			out = append(out, Wait{Tenant: e.Tenant, Priority: e.Priority, Oldest: e.Created})
		}
		out[i].Jobs++
		if e.Created.Before(out[i].Oldest) {
			out[i].Oldest = e.Created
		}
	}
	return out
}
