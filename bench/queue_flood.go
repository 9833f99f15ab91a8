package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cordon/internal/child"
)

// Tenants makes two tenants of a service that is to be started with this state directory,
// which need not be there yet, and gives a token of each.
type Tenants func(ctx context.Context, binary, state string) (flooding, other string, err error)

const (
	// noTenants is why the figure about a flood is missing.
	noTenants = "needs two tenants, and this cordon bench can make none"
	// leastFlood jobs are not over before another tenant has asked for anything.
	leastFlood = 50
	// floodSample is how many jobs of the other tenant are enough.
	floodSample = 200
)

// floodJob is short, and does not keep the processors from the service.
var floodJob = map[string]any{"command": []string{"/bin/sleep", "0.05"}}

// flood: one tenant has many jobs waiting while another submits one after the other.
func (s *session) flood(ctx context.Context) (err error) {
	if s.o.Tenants == nil {
		s.report.missing(noTenants, "queue_flood")
		return nil
	}
	jobs := max(s.backlogJobs()/5, leastFlood)
	s.note(fmt.Sprintf("%s: a flood of %d jobs, and another tenant", Queue, jobs))
	state := s.state()
	flooding, other, err := s.o.Tenants(ctx, s.o.Binary, state)
	if err != nil {
		return fmt.Errorf("two tenants: %w", err)
	}
	service, err := s.startIn(ctx, state)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(service)) }()
	r, err := s.submission(service.URL, flooding, floodJob)
	if err != nil {
		return err
	}
	if err := send(r, jobs); err != nil {
		return fmt.Errorf("the flood: %w", err)
	}
	waits, lengths, err := s.besides(ctx, service, other)
	if err != nil {
		return err
	}
	if len(waits) == 0 {
		return fmt.Errorf("a flood of %d jobs was over before another tenant's first job had ended; give more --jobs", jobs)
	}
	p95, mean := tail(waits), meanOf(lengths).Median
	s.amount(Queue, "wait of the other tenant, p95", "ms", Stat{p95, slices.Min(waits), slices.Max(waits)})
	s.amount(Queue, "length of a job during the flood", "ms", meanOf(lengths))
	s.report.set("queue_flood", Stat{p95 / mean, slices.Min(waits) / mean, slices.Max(waits) / mean}, fmt.Sprintf("%d jobs against %d one after the other", jobs, len(waits)))
	return nil
}

// besides submits jobs one after the other while those of the flood wait, and gives how
// long they waited and took, in milliseconds.
func (s *session) besides(ctx context.Context, service *child.Service, token string) (waits, lengths []float64, err error) {
	c := newJobsClient(service.URL, token)
	defer c.close()
	for len(waits) < floodSample {
		id, err := c.submit(ctx, floodJob)
		if err != nil {
			return nil, nil, err
		}
		now, err := s.inStates(ctx, service)
		if err != nil {
			return nil, nil, err
		}
		job, err := c.follow(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		if now["queued"] <= 1 { // which is this one: the flood was over
			return waits, lengths, nil
		}
		waits = append(waits, milliseconds(job.Started.Sub(job.Created)))
		lengths = append(lengths, milliseconds(job.Finished.Sub(job.Started)))
	}
	return waits, lengths, nil
}

// tail is the 95th of a hundred.
func tail(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*95/100, len(sorted)-1)]
}
