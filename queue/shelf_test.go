package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Pages of any state and tenant have what a look at all jobs finds, however jobs come, go on
// and go.
func TestPagesAreComplete(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	x := newIndex("w", "b")
	tenants, version := []string{"", "a", "b"}, uint64(0)
	for range 3000 {
		version++
		id := fmt.Sprintf("%03d", r.IntN(400))
		if e := x.jobs[id]; e != nil && r.IntN(5) == 0 {
			x.drop(e)
			continue
		}
		x.apply(stateOf, &Record{ID: id, Tenant: tenants[r.IntN(3)], State: States[r.IntN(len(States))], Priority: Normal}, version)
	}
	if len(x.jobs) < 100 {
		t.Fatalf("control: %d jobs", len(x.jobs))
	}
	for _, state := range append(slices.Clone(States), "") {
		for _, tenant := range []*string{nil, &tenants[0], &tenants[1], &tenants[2], ptrTo("nobody")} {
			var want, got []string
			for id, e := range x.jobs {
				if (state == "" || e.State == state) && (tenant == nil || e.Tenant == *tenant) {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			for after, more := "", true; more; {
				var page []Record
				if page, more = x.page(state, tenant, after, 7); more && len(page) != 7 {
					t.Fatalf("a page of %d, with more behind it", len(page))
				}
				for _, one := range page {
					got = append(got, one.ID)
					after = one.ID
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("state %q: %v, want %v", state, got, want)
			}
		}
	}
}

func ptrTo(s string) *string { return &s }

// BenchmarkPages lists jobs of a service that has 100,000, of which all but the last ten are
// done. While a page is made nobody else comes to the queue.
func BenchmarkPages(b *testing.B) {
	const jobs = 100_000
	x := newIndex("w", "b")
	record := func(i int, s State) *Record {
		return &Record{ID: fmt.Sprintf("%08d", i), Tenant: fmt.Sprint("t", i%10), State: s, Priority: Normal}
	}
	for i := range jobs {
		state := Done
		if i >= jobs-10 {
			state = Running
		}
		x.apply(stateOf, record(i, state), uint64(i+1))
	}
	tenant := "t3"
	for _, c := range []struct {
		name   string
		state  State
		tenant *string
	}{{"running", Running, nil}, {"failed", Failed, nil}, {"done", Done, nil}, {"any", "", nil}, {"running of a tenant", Running, &tenant}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				x.page(c.state, c.tenant, "", 100)
			}
		})
	}
	b.Run("change of state", func(b *testing.B) {
		version := uint64(jobs)
		for i := 0; b.Loop(); i++ {
			version++
			x.apply(stateOf, record(i%jobs, States[1+version%2]), version)
			if len(x.ended) > 4*jobs {
				x.ended = nil
			}
		}
	})
	b.Run("drop the first and take one in", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			x.drop(x.jobs[fmt.Sprintf("%08d", i)])
			x.apply(stateOf, record(i+jobs, Done), uint64(i+2*jobs+int(time.Hour)))
		}
	})
}
